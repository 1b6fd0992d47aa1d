"""What a customer may ask for."""

import csv
import io
from decimal import Decimal

from django import forms
from django.core.exceptions import ValidationError

from django_magiclink.phones import parse

from .models import Account, Card, Contact, Transfer

NOT_COVERED = "There is not that much on the account."
NO_ACCOUNT = "You have no account to pay from."


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
            raise ValidationError(NO_ACCOUNT)
        if amount > self.account.balance:
            raise ValidationError(NOT_COVERED)
        # As money is written, on the phone too: 250.50, not 250.5.
        return amount.quantize(Decimal("0.01"))

    def book(self):
        """Move the money; return the transfer, or ``None`` if it is not covered."""
        if self.account.pay([self.instance]):
            return self.instance
        self.add_error("amount", NOT_COVERED)
        return None


class PhoneForm(forms.Form):
    """The number of the phone that approves."""

    number = forms.CharField(
        label="Mobile number",
        widget=forms.TextInput(attrs={"type": "tel", "autocomplete": "tel"}),
        help_text="With its country code: +46 70 174 06 05.",
    )

    def clean_number(self):
        """Refuse a typo, before any phone rings."""
        return parse(self.cleaned_data["number"])


class PaymentFileForm(forms.Form):
    """Many payments at once: a CSV file of payee, amount and reference."""

    account = forms.ModelChoiceField(Account.objects.none(), empty_label=None)
    file = forms.FileField(
        label="Payment file",
        widget=forms.FileInput(attrs={"accept": ".csv,text/csv"}),
        help_text="One payment a line: payee, amount, reference.",
    )

    def __init__(self, *args, user, **kwargs):
        super().__init__(*args, **kwargs)
        self.fields["account"].queryset = user.accounts

    def clean(self):
        """Read the file, and refuse all of it for one line that cannot be paid."""
        cleaned = super().clean()
        if not self.errors:
            self.transfers = list(self._read(cleaned["file"], cleaned["account"]))
            self.total = sum(transfer.amount for transfer in self.transfers)
            if not (self.errors or self.transfers):
                self.add_error("file", "There is no payment in this file.")
            elif self.total > cleaned["account"].balance:
                self.add_error("file", NOT_COVERED)
        return cleaned

    def _read(self, file, account):
        try:
            text = file.read().decode()
            lines = list(csv.reader(io.StringIO(text), strict=True))
        except (UnicodeDecodeError, csv.Error):
            self.add_error("file", "This is not a CSV file.")
            return
        for number, line in enumerate(lines, start=1):
            fields = dict(zip(TransferForm.Meta.fields, line, strict=False))
            form = TransferForm(fields, account=account)
            if len(line) <= 3 and form.is_valid():
                yield form.instance
            elif line:
                self.add_error("file", f"Line {number} is not a payment.")

    def book(self):
        """Pay all of them, or none."""
        if self.cleaned_data["account"].pay(self.transfers):
            return True
        self.add_error("file", NOT_COVERED)
        return False


class ContactForm(forms.ModelForm):
    """Where the bank sends what it has to say."""

    class Meta:
        model = Contact
        fields = ["email", "street", "city"]


class LimitForm(forms.ModelForm):
    """How much a card pays in a day."""

    class Meta:
        model = Card
        fields = ["limit"]
