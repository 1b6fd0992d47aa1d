"""What the guards of the bank's views let pass, and what the phone shows for it."""

from decimal import Decimal

from django.core.files.uploadedfile import SimpleUploadedFile

from django_magiclink.testing import approving, rejecting
from example_project.models import Account, Transfer

PAYMENT = {"payee": "Boatyard", "amount": "250.5", "reference": "Mast"}


# A page that stays open for a while.


def test_the_payroll_opens_after_an_approval(client):
    with approving("payroll") as questions:
        page = client.get("/payroll/")

    assert "Harbour master" in page.content.decode()
    assert questions[0].text == "Show the payroll"
    assert questions[0].max_age == 60


def test_the_payroll_stays_closed_without_one(client):
    page = client.get("/payroll/")

    assert page.status_code == 401
    assert "Harbour master" not in page.content.decode()


def test_the_statement_opens_as_well_though_it_is_async(client, approve_all):
    page = client.get("/statement/")

    assert page.status_code == 200


# An action that is asked for within its view.


def test_a_transfer_is_booked_as_the_phone_showed_it(client, approve_all):
    client.post("/transfer/", PAYMENT)

    [question] = approve_all
    assert question.text == "Pay 250.50 SEK to Boatyard"
    assert question.params["reference"] == "Mast"
    assert Transfer.objects.get().amount == Decimal("250.50")


def test_each_transfer_wants_an_approval_of_its_own(client, approve_all):
    client.post("/transfer/", PAYMENT)
    client.post("/transfer/", PAYMENT)

    assert [question.max_age for question in approve_all] == [0, 0]


def test_a_typo_rings_no_phone(client, approve_all):
    client.post("/transfer/", PAYMENT | {"amount": "2S0"})

    assert approve_all == []


def test_a_transfer_that_is_declined_is_not_booked(client, reject_all):
    page = client.post("/transfer/", PAYMENT, headers={"Accept": "text/html"})

    assert "You declined. Nothing was carried out." in page.content.decode()
    assert [question.scope for question in reject_all] == ["transfer"]
    assert not Transfer.objects.exists()


def test_a_payment_file_is_one_question(client, anna, approve_all):
    file = SimpleUploadedFile("payments.csv", b"Sail,12.50,Mast\nRope,7\n")

    client.post("/payment-file/", {"account": anna.accounts.first().pk, "file": file})

    [question] = approve_all
    assert question.text == "Pay 19.50 SEK in 2 payments, as listed in payments.csv"


# An address that says what it is about.


def test_an_account_is_closed_after_its_approval(client, anna, approve_all):
    account = anna.accounts.first()

    client.post(f"/accounts/{account.pk}/close/")

    assert approve_all[0].params == {
        "number": account.number,
        "balance": account.balance,
    }
    assert not Account.objects.filter(pk=account.pk).exists()


# A rule of the settings, and a view that it leaves alone.


def test_a_rule_guards_the_cards(client):
    refused = client.get("/cards/")
    with approving("cards"):
        page = client.get("/cards/")

    assert refused.status_code == 401
    assert "7306" in page.content.decode()


def test_who_lost_a_card_is_asked_nothing(client, approve_all):
    assert client.get("/cards/lost/").status_code == 200
    assert approve_all == []


# A class-based view, and an htmx request.


def test_contact_details_change_for_the_address_that_was_approved(client, approve_all):
    fields = {"email": "anna@example.org", "street": "2 Quay", "city": "Visby"}

    client.post("/contact/", fields)

    [question] = approve_all
    assert question.text == "Let the bank write to anna@example.org"


def test_htmx_gets_the_row_of_the_invoice_that_is_paid(client, anna):
    invoice = anna.accounts.get(number="5521-118410").invoices.first()
    url, htmx = f"/invoices/{invoice.pk}/pay/", {"HX-Request": "true"}

    with rejecting("invoice"):
        refused = client.post(url, headers=htmx)
    with approving("invoice"):
        row = client.post(url, headers=htmx)

    assert refused.status_code == 401
    assert row.content.decode().startswith("<li>")
