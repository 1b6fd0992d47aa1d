"""Our pages in somebody else's template and colours, as docs/howto/look.md has it."""

import pytest
from playwright.sync_api import expect

from docs.make_hosts import HOSTS, make, surroundings

from ..demo import Demo

pytestmark = [pytest.mark.processes, pytest.mark.needs("chromium", "npx")]


@pytest.fixture(scope="module")
def styles(tmp_path_factory):
    return make(tmp_path_factory.mktemp("styles"))


@pytest.fixture(params=HOSTS)
def host(request, styles, tmp_path):
    with Demo(tmp_path, **surroundings(request.param, styles)) as host:
        yield host


def test_a_page_in_a_host_goes_on_as_ever(host, page, look):
    page.goto(host.site)
    page.fill("[name=username]", "anna")
    page.fill("[name=password]", host.password)
    page.click("main button")
    for theme in ("dark", "light"):
        page.context.add_cookies([{"name": "theme", "value": theme, "url": host.site}])
        page.goto(f"{host.site}payroll/")
        look(theme)
    expect(page).to_have_title("Approve with your phone · Harbour Bank")
    assert page.locator("main").count() == 1
    page.get_by_role("button", name="Ask my phone").click()
    expect(page.get_by_role("status")).to_contain_text("Answer on your phone")

    phone = page.context.new_page()
    phone.goto(host.phone)
    phone.locator("button[value=reject]").first.click()
    expect(page.get_by_role("status")).to_contain_text("You declined")
    look("declined")
