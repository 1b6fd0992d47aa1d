"""What a customer may ask for."""

from decimal import Decimal

from django import forms
from django.core.exceptions import ValidationError
from django.db import transaction

from .models import Account, Transfer

NOT_COVERED = "There is not that much on the account."


class TransferForm(forms.ModelForm):
    """A payment from ``account``, which is ``None`` for users without any."""

    class Meta:
        model = Transfer
        fields = ["payee", "amount", "reference"]

    def __init__(self, *args, account, **kwargs):
        super().__init__(*args, **kwargs)
        self.account = account

    def clean_amount(self):
        """Refuse what the account cannot pay, before any phone rings."""
        amount = self.cleaned_data["amount"]
        if self.account is None:
            raise ValidationError("You have no account to pay from.")
        if amount > self.account.balance:
            raise ValidationError(NOT_COVERED)
        # As money is written, on the phone too: 250.50, not 250.5.
        return amount.quantize(Decimal("0.01"))

    def book(self):
        """Move the money; return the transfer, or ``None`` if it is not covered."""
        amount = self.cleaned_data["amount"]
        with transaction.atomic():
            # Asked again, under a lock: another transfer may have come first.
            account = (
                Account.objects.select_for_update()
                .filter(pk=self.account.pk, balance__gte=amount)
                .first()
            )
            if account is not None:
                account.balance -= amount
                account.save()
                self.instance.account = account
                return self.save()
        self.add_error("amount", NOT_COVERED)
        return None
