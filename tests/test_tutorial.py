"""docs/tutorial.md, done to the letter by a newcomer with the wheel and a browser."""

import re

import pytest
from playwright.sync_api import Error, expect

from .brokers import free_port
from .newcomers import Newcomer
from .pages import ROOT, parts_of

TUTORIAL = (ROOT / "docs/tutorial.md").read_text()
#: Milliseconds for a page, on a machine that has much else to do.
PATIENCE = 60_000
#: Of a person: words read in a minute, seconds to copy a block and to press a button.
READ, COPY, PRESS = 200, 20, 10


def test_a_person_needs_less_than_ten_minutes():
    prose = re.sub(r"^```.*?^```", "", TUTORIAL, flags=re.MULTILINE | re.DOTALL)
    # Addresses are clicked rather than read.
    words = len(re.sub(r"<http\S+>|\]\(\S+\)", "", prose).split())
    blocks = sum(len(blocks) for blocks in parts_of(TUTORIAL).values())
    # What stands in italics is looked for or pressed, and each address is opened.
    moves = len(re.findall(r"(?<!\*)\*[^*\n]+\*(?!\*)|<http", prose))

    minutes = words / READ + blocks * COPY / 60 + moves * PRESS / 60

    assert 3 < minutes < 10


@pytest.fixture
def page(chrome):
    context = chrome.new_context()
    page = context.new_page()
    page.set_default_timeout(PATIENCE)
    yield page
    context.close()


class Reader(Newcomer):
    """Who follows the tutorial, on ports that are free here."""

    def __init__(self, folder, wheel):
        super().__init__(folder, wheel)
        text = TUTORIAL
        for port in ("8765", "8000"):
            text = text.replace(port, str(free_port()))
        self.parts = parts_of(text)
        self.addresses = re.findall(r"<(http:\S+)>", text)

    def do(self, heading):
        """Do what a part of the page says, and count it as done."""
        self.follow(self.parts.pop(heading))


@pytest.mark.slow
@pytest.mark.needs("chromium")
def test_the_tutorial_leads_where_it_says(wheel, tmp_path, page):
    with Reader(tmp_path, wheel) as reader:
        phone_at, add_at, payroll_at, transfer_at = reader.addresses
        reader.do("A project")
        reader.do("A page behind a tap")
        reader.do("Two servers and a phone")
        reader.wait_for(lambda: is_there(page, phone_at) and is_there(page, add_at))
        phone = page.context.new_page()
        phone.goto(phone_at)
        enter_phone(page, add_at)

        approve_payroll(page, phone, payroll_at)
        assert reader.parts.pop("The first approval") == []

        reader.do("A payment")
        # The server starts anew at each change, and may be away for a moment.
        reader.wait_for(lambda: is_there(page, transfer_at))
        pay(page, phone, transfer_at)

        [listing] = reader.parts.pop("What is guarded")
        listed = reader.run(listing.text)

    assert re.search(r"^payroll/ .*payroll", listed, re.MULTILINE)
    assert reader.parts == {"Where to go on": []}


def is_there(page, address):
    try:
        return page.request.get(address).ok
    except Error:
        return False


def enter_phone(page, address):
    page.goto(address)
    page.get_by_label("Username").fill("anna")
    page.get_by_label("Password").fill("correct horse battery")
    page.get_by_role("button", name="Log in").click()
    page.get_by_label("User:").fill("1")
    page.get_by_label("Number:").fill("+46701234567")
    page.get_by_role("link", name="Today").click()
    page.get_by_role("link", name="Now").click()
    page.get_by_label("Reason:").fill("Known to be hers")
    page.get_by_role("button", name="Save", exact=True).click()
    expect(page.locator(".success")).to_contain_text("was added successfully")


def approve_payroll(page, phone, address):
    page.goto(address)
    expect(page.locator("main")).to_contain_text("Show the payroll")
    page.get_by_role("button", name="Ask my phone").click()
    expect(page.locator("[data-code]")).to_have_text(re.compile(r"\d\d"))
    code = page.inner_text("[data-code]")
    # The tab of the phone is looked at, not opened again.
    expect(phone.locator("main")).to_contain_text(re.compile(rf"\b{code}\b"))
    phone.get_by_role("button", name="Accept").click()
    expect(page.locator("body")).to_have_text("The payroll")
    page.reload()
    expect(page.locator("body")).to_have_text("The payroll")


def pay(page, phone, address):
    page.goto(address)
    fill_in(page)
    expect(phone.locator("main")).to_contain_text("Pay 250 SEK to Boatyard")
    phone.get_by_role("button", name="Accept").click()
    expect(page.locator("body")).to_have_text("Paid: 250 SEK")

    page.goto(address)
    fill_in(page)
    expect(page.get_by_role("status")).to_contain_text("This was carried out at")
    page.get_by_role("button", name=re.compile("Ask (my phone|again)")).click()
    phone.get_by_role("button", name="Reject").click()
    expect(page.get_by_role("status")).to_contain_text("You declined")
    page.get_by_text("Back to your form").click()
    expect(page.get_by_label("Payee")).to_have_value("Boatyard")


def fill_in(page):
    page.get_by_label("Payee").fill("Boatyard")
    page.get_by_label("Amount").fill("250")
    page.get_by_role("button", name="Pay").click()
