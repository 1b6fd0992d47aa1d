"""Whoever uses no mouse, and whoever listens: where the focus is, and what is said."""

import json

import pytest
from playwright.sync_api import expect

from django_magiclink.models import Approval

from ..conftest import NUMBER
from ..servers import until

pytestmark = [pytest.mark.needs("chromium"), pytest.mark.django_db(transaction=True)]

#: What has the focus: its name, whether its ring shows, and whether all of it does.
FOCUS = """() => {
    const each = document.activeElement;
    const { outlineStyle, outlineWidth } = getComputedStyle(each);
    const { left, right, top, bottom } = each.getBoundingClientRect();
    const over = document.elementFromPoint((left + right) / 2, (top + bottom) / 2);
    return {
        name: (each.labels?.[0] ?? each).innerText.trim().replace(/:$/, ""),
        tag: each.localName,
        ring: outlineStyle !== "none" && parseFloat(outlineWidth) >= 2,
        bare: each.contains(over) || over?.contains(each) === true,
        ours: Boolean(each.closest(".magiclink-card")),
    };
}"""
#: Notes what a screen reader says of the card: its live region, whenever it changes.
LISTEN = """() => {
    const card = document.querySelector("[data-magiclink-card]");
    const region = card.querySelector("[role=status]");
    window.said = [];
    const say = () => window.said.push(region.innerText.replace(/\\s+/g, " ").trim());
    const all = { subtree: true, childList: true, characterData: true };
    new MutationObserver(say).observe(region, all);
}"""


@pytest.fixture
def bank(chrome, demo):
    """The page of a customer who has logged in without a mouse."""
    context = chrome.new_context()
    page = context.new_page()
    page.goto(demo.site)
    page.keyboard.type("anna")
    page.keyboard.press("Tab")
    page.keyboard.type(demo.password)
    page.keyboard.press("Enter")
    expect(page).to_have_url(demo.site)
    yield page
    context.close()


def tab_to(page, name):
    """Press Tab until this has the focus, and return the names on the way."""
    names = []
    while name not in names:
        page.keyboard.press("Tab")
        here = page.evaluate(FOCUS)
        assert len(names) < 40, names
        names.append(here["name"])
        assert here["ring"] or not here["ours"], here
        assert here["bare"] or not here["ours"], here
    return names


def focused(page):
    return page.evaluate(FOCUS)["name"]


def answer(phone, demo, value):
    phone.goto(demo.phone)
    phone.locator(f"button[name=answer][value={value}]").first.click()


def fill_in(bank, payee):
    tab_to(bank, "Transfer")
    bank.keyboard.press("Enter")
    expect(bank.get_by_role("heading", level=1)).to_have_text("Transfer")
    for label, text in [
        ("Payee", payee),
        ("Amount in SEK", "7.25"),
        ("Reference", "Rent"),
    ]:
        tab_to(bank, label)
        bank.keyboard.type(text)
    tab_to(bank, "Pay")
    bank.keyboard.press("Enter")
    expect(bank.get_by_role("status")).to_contain_text("Answer on your phone")


def test_a_transfer_without_a_mouse(bank, phone, demo):
    fill_in(bank, "By keyboard")

    order = tab_to(bank, "Cancel")
    bank.keyboard.press("Shift+Tab")
    bank.keyboard.press("Space")
    answer(phone, demo, "accept")

    assert order == ["Check again", "Cancel"]
    expect(bank).to_have_url(demo.site)
    expect(bank.get_by_role("status")).to_contain_text("Paid: 7.25 SEK to By keyboard")


def test_the_focus_stays_when_what_had_it_goes(bank, phone, demo):
    fill_in(bank, "Declined")

    tab_to(bank, "Check again")
    answer(phone, demo, "reject")
    expect(bank.get_by_role("status")).to_contain_text("You declined")
    heading = bank.evaluate(FOCUS)

    assert heading["tag"] == "h1"
    assert heading["ring"]
    assert tab_to(bank, "That was not me") == [
        "Ask again",
        "Back to your form",
        "That was not me",
    ]
    tab_to(bank, "Back to your form")
    bank.keyboard.press("Enter")
    expect(bank.locator("[name=payee]")).to_have_value("Declined")


@pytest.fixture
def host(visit, come, user, page):
    """A page of a host whose script asks in a dialog, as its button is pressed."""
    come(user)
    visit("/page/fetch/")
    body = json.dumps({"amount": 10})
    requests = [["/pay/", {"method": "POST", "body": body}]]
    page.evaluate("(requests) => { window.sent = requests }", requests)
    assert tab_to(page, "Send") == ["Send"]
    page.keyboard.press("Enter")
    dialog = page.get_by_role("dialog")
    expect(dialog).to_have_accessible_name("Approve with your phone")
    expect(dialog).to_contain_text("Answer on your phone")
    return page


def test_a_dialog_keeps_the_focus_and_gives_it_back(host, sandbox):
    inside = """() => {
        const { activeElement, body } = document;
        return activeElement === body || Boolean(activeElement.closest("dialog"));
    }"""
    assert host.evaluate(inside)
    for _ in range(8):
        host.keyboard.press("Tab")
        # Between the last and the first it is the browser that has it.
        assert host.evaluate(inside)

    host.keyboard.press("Escape")

    expect(host.get_by_role("dialog")).to_have_count(0)
    assert focused(host) == "Send"
    until(lambda: Approval.objects.get().status == "cancelled")


def test_a_dialog_that_is_closed_gives_the_focus_back(host, sandbox):
    sandbox.reject(NUMBER)
    expect(host.get_by_role("dialog")).to_contain_text("You declined")

    tab_to(host, "Close")
    host.keyboard.press("Space")

    expect(host.get_by_role("dialog")).to_have_count(0)
    assert focused(host) == "Send"


def test_a_wrong_code_by_keyboard_is_said(visit, come, user, page, state, sandbox):
    come(user)
    visit("/typed/")
    tab_to(page, "Ask my phone")
    page.keyboard.press("Enter")
    state("waiting")
    page.evaluate(LISTEN)
    sandbox.wait_for_calls(1)
    sandbox.accept(NUMBER)
    state("confirming")
    assert focused(page) == "Code"
    right = int(Approval.objects.get().code)

    page.keyboard.type(str((right + 1) % 90 + 10))
    page.keyboard.press("Enter")

    state("ended")
    assert page.evaluate(FOCUS)["tag"] == "h1"
    assert said(page)[-2:] == [
        "Type the code that your phone shows.",
        "That was not the code, so nothing was carried out. Ask again.",
    ]


def said(page):
    return page.evaluate("window.said")


@pytest.mark.parametrize(
    ("answered", "last"),
    [
        ("accept", "Approved."),
        ("reject", "You declined. Nothing was carried out."),
    ],
)
def test_each_state_is_said_once_and_the_clock_is_not(
    visit, come, user, page, state, sandbox, answered, last
):
    come(user)
    visit("/payroll/")
    page.evaluate(LISTEN)
    # The page would otherwise go on at once; 204 leaves it where it is.
    page.route("**/payroll/", lambda route: route.fulfill(status=204))
    page.get_by_role("button", name="Ask my phone").click()
    state("waiting")
    clock = page.get_by_role("timer")
    before = clock.inner_text()
    expect(clock).not_to_have_text(before)
    sandbox.wait_for_calls(1)
    expect(page.get_by_role("status")).to_contain_text("Answer on your phone")
    code = f"Your phone must show the same code: {Approval.objects.get().code}"

    getattr(sandbox, answered)(NUMBER)
    state({"accept": "accepted", "reject": "ended"}[answered])

    asked, rings = f"{code} Your phone is being asked.", f"{code} Answer on your phone."
    assert said(page) in ([asked, rings, last], [rings, last])
    assert page.get_by_role("status").count() == 1
