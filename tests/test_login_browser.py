"""The second step of a login in Chromium, at the example bank."""

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
    expect(page.get_by_role("heading", level=1)).to_have_text(
        "Invoices", timeout=20_000
    )
    assert page.url == f"{demo.site}invoices/"
