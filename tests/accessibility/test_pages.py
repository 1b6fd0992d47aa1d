"""Each page of ours in each of its states, for people who see and move otherwise."""

import json
import re

import pytest
from django.contrib.auth import get_user_model
from playwright.sync_api import expect

from django_magiclink import bypasses
from django_magiclink.models import Approval, Bypass, PhoneNumber
from django_magiclink.status import Status

from ..conftest import NUMBER
from .eyes import faults

pytestmark = [pytest.mark.needs("chromium"), pytest.mark.django_db(transaction=True)]

FILE = {"name": "photo.png", "mimeType": "image/png", "buffer": b"photo"}
#: How an approval may end, and what is told of each.
ENDS = [
    (Status.REJECTED, ""),
    (Status.NO_ANSWER, ""),
    (Status.UNDELIVERED, ""),
    (Status.CANCELLED, ""),
    (Status.EXPIRED, ""),
    (Status.REVOKED, ""),
    (Status.FAILED, "refused"),
    (Status.FAILED, "connect"),
    (Status.FAILED, "busy"),
]
#: How many signs the card shows.
ICONS = """() => [...document.querySelectorAll("[data-icon]")]
    .filter(each => getComputedStyle(each).display !== "none").length"""
#: What people may not see, read or hit, by what must be said of it.
PLANTED = {
    "color-contrast": '<p style="color: #aaa; background: #fff">Pale</p>',
    "dark: color-contrast": """<style>p { background: #fff; color: #000 }
        @media (prefers-color-scheme: dark) { p { color: #999 } }</style><p>Pale</p>""",
    "label": '<input style="border: 1px solid">',
    "target-size": """<style>button { border: 1px solid; display: block; height: 9px;
        padding: 0; width: 9px }</style>
        <button aria-label="One"></button><button aria-label="Other"></button>""",
    "moves": """<style>@keyframes turn { to { rotate: 1turn } }</style>
        <p style="animation: turn 2s infinite">Turning</p>""",
    "no edge: <button": '<button style="border: 0">A button</button>',
    "no edge: <svg": '<svg stroke="#123"><path d="M0 0h9"/></svg>',
    "cut: the page is wide": '<p style="width: 600px">Wide</p>',
    "cut: <p": '<p style="height: 1em; overflow: hidden">Two<br>lines</p>',
    "spaced: cut: <p": """<p style="width: 6em; overflow: hidden; white-space: nowrap">
        Some words</p>""",
}


@pytest.mark.parametrize("fault", PLANTED)
def test_what_is_planted_is_found(page, fault):
    page.set_content(f"""<!DOCTYPE html><html lang="en"><title>Planted</title>
        <meta name="color-scheme" content="light dark">
        <main><h1>Planted</h1>{PLANTED[fault]}</main>""")

    found = faults(page)

    assert [each for each in found if each.startswith(fault)], found


def test_a_page_that_asks_and_how_it_may_end(
    visit, come, user, page, look, state, press
):
    come(user)
    visit("/payroll/")
    look("ask")
    held = []
    page.route("**/start/", lambda route: held.append(route), times=1)
    press("Ask my phone")
    expect(page.locator(".magiclink-asking")).to_be_visible()
    look("asking")
    held[0].continue_()
    expect(page.get_by_role("status")).to_contain_text("Answer on your phone")
    look("waiting")

    for status, kind in ENDS:
        Approval.objects.update(status=status, error_kind=kind)
        page.reload()
        state("ended")
        look(f"{status} {kind}")
        assert page.evaluate(ICONS) == 1

    Approval.objects.update(status=Status.REJECTED, error_kind="")
    page.reload()
    press("Ask again")
    state("later")
    look("later")
    page.reload()
    press("That was not me")
    expect(page.get_by_role("status")).to_contain_text("Thank you")
    look("reported")


def test_a_phone_that_was_asked_from_elsewhere(
    visit, come, user, page, look, ask, sandbox
):
    come(user)
    visit("/payroll/")
    ask()
    sandbox.reject(NUMBER)
    expect(page.get_by_role("status")).to_contain_text("You declined")
    come(user)
    visit("/once/")
    expect(page.get_by_text("was asked from elsewhere")).to_be_visible()
    look("asked from elsewhere")


def test_a_form_without_script(chrome, visit, come, user, page, look):
    come(user)
    visit("/page/form/?without=1&action=/pay/&plain=1")
    context = chrome.new_context(java_script_enabled=False)
    context.add_cookies(page.context.cookies())
    plain = context.new_page()
    plain.goto(page.url)
    plain.fill("[name=note]", "Rent")
    plain.click("#send")
    plain.get_by_role("button", name="Ask my phone").click()
    expect(plain.get_by_role("button", name="Continue")).to_be_visible()
    # Axe is a script itself, so it is shown what such a browser shows.
    shown = re.sub(r"<script.*?</script>|</?noscript>", "", plain.content())
    context.close()
    page.route(
        "**/shown/", lambda route: route.fulfill(body=shown, content_type="text/html")
    )
    visit("/shown/")
    page.get_by_text("What you entered").click()
    expect(page.get_by_text("Rent")).to_be_visible()
    look("without script")


def test_a_page_that_wants_the_code(visit, come, user, page, look, ask, state, sandbox):
    come(user)
    visit("/typed/")
    ask()
    look("waiting")
    sandbox.accept(NUMBER)
    state("confirming")
    look("confirming")


def test_a_form_that_waits_for_its_file(
    visit, come, user, page, look, state, press, sandbox
):
    come(user)
    visit("/page/form/?without=1&action=/pay/")
    page.set_input_files("[name=file]", FILE)
    page.click("#send")
    state("waiting")
    look("waiting")
    sandbox.accept(NUMBER)
    state("accepted")
    look("accepted")
    page.set_input_files("[name=file]", FILE)
    press("Continue")
    expect(page.locator("body")).to_have_text("pay ran")


def test_a_single_use_that_was_carried_out(visit, come, user, page, look, ask, sandbox):
    come(user)
    visit("/once/")
    ask()
    sandbox.accept(NUMBER)
    expect(page.locator("body")).to_have_text("once ran")
    visit("/once/")
    expect(page.get_by_role("status")).to_contain_text("was carried out")
    look("carried out")


def test_what_cannot_be_asked(visit, come, user, page, look, settings, endpoint):
    come(user)
    settings.MAGICLINK_MAX_WAITING = 0
    visit("/payroll/")
    page.get_by_role("button", name="Ask my phone").click()
    expect(page.get_by_role("status")).to_contain_text("Too many")
    look("busy")
    endpoint.delete()
    visit("/payroll/")
    look("no endpoint")
    PhoneNumber.objects.all().delete()
    visit("/payroll/")
    look("no phone")


def test_pages_for_what_did_not_come_as_it_should(visit, come, user, page, look):
    come(user)
    for name, action in [("reopen", "/exempt/"), ("too old", "/magiclink/start/")]:
        visit("/page/fetch/")
        page.evaluate(
            """action => {
                const form = document.querySelector("form");
                Object.assign(form, { action, method: "post" });
                if (action === "/exempt/") form.innerHTML = "";
                form.submit();
            }""",
            action,
        )
        expect(page.locator(".magiclink-card")).to_be_visible()
        look(name)


def test_a_dialog_in_a_page_of_the_host(
    visit, come, user, page, look, state, press, sandbox
):
    come(user)
    visit("/page/fetch/?lax=1")
    send = [["/pay/", {"method": "POST", "body": json.dumps({"amount": 10})}]]
    page.evaluate("(requests) => { window.sent = requests }", send)
    page.click("#send")
    state("waiting")
    look("waiting", "dialog")
    sandbox.reject(NUMBER)
    state("ended")
    look("declined", "dialog")
    press("Ask again")
    state("later")
    look("later", "dialog")
    press("Close")
    PhoneNumber.objects.all().delete()
    page.click("#send")
    state("refused")
    look("no phone", "dialog")


def test_a_fragment_for_htmx(visit, come, user, page, look):
    come(user)
    visit("/page/fetch/?without=1")
    page.evaluate("""async () => {
        const headers = { "HX-Request": "true" };
        const answer = await fetch("/once/", { headers });
        document.body.innerHTML = `<main>${await answer.text()}</main>`;
    }""")
    page.wait_for_load_state("networkidle")
    look("fragment", ".magiclink-card")


@pytest.fixture
def second_step(settings):
    settings.MAGICLINK_RULES = [{"all": True, "scope": "login", "max_age": "session"}]


def test_the_second_step_of_a_login(second_step, visit, come, user, page, look):
    come(user)
    visit("/default/")
    expect(page.get_by_role("heading", level=1)).to_contain_text("Step 2 of 2")
    look("second step")
    bypasses.allow(Bypass(user=user, reason="The phone was lost."), None)
    visit("/default/")
    expect(page.get_by_text("once without your phone")).to_be_visible()
    look("bypass")


def test_the_page_of_a_phone(visit, come, user, page, look, press):
    come(get_user_model().objects.create_user("bo"))
    visit("/my-phone/")
    look("none yet")
    page.get_by_label("Mobile number").fill("123")
    press("Use this phone")
    field = page.get_by_label("Mobile number")
    said = page.get_by_role("alert").inner_text()
    expect(field).to_have_accessible_description(said)
    look("error")
    come(user)
    visit("/my-phone/?next=/default/")
    look("phone")


@pytest.mark.parametrize("code", ["type", "show"])
def test_a_login_with_the_phone_alone(
    visit, user, page, look, press, state, sandbox, settings, code
):
    settings.MAGICLINK_PASSWORDLESS_CODE = code
    visit("/login/phone/")
    look("who")
    page.get_by_label("Phone number or user name").fill("anna")
    press("Ask my phone")
    state({"type": "confirming", "show": "waiting"}[code])
    look("asked")
    # The page would otherwise go on at once; 204 leaves it where it is.
    page.route("**/finish/", lambda route: route.fulfill(status=204))
    sandbox.wait_for_calls(1)
    if code == "show":
        sandbox.accept(NUMBER)
        state("accepted")
        look("accepted")
    else:
        press("Cancel")
        state("ended")
        look("cancelled")
        assert page.evaluate(ICONS) == 1


def test_a_login_of_somebody_else(visit, come, user, page, look, press, state, sandbox):
    visit("/login/phone/")
    page.get_by_label("Phone number or user name").fill("anna")
    press("Ask my phone")
    state("confirming")
    sandbox.wait_for_calls(1)
    sandbox.accept(NUMBER)
    come(get_user_model().objects.create_user("bo"))
    page.reload()
    page.get_by_label("Code:").fill(Approval.objects.get().code)
    press("Confirm")
    state("ended")
    look("other")
    assert page.evaluate(ICONS) == 1
