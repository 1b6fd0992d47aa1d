"""The second step of a login in Chromium, at the example bank."""

import re

import pytest
from playwright.sync_api import expect

from .demo import Demo

pytestmark = pytest.mark.needs("chromium")


@pytest.fixture(scope="module")
def demo(tmp_path_factory):
    with Demo(tmp_path_factory.mktemp("demo"), SECOND_FACTOR="on") as demo:
        yield demo


@pytest.fixture(params=[True, False], ids=["script", "no script"])
def page(request, chrome):
    context = chrome.new_context(java_script_enabled=request.param)
    page = context.new_page()
    page.script = request.param
    yield page
    context.close()


def log_in(page, name, demo):
    page.fill("[name=username]", name)
    page.fill("[name=password]", demo.password)
    page.click("main button")


@pytest.mark.covers("R24", "A10")
def test_a_login_in_two_steps_from_one_account_to_another(page, demo, chrome):
    page.goto(f"{demo.site}invoices/")
    log_in(page, "bo", demo)
    expect(page.get_by_role("heading")).to_have_text("There is no phone to ask.")
    page.get_by_role("button", name="Use another account").click()
    log_in(page, "anna", demo)
    expect(page.get_by_role("heading", level=1)).to_have_text(
        "Step 2 of 2: confirm with your phone"
    )
    if not page.script:
        page.get_by_role("button", name="Ask my phone").click()
    expect(page.get_by_role("status")).to_contain_text("Answer on your phone")
    expect(page.get_by_text("You are logging in as anna.")).to_be_visible()

    phone = chrome.new_page()
    phone.goto(demo.phone)
    expect(phone.locator("body")).to_contain_text("Confirm your login.")
    phone.locator("[value=accept]").first.click()
    phone.close()

    # Without a script the page looks again every three seconds.
    expect(page.get_by_role("heading", level=1)).to_have_text("Invoices")
    assert page.url == f"{demo.site}invoices/"


@pytest.fixture
def without_app(chrome, demo):
    """The page of a phone that gets links by SMS."""
    phone = chrome.new_page()

    def set_up(app):
        phone.goto(demo.phone)
        phone.get_by_text("Set up this phone").click()
        phone.get_by_label("Mideye+ is activated").set_checked(app)
        phone.get_by_role("button", name="Save").click()

    set_up(app=False)
    yield phone
    set_up(app=True)
    phone.close()


@pytest.mark.covers("R24")
def test_a_customer_without_the_app_types_no_code_and_taps_once(
    chrome, demo, without_app
):
    context = chrome.new_context(viewport={"width": 360, "height": 640})
    page = context.new_page()
    page.goto(f"{demo.site}invoices/")
    log_in(page, "anna", demo)
    expect(page.locator("[data-code]")).to_have_text(re.compile(r"\d\d"))

    without_app.goto(demo.phone)
    without_app.locator("[id^=link-]").click()
    without_app.locator("[value=accept]").click()

    heading = page.get_by_role("heading", level=1)
    expect(heading).to_have_text("Invoices")
    for path in ("payment-file/", "orders/", ""):
        page.goto(demo.site + path)
        expect(heading).not_to_contain_text("Step 2")
    without_app.goto(demo.phone)
    expect(without_app.locator("[id^=link-]")).to_have_count(0)
    context.close()
