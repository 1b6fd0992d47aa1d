"""Whoever uses no mouse, and whoever listens: where the focus is, and what is said."""

import re

import pytest
from playwright.sync_api import expect

from django_magiclink.models import Approval

from ..conftest import NUMBER

pytestmark = pytest.mark.needs("chromium")

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
    const say = () => {
        const words = region.innerText.replace(/\\s+/g, " ").trim();
        if (words !== window.said.at(-1)) window.said.push(words);
        else window.said.push(`again: ${words}`);
    };
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
    for label, text in [("Payee", payee), ("Amount", "7.25"), ("Reference", "Rent")]:
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
    expect(bank).to_have_url(demo.site, timeout=15_000)
    expect(bank.get_by_role("status")).to_contain_text("Paid: 7.25 SEK to By keyboard")


def test_the_focus_stays_when_what_had_it_goes(bank, phone, demo):
    fill_in(bank, "Declined")

    tab_to(bank, "Check again")
    answer(phone, demo, "reject")
    expect(bank.get_by_role("status")).to_contain_text("You declined", timeout=15_000)
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
