"""A person in Chromium, against the demo as one starts it, and as it is deployed."""

import html
import re
import time
from contextlib import suppress

import pytest
from playwright.sync_api import Error, expect

from .demo import Demo
from .deployments import DEPLOYMENTS, Deployment

pytestmark = pytest.mark.needs("chromium")


def deployments():
    yield "demo"
    for name in DEPLOYMENTS:
        needs = ["redis"] if name == "celery" else []
        yield pytest.param(name, marks=[pytest.mark.slow, pytest.mark.needs(*needs)])


@pytest.fixture(scope="module", params=deployments())
def demo(request, tmp_path_factory):
    folder = tmp_path_factory.mktemp("demo")
    deployed = request.param != "demo"
    demo = Deployment(folder, request.param) if deployed else Demo(folder)
    with demo:
        # The shortest that Mideye takes, as two tests wait for it to pass.
        shorten = "from django_magiclink.models import *; Endpoint.objects.update"
        demo.run("shell", "-c", f"{shorten}(timeout=15)").check_returncode()
        yield demo


@pytest.fixture(params=[True, False], ids=["script", "no script"])
def page(request, demo, chrome):
    context = chrome.new_context(java_script_enabled=request.param)
    page = context.new_page()
    page.script = request.param
    page.wrong = []
    page.on("pageerror", lambda error: page.wrong.append(str(error)))
    log_in(page, demo)
    yield page
    context.close()
    assert page.wrong == []


def log_in(page, demo):
    page.goto(demo.site)
    page.fill("[name=username]", "anna")
    page.fill("[name=password]", demo.password)
    page.click("main button")
    expect(page).to_have_url(demo.site)


def ask(page):
    """The script asks after the user's own click; without it there is a button."""
    if not page.script:
        page.get_by_role("button", name=re.compile("Ask (my phone|again)")).click()
    expect(page.locator("[data-code]")).to_have_text(re.compile(r"\d\d"))


def answer(phone, demo, value):
    phone.goto(demo.phone)
    phone.locator(f"button[name=answer][value={value}]").first.click()


def go_on(page):
    """Without the script a form goes on, and a page refreshes itself."""
    if not page.script and page.get_by_role("button", name="Continue").count():
        page.get_by_role("button", name="Continue").click()


def fill_in(page, demo, payee, amount="12.50"):
    page.goto(f"{demo.site}transfer/")
    page.fill("[name=payee]", payee)
    page.fill("[name=amount]", amount)
    page.fill("[name=reference]", "Rent")
    page.get_by_role("button", name="Pay").click()


def booked(page, demo, payee):
    return page.request.get(demo.site).text().count(html.escape(payee))


def test_the_payroll_opens_after_an_accept(page, phone, demo):
    page.click("nav >> text=Payroll")
    # A window of the other test's session does not count here.
    ask(page)
    assert "Show the payroll" in page.inner_text("main")
    code = page.inner_text("[data-code]")

    phone.goto(demo.phone)
    # It may ring only a moment later, and what rang before may still be shown.
    expect(phone.locator("main")).to_contain_text(re.compile(rf"\b{code}\b"))
    phone.locator("button[value=accept]").first.click()
    accepted = time.monotonic()

    expect(page.locator("h1")).to_have_text("Payroll")
    # The script polls each second; without it the page refreshes every three. The rest
    # is for a machine that has much else to do.
    assert time.monotonic() - accepted < (4 if page.script else 8)


def test_exactly_the_approved_transfer_is_booked_once(page, phone, demo):
    payee = f"Åsa & Bo {page.script}"
    fill_in(page, demo, payee, "7.25")
    ask(page)
    assert f"Pay 7.25 SEK to {payee}" in page.inner_text("main")
    answer(phone, demo, "accept")
    go_on(page)

    expect(page).to_have_url(demo.site)
    expect(page.locator("body")).to_contain_text("Paid: 7.25 SEK")
    page.reload()
    expect(page.get_by_text(payee)).to_have_count(1)


def test_a_typo_rings_no_phone(page, phone, demo):
    fill_in(page, demo, "Typo", "9999999")

    expect(page.locator("main")).to_contain_text("There is not that much")
    assert phone.goto(demo.phone).ok
    assert phone.locator("button[value=accept]").count() == 0
    expect(page.locator("[name=payee]")).to_have_value("Typo")


def test_after_a_decline_nothing_is_booked_and_nothing_is_lost(page, phone, demo):
    payee = f"Declined {page.script}"
    fill_in(page, demo, payee)
    ask(page)
    answer(phone, demo, "reject")
    go_on(page)
    expect(page.get_by_role("status")).to_contain_text("You declined")
    assert booked(page, demo, payee) == 0

    if page.script:
        page.get_by_text("Back to your form").click()
        expect(page.locator("[name=payee]")).to_have_value(payee)
        expect(page.locator("[name=amount]")).to_have_value("12.50")
        expect(page.locator("[name=reference]")).to_have_value("Rent")
    else:
        page.click("summary")
        for typed in (payee, "12.50", "Rent"):
            expect(page.locator("dl")).to_contain_text(typed)
        ask(page)
        answer(phone, demo, "accept")
        go_on(page)
        expect(page).to_have_url(demo.site)
        assert booked(page, demo, payee) == 1


def test_asking_again_after_a_decline_books_what_was_typed(page, phone, demo):
    payee = f"Asked again {page.script}"
    fill_in(page, demo, payee)
    ask(page)
    answer(phone, demo, "reject")
    go_on(page)
    page.get_by_role("button", name="Ask again").click()
    expect(page.locator("main")).to_have_attribute("data-state", "waiting")
    answer(phone, demo, "accept")
    go_on(page)

    expect(page).to_have_url(demo.site)
    assert booked(page, demo, payee) == 1


def test_no_answer_is_said_and_can_be_tried_again(page, phone, demo):
    page.click("nav >> text=Payroll")
    ask(page)

    status = page.get_by_role("status")
    expect(status).to_contain_text("did not answer in time", timeout=30_000)
    page.get_by_role("button", name="Ask again").click()
    expect(page.locator("main")).to_have_attribute("data-state", "waiting")
    answer(phone, demo, "accept")

    expect(page.locator("h1")).to_have_text("Payroll")


def test_a_cancelled_payment_is_not_booked(page, phone, demo):
    payee = f"Cancelled {page.script}"
    fill_in(page, demo, payee)
    ask(page)
    # One that is cancelled before a worker takes it rings nowhere.
    phone.goto(demo.phone)
    expect(phone.locator("main")).to_contain_text(payee)

    page.get_by_role("button", name="Cancel").click()
    expect(page.get_by_role("status")).to_contain_text("You cancelled")
    answer(phone, demo, "accept")

    assert booked(page, demo, payee) == 0


def test_two_tabs_each_get_what_was_approved_in_them(page, phone, demo):
    other = page.context.new_page()
    other.script = page.script
    first, second = f"First {page.script}", f"Second {page.script}"
    fill_in(page, demo, first)
    ask(page)

    fill_in(other, demo, second)
    if not other.script:
        other.get_by_role("button", name="Ask my phone").click()
    expect(other.locator("main")).to_have_attribute("data-state", "later")

    answer(phone, demo, "accept")
    go_on(page)
    expect(page).to_have_url(demo.site)
    assert (booked(page, demo, first), booked(page, demo, second)) == (1, 0)
    other.get_by_role("button", name="Ask again").click()
    expect(other.locator("main")).to_have_attribute("data-state", "waiting")
    answer(phone, demo, "accept")
    go_on(other)
    expect(other).to_have_url(demo.site)
    assert booked(page, demo, second) == 1


def test_going_back_to_a_used_page_carries_nothing_out_again(page, phone, demo):
    payee = f"Back {page.script}"
    fill_in(page, demo, payee)
    ask(page)
    answer(phone, demo, "accept")
    go_on(page)
    expect(page).to_have_url(demo.site)

    # Chromium does not repeat a form without asking, and cannot ask here.
    for step in (page.go_back, page.reload):
        with suppress(Error):
            step()

    assert booked(page, demo, payee) == 1
    assert phone.goto(demo.phone).ok
    assert phone.locator("button[value=accept]").count() == 0


def test_a_user_without_a_phone_is_told_so(chrome, demo):
    context = chrome.new_context()
    page = context.new_page()
    page.goto(demo.site)
    page.fill("[name=username]", "bo")
    page.fill("[name=password]", demo.password)
    page.click("main button")

    page.goto(f"{demo.site}payroll/")

    assert "no phone number is registered" in page.inner_text("main")
    context.close()
