"""Take the screenshots in docs/images again: ``python -m docs.make_images``."""

import tempfile
from itertools import product
from pathlib import Path

from playwright.sync_api import expect

from docs.make_hosts import HOSTS, make, surroundings
from tests.admin_walk import AdminWalk
from tests.browsers import launched
from tests.demo import Demo

IMAGES = Path(__file__).parent / "images"
WIDTHS = {360: 740, 1280: 800}


def log_in(page, demo):
    page.goto(demo.site)
    page.fill("[name=username]", "anna")
    page.fill("[name=password]", demo.password)
    page.click("main button")


def transfer(page, demo, invoice):
    page.goto(f"{demo.site}transfer/")
    page.fill("[name=payee]", "Nordic Timber AB")
    page.fill("[name=amount]", "1250")
    page.fill("[name=reference]", invoice)
    page.get_by_role("button", name="Pay").click()
    card = page.locator("[data-magiclink-card]")
    expect(card).to_have_attribute("data-state", "waiting")


def take(page, phone, demo, name):
    """Photograph one payment: waiting, and then accepted or declined."""
    scheme, width = name
    log_in(page, demo)
    for answer, state in (("reject", "declined"), ("accept", "accepted")):
        # The same payment again would wait for the button after a decline.
        transfer(page, demo, f"Invoice {state}")
        expect(page.get_by_role("status")).to_contain_text("Answer on your phone")
        page.screenshot(path=IMAGES / f"waiting-{scheme}-{width}.png")
        # The page would otherwise go on at once; 204 leaves it where it is.
        page.route("**/transfer/", lambda route: route.fulfill(status=204))
        phone.goto(demo.phone)
        phone.locator(f"button[value={answer}]").first.click()
        reached = "accepted" if answer == "accept" else "ended"
        expect(page.locator("main")).to_have_attribute(
            "data-state", reached, timeout=20_000
        )
        page.screenshot(path=IMAGES / f"{state}-{scheme}-{width}.png")
        page.unroute("**/transfer/")


def take_dialog(page, phone, demo, name):
    """Photograph what a page of the bank asks without being left."""
    scheme, width = name
    page.goto(f"{demo.site}invoices/")
    page.get_by_role("button", name="Pay").first.click()
    expect(page.get_by_role("status")).to_contain_text("Answer on your phone")
    page.screenshot(path=IMAGES / f"dialog-{scheme}-{width}.png")
    phone.goto(demo.phone)
    phone.locator("button[value=reject]").first.click()
    expect(page.get_by_role("status")).to_contain_text("You declined", timeout=20_000)


def take_typed(page, phone, demo, name):
    """Photograph the page that wants the code from the phone."""
    scheme, width = name
    log_in(page, demo)
    transfer(page, demo, "Invoice typed")
    phone.goto(demo.phone)
    phone.locator("button[value=accept]").first.click()
    expect(page.locator("main")).to_have_attribute(
        "data-state", "confirming", timeout=20_000
    )
    page.screenshot(path=IMAGES / f"typed-{scheme}-{width}.png")
    page.get_by_role("button", name="Cancel").click()


def take_admin(page, phone, demo, name):
    """Photograph an administrator's way from a new endpoint to the figures."""
    scheme, width = name

    def look(what):
        # As far down as the page goes, up to what an eye takes in.
        height = page.evaluate("document.documentElement.scrollHeight")
        clip = {"x": 0, "y": 0, "width": width, "height": min(height, 1600)}
        path = IMAGES / f"admin-{what}-{scheme}-{width}.png"
        page.screenshot(path=path, full_page=True, clip=clip)

    walk = AdminWalk(page, phone, demo, look)
    walk.log_in("admin", demo.password)
    walk.add_endpoint(f"Branch {scheme} {width}")
    secret = walk.set_key("Web site")
    walk.test_with_phone()
    walk.use_new_key()
    walk.regenerate()
    walk.roll_back(secret)
    walk.list_endpoints()
    walk.audit()
    walk.dashboard()


def take_hosts(browser):
    """Photograph one page in each host of docs/hosts."""
    with tempfile.TemporaryDirectory() as styles:
        make(Path(styles))
        for host in HOSTS:
            with (
                tempfile.TemporaryDirectory() as folder,
                Demo(Path(folder), **surroundings(host, styles)) as demo,
            ):
                size = {"width": 1000, "height": 760}
                context = browser.new_context(reduced_motion="reduce", viewport=size)
                page = context.new_page()
                log_in(page, demo)
                transfer(page, demo, f"Invoice {host}")
                expect(page.get_by_role("status")).to_contain_text("Answer on")
                page.screenshot(path=IMAGES / f"host-{host}.png")
                context.close()


def main():
    """Run the demo, and go through it in both schemes and at both widths."""
    IMAGES.mkdir(exist_ok=True)
    with (
        tempfile.TemporaryDirectory() as folder,
        tempfile.TemporaryDirectory() as other,
        tempfile.TemporaryDirectory() as third,
        Demo(Path(folder)) as demo,
        Demo(Path(third)) as admin,
        Demo(Path(other), MAGICLINK_CODE="type") as typing,
        launched() as browser,
    ):
        banks = [(demo, [take, take_dialog]), (typing, [take_typed])]
        seed = "from docs.some_approvals import make; make()"
        admin.run("shell", "-c", seed).check_returncode()
        banks.append((admin, [take_admin]))
        for scheme, width in product(["light", "dark"], WIDTHS):
            for bank, steps in banks:
                context = browser.new_context(
                    color_scheme=scheme,
                    reduced_motion="reduce",
                    viewport={"width": width, "height": WIDTHS[width]},
                )
                page, phone = context.new_page(), context.new_page()
                page.bring_to_front()
                for step in steps:
                    step(page, phone, bank, (scheme, width))
                context.close()
        take_hosts(browser)
        browser.close()


if __name__ == "__main__":
    main()
