"""A person in Chromium who logs in at the bank with nothing but their phone."""

import re
import sqlite3
from contextlib import closing

import pytest
from playwright.sync_api import expect

from .servers import until

pytestmark = pytest.mark.needs("chromium")

ANNA = "+46 70 174 06 05"
NOBODY = "+46 70 174 06 99"


def opened(chrome, demo, **options):
    """Return the page that asks for a number, in a browser of its own."""
    page = chrome.new_context(**options).new_page()
    page.wrong, page.said = [], []
    page.on("pageerror", lambda error: page.wrong.append(str(error)))
    # What the policy forbids is told there, and nowhere else.
    page.on("console", lambda message: page.said.append(message.text))
    page.goto(f"{demo.site}transfer/")
    page.click("text=Log in with your phone instead")
    return page


@pytest.fixture(params=[True, False], ids=["script", "no script"])
def page(request, chrome, demo):
    page = opened(chrome, demo, java_script_enabled=request.param)
    yield page
    page.context.close()
    assert page.wrong == []
    assert not [said for said in page.said if "Content Security Policy" in said]


def ask(page, name):
    page.get_by_label("Phone number or user name").fill(name)
    page.get_by_role("button", name="Ask my phone").click()
    expect(page.get_by_label("Code:")).to_be_visible()


def answer(phone, demo, value):
    """Answer on the phone, and return what it showed."""
    phone.goto(demo.phone)
    button = phone.locator(f"button[name=answer][value={value}]").first
    button.wait_for()
    shown = phone.inner_text("main")
    button.click()
    return shown


def newest(demo):
    """Return how the latest approval stands in the demo's database."""
    with closing(sqlite3.connect(demo.database)) as database:
        rows = "FROM django_magiclink_approval ORDER BY created DESC"
        return database.execute(f"SELECT status {rows}").fetchone()[0]


def seen(page):
    """Return what a person reads on the page, but the seconds that are left."""
    return re.sub(r"\d+ s", "", page.inner_text("main"))


@pytest.mark.parametrize("name", [ANNA, "anna"])
def test_a_person_logs_in_with_the_code_on_the_phone(page, phone, demo, name):
    ask(page, name)
    shown = answer(phone, demo, "accept")
    # No page says so before the code is right.
    until(lambda: newest(demo) == "confirming")
    page.get_by_label("Code:").fill(re.search(r"Code: (\d\d)", shown)[1])
    page.get_by_role("button", name="Confirm").click()

    expect(page).to_have_url(f"{demo.site}transfer/")
    expect(page.locator("header")).to_contain_text("anna")
    assert "Log in as anna." in shown


def test_an_unknown_number_looks_like_one_that_declines(page, phone, demo, chrome):
    other = opened(chrome, demo, java_script_enabled=True)

    ask(page, "anna")
    answer(phone, demo, "reject")
    ask(other, NOBODY)
    for one in (page, other):
        one.get_by_label("Code:").fill("12")
        one.get_by_role("button", name="Confirm").click()
        expect(one.get_by_label("Code:")).to_have_value("")

    assert seen(page) == seen(other)
    expect(page.get_by_role("status")).to_contain_text("type the code it shows")
    other.context.close()


def test_whoever_gives_up_comes_back_to_the_form(page, demo):
    ask(page, NOBODY)
    page.get_by_role("button", name="Cancel").click()
    form = page.get_by_label("Phone number or user name")
    # With a script the same page says what is to be done on the phone.
    again = page.get_by_role("link", name="Start again")
    expect(form.or_(again)).to_be_visible()
    if again.is_visible():
        expect(page.get_by_role("status")).to_contain_text("You cancelled")
        again.click()

    expect(form).to_be_visible()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_pages_fit_a_small_screen_and_a_keyboard(chrome, demo, scheme):
    size = {"width": 320, "height": 640}
    page = opened(chrome, demo, viewport=size, color_scheme=scheme)
    wide = "document.documentElement.scrollWidth"

    first = page.evaluate(wide)
    expect(page.get_by_label("Phone number or user name")).to_be_focused()
    page.keyboard.type(NOBODY)
    page.keyboard.press("Enter")
    expect(page.get_by_label("Code:")).to_be_visible()

    assert (first, page.evaluate(wide)) == (320, 320)
    page.context.close()
