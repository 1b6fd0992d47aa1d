"""The whole way in a browser, where what was typed waits for the phone."""

import pytest

from django_magiclink.testing import answer_phone

from .conftest import PASSWORD


@pytest.fixture
def form(anna, page):
    """The form of a transfer, filled in."""
    page.goto("/login/?next=/transfer/")
    page.get_by_label("Username").fill("anna")
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Log in").click()
    page.get_by_label("Payee").fill("Boatyard")
    page.get_by_label("Amount").fill("250.5")
    return page


def test_a_transfer_is_booked_once_the_phone_accepts(phone, form):
    form.get_by_role("button", name="Pay").click()
    shown = answer_phone(form, phone.url)

    form.get_by_text("Paid: 250.50 SEK to Boatyard.").wait_for()
    assert "Pay 250.50 SEK to Boatyard" in shown


def test_a_transfer_that_is_declined_comes_back_as_it_was(phone, form):
    form.get_by_role("button", name="Pay").click()
    answer_phone(form, phone.url, "reject")

    form.get_by_text("You declined. Nothing was carried out.").wait_for()
    form.get_by_role("link", name="Back to your form").click()
    assert form.get_by_label("Payee").input_value() == "Boatyard"
