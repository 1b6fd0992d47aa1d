"""A person in Chromium who opens each page of the example bank and uses it."""

import re

import pytest
from playwright.sync_api import expect

pytestmark = pytest.mark.needs("chromium")

ADMINS_PHONE = "+46701740606"
BOS_PHONE = "+46701740607"
SAVINGS = "5521-118410"
PAGES = [
    "",
    "transfer/",
    "invoices/",
    "payment-file/",
    "orders/",
    "cards/",
    "cards/4021/limit/",
    "cards/lost/",
    "contact/",
    "phone/",
    "statement/",
    "payroll/",
    "accounts/1/close/",
]


class Visit:
    """Somebody at the bank, with the page before them and the phone in hand."""

    def __init__(self, demo, chrome, name, phone, **options):
        self.demo = demo
        self.context = chrome.new_context(**options)
        self.page = self.context.new_page()
        self.phone = chrome.new_context().new_page()
        self.phone_url = phone
        self.wrong = []
        self.page.on("pageerror", lambda error: self.wrong.append(str(error)))
        self.page.on("console", self._hear)
        self.page.goto(demo.site)
        self.page.fill("[name=username]", name)
        self.page.fill("[name=password]", demo.password)
        self.page.click("main button")
        expect(self.page).to_have_url(demo.site)

    def _hear(self, message):
        # What the policy forbids is told there, and nowhere else.
        if "Content Security Policy" in message.text:
            self.wrong.append(message.text)

    def open(self, path):
        self.page.goto(self.demo.site + path)

    def press(self, name):
        self.page.get_by_role("button", name=name).click()

    def answer(self, value):
        """Wait until the phone is asked, answer on it, and return what it showed."""
        expect(self.page.locator("[data-code]")).to_have_text(re.compile(r"\d\d"))
        self.phone.goto(self.phone_url)
        button = self.phone.locator(f"button[name=answer][value={value}]").first
        # It may ring only a moment later.
        button.wait_for()
        shown = self.phone.inner_text("main")
        button.click()
        return shown

    def close_dialog(self):
        expect(self.page.get_by_role("dialog")).to_contain_text("You declined")
        self.page.get_by_role("dialog").get_by_role("button", name="Close").click()
        expect(self.page.get_by_role("dialog")).to_have_count(0)

    def leave(self):
        # What a test leaves ringing would keep the phone from being asked in the next.
        while (
            self.phone.goto(self.phone_url)
            and self.phone.locator("[value=reject]").count()
        ):
            self.phone.locator("[value=reject]").first.click()
        self.phone.context.close()
        self.context.close()
        assert self.wrong == []


@pytest.fixture
def anna(demo, chrome):
    anna = Visit(demo, chrome, "anna", demo.phone)
    yield anna
    anna.leave()


@pytest.fixture
def admin(demo, chrome):
    admin = Visit(demo, chrome, "admin", demo.phone_of(ADMINS_PHONE))
    yield admin
    admin.leave()


@pytest.fixture
def bo(demo, chrome):
    bo = Visit(demo, chrome, "bo", demo.phone_of(BOS_PHONE))
    yield bo
    bo.leave()


def balance(visit, number):
    """Return what is on an account, without leaving the page."""
    overview = visit.page.request.get(visit.demo.site).text()
    return re.search(rf"{number}</h2>\s*<p[^>]*>([\d,.]+)", overview)[1]


def stay(page):
    """Mark the page, so that a reload is noticed."""
    # A button that is pressed before the scripts are there sends its form itself.
    page.wait_for_load_state()
    page.evaluate("window.stayed = true")
    return lambda: page.evaluate("window.stayed === true")


def test_the_cards_open_after_an_accept(anna):
    anna.page.click("nav >> text=Cards")
    shown = anna.answer("accept")

    expect(anna.page.locator("h1")).to_have_text("Cards")
    expect(anna.page.locator("article").first).to_contain_text("7306")
    assert "Show your cards and their PINs" in shown


def test_the_cards_stay_closed_after_a_decline(anna):
    anna.page.click("nav >> text=Cards")
    anna.answer("reject")

    expect(anna.page.get_by_role("status")).to_contain_text("You declined")
    assert "7306" not in anna.page.content()


def test_a_limit_that_was_declined_is_kept_in_the_form(anna):
    anna.open("cards/8850/limit/")
    anna.page.fill("[name=limit]", "6100")
    anna.press("Change the limit")
    shown = anna.answer("reject")
    anna.page.get_by_text("Back to your form").click()

    expect(anna.page.locator("[name=limit]")).to_have_value("6100")
    assert "Let card 8850 pay 6100 SEK a day" in shown
    anna.page.reload()
    expect(anna.page.locator("[name=limit]")).to_have_value("5000")

    anna.page.fill("[name=limit]", "6200")
    anna.press("Change the limit")
    anna.answer("accept")

    message = "Card 8850 now pays 6200 SEK a day."
    expect(anna.page.locator(".messages")).to_have_text(message)


def test_a_first_phone_is_asked_whether_it_is_ones_own(bo):
    bo.page.click("nav >> text=Phone")
    bo.page.fill("[name=number]", BOS_PHONE)
    bo.press("Use this phone")
    shown = bo.answer("accept")

    message = "From now on we ask this phone."
    expect(bo.page.locator(".messages")).to_have_text(message)
    assert "Approve as bo with this phone from now on." in shown
    bo.page.click("nav >> text=Payroll")
    bo.answer("accept")
    expect(bo.page.locator("h1")).to_have_text("Payroll")


def test_contact_details_are_kept_in_the_form_until_they_are_approved(anna):
    anna.page.click("nav >> text=Contact")
    typed = {"email": "anna@example.org", "street": "7 Pier", "city": "Åbo"}
    for name, value in typed.items():
        anna.page.fill(f"[name={name}]", value)
    anna.press("Save")
    shown = anna.answer("reject")
    anna.page.get_by_text("Back to your form").click()

    for name, value in typed.items():
        expect(anna.page.locator(f"[name={name}]")).to_have_value(value)
    assert "Let the bank write to anna@example.org" in shown

    anna.page.fill("[name=email]", "anna@example.net")
    anna.press("Save")
    anna.answer("accept")

    expect(anna.page.locator(".messages")).to_contain_text("are changed")
    expect(anna.page.locator("[name=street]")).to_have_value("7 Pier")


def test_a_standing_order_is_stopped_without_a_reload(anna):
    anna.page.click("nav >> text=Orders")
    stayed = stay(anna.page)
    row = anna.page.locator("li", has_text="Quay Housing")

    anna.press("Stop paying Quay Housing")
    anna.answer("reject")
    anna.close_dialog()
    expect(anna.page.locator("[data-status]")).to_have_text(
        "Quay Housing is still paid."
    )
    expect(row).to_have_count(1)

    anna.press("Stop paying Quay Housing")
    anna.press("Ask again")
    shown = anna.answer("accept")

    expect(row).to_have_count(0)
    expect(anna.page.locator("[data-status]")).to_have_text("Quay Housing is stopped.")
    assert "Stop paying 9850.00 SEK a month to Quay Housing" in shown
    assert stayed()
    anna.page.reload()
    expect(row).to_have_count(0)
    expect(anna.page.locator("main li")).not_to_have_count(0)


def choose(anna, content):
    anna.open("payment-file/")
    anna.page.select_option("[name=account]", label=SAVINGS)
    file = {"name": "may.csv", "mimeType": "text/csv", "buffer": content.encode()}
    anna.page.set_input_files("[name=file]", file)
    anna.press("Pay all of it")


def test_a_payment_file_is_still_chosen_after_a_decline_and_then_paid(anna):
    before = balance(anna, SAVINGS)
    choose(anna, "Boatyard,120.50,Mast\nRope,7,\n")
    shown = anna.answer("reject")
    anna.close_dialog()

    chosen = "document.querySelector('[name=file]').files[0].name"
    assert "Pay 127.50 SEK in 2 payments, as listed in may.csv" in shown
    assert anna.page.evaluate(chosen) == "may.csv"
    assert balance(anna, SAVINGS) == before

    anna.press("Pay all of it")
    anna.press("Ask again")
    anna.answer("accept")

    expect(anna.page).to_have_url(anna.demo.site)
    expect(anna.page.locator(".messages")).to_have_text("Paid: 127.50 SEK as listed.")
    assert balance(anna, SAVINGS) != before


def test_a_payment_file_with_a_mistake_rings_no_phone(anna):
    choose(anna, "Boatyard,12O.50\n")

    expect(anna.page.locator(".errorlist")).to_have_text("Line 1 is not a payment.")
    assert anna.phone.goto(anna.phone_url).ok
    assert anna.phone.locator("button[value=accept]").count() == 0

    # The page that came in its place works as it did.
    file = {"name": "may.csv", "mimeType": "text/csv", "buffer": b"Quay,3\n"}
    anna.page.set_input_files("[name=file]", file)
    anna.press("Pay all of it")
    anna.answer("accept")
    expect(anna.page.locator(".messages")).to_have_text("Paid: 3.00 SEK as listed.")


def test_an_invoice_is_paid_without_a_reload(anna):
    anna.page.click("nav >> text=Invoices")
    stayed = stay(anna.page)
    row = anna.page.locator("li", has_text="Boatyard & Sons")

    anna.press("Pay Boatyard & Sons")
    anna.answer("reject")
    anna.close_dialog()
    expect(row.get_by_role("button")).to_have_count(1)

    anna.press("Pay Boatyard & Sons")
    anna.press("Ask again")
    shown = anna.answer("accept")

    expect(row.get_by_role("status")).to_have_text("Paid")
    expect(anna.page.locator("main li")).to_have_count(4)
    assert "Pay 6420.50 SEK to Boatyard & Sons" in shown
    assert stayed()


def test_an_action_of_the_admin_runs_after_an_accept(admin):
    admin.open("admin/example_project/account/")
    row = admin.page.locator("tr", has_text="5521-220913")
    row.locator("input").check()
    admin.page.select_option("[name=action]", "pay_interest")
    admin.page.click(".actions button")
    admin.answer("reject")
    admin.page.get_by_text("Back to your form").click()
    expect(row).to_contain_text("3200.00")
    expect(row.locator("input")).to_be_checked()

    admin.page.click(".actions button")
    admin.press("Ask again")
    shown = admin.answer("accept")

    expect(admin.page.locator(".messagelist")).to_have_text("The interest is paid.")
    expect(row).to_contain_text("3232.00")
    assert "Pay one percent on 1 accounts: 5521-220913" in shown


def test_accounts_are_deleted_in_the_admin_after_an_accept(admin):
    admin.open("admin/example_project/account/")
    row = admin.page.locator("tr", has_text="5521-220921")
    row.locator("input").check()
    admin.page.select_option("[name=action]", "delete_selected")
    admin.page.click(".actions button")
    admin.press("Yes, I’m sure")
    shown = admin.answer("accept")

    expect(admin.page.locator(".messagelist")).to_contain_text("deleted 1 account")
    expect(row).to_have_count(0)
    assert "Delete 1 accounts: 5521-220921" in shown


def test_the_vault_opens_after_an_accept(admin):
    admin.page.click("nav >> text=Vault")
    admin.answer("accept")
    expect(admin.page.locator("#site-name")).to_have_text("The vault of Harbour Bank")

    admin.page.click("text=Cards")

    expect(admin.page.locator("#result_list")).to_contain_text("7306")


@pytest.mark.parametrize("width", [320, 360, 1280])
def test_no_page_is_wider_than_the_screen(demo, chrome, width):
    screen = {"width": width, "height": 800}
    anna = Visit(demo, chrome, "anna", demo.phone, viewport=screen)
    wider = "document.documentElement.scrollWidth > innerWidth"

    found = [path for path in PAGES if anna.open(path) or anna.page.evaluate(wider)]

    anna.leave()
    assert found == []
