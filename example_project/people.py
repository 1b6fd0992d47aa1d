"""Who is at the bank in the demo: phones, money, and what is to be paid."""

from decimal import Decimal

from django.contrib.auth import get_user_model
from django.contrib.auth.hashers import make_password
from django.utils import timezone

from django_magiclink.models import PhoneNumber

from .models import Account, Card, Contact, Invoice, StandingOrder

PHONE = "+46701740605"
#: Who there is: the phone, if any, whether staff, and the accounts.
PEOPLE = {
    "anna": (PHONE, False, {"5521-118402": "24350.75", "5521-118410": "118000"}),
    "bo": ("", False, {"5521-220913": "3200", "5521-220921": "150"}),
    "admin": ("+46701740606", True, {"5521-000001": "1000"}),
}
#: The last digits of the cards, and their PINs.
CARDS = {"5521-118402": {4021: "7306", 8850: "1948"}, "5521-220913": {3117: "5520"}}
#: Sender, number and amount of what is to be paid.
INVOICES = {
    "5521-118410": [
        ("Harbour Electric", "2026-3391", "1184.00"),
        ("Boatyard & Sons", "A-771", "6420.50"),
        ("Åsa’s Bakery", "518", "96.00"),
        ("Lighthouse Insurance", "88-104", "2310.00"),
    ]
}
#: Payee, amount and day of each month.
STANDING_ORDERS = {
    "5521-118402": [
        ("Nordic Timber AB", "4500.00", 1),
        ("Quay Housing", "9850.00", 25),
        ("Rowing Club", "320.00", 27),
        ("Sea Rescue Society", "150.00", 28),
    ]
}


def make_people(password):
    """Add who and what is missing, and give everybody this password."""
    # One hash for all: it is slow on purpose.
    hashed = make_password(password)
    for name, (number, is_staff, accounts) in PEOPLE.items():
        user, _created = get_user_model().objects.update_or_create(
            username=name,
            defaults={
                "password": hashed,
                "is_staff": is_staff,
                "is_superuser": is_staff,
                "is_active": True,
            },
        )
        if number:
            PhoneNumber.objects.update_or_create(
                user=user, defaults={"number": number, "verified_at": timezone.now()}
            )
        contact = {"email": f"{name}@example.com", "street": "1 Quay", "city": "Visby"}
        Contact.objects.get_or_create(user=user, defaults=contact)
        for account, balance in accounts.items():
            _make_account(user, account, Decimal(balance))


def _make_account(owner, number, balance):
    account, _created = Account.objects.get_or_create(
        number=number, defaults={"owner": owner, "balance": balance}
    )
    for card, pin in CARDS.get(number, {}).items():
        Card.objects.get_or_create(
            number=card, defaults={"account": account, "pin": pin}
        )
    for sender, invoice, amount in INVOICES.get(number, []):
        Invoice.objects.get_or_create(
            account=account,
            sender=sender,
            number=invoice,
            defaults={"amount": Decimal(amount)},
        )
    for payee, amount, day in STANDING_ORDERS.get(number, []):
        StandingOrder.objects.get_or_create(
            account=account, payee=payee, day=day, defaults={"amount": Decimal(amount)}
        )
