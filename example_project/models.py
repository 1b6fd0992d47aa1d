"""What the bank keeps."""

from decimal import Decimal

from django.conf import settings
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models, transaction
from django.utils import timezone


class Account(models.Model):
    """Somebody's money, in SEK."""

    owner = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.CASCADE, related_name="accounts"
    )
    number = models.CharField(max_length=20, unique=True)
    balance = models.DecimalField(max_digits=12, decimal_places=2)

    class Meta:
        ordering = ["number"]

    def __str__(self):
        return self.number

    def pay(self, transfers):
        """Book all of ``transfers``, or none of them; tell whether they are covered."""
        total = sum(transfer.amount for transfer in transfers)
        with transaction.atomic():
            # Asked again, under a lock: another payment may have come first.
            account = Account.objects.select_for_update().get(pk=self.pk)
            if total > account.balance:
                return False
            account.balance -= total
            account.save()
            for transfer in transfers:
                transfer.account = account
                transfer.save()
        return True


class Transfer(models.Model):
    """A payment that was approved and carried out."""

    account = models.ForeignKey(Account, models.CASCADE, related_name="transfers")
    payee = models.CharField(max_length=60)
    amount = models.DecimalField(
        "amount in SEK",
        max_digits=12,
        decimal_places=2,
        validators=[MinValueValidator(Decimal("0.01"))],
    )
    reference = models.CharField(max_length=35, blank=True)
    created = models.DateTimeField(default=timezone.now, editable=False)

    class Meta:
        ordering = ["-created"]

    def __str__(self):
        return f"{self.amount} SEK to {self.payee}"


class Card(models.Model):
    """A payment card, with what only its holder should see."""

    account = models.ForeignKey(Account, models.CASCADE, related_name="cards")
    number = models.PositiveIntegerField("last four digits", unique=True)
    pin = models.CharField("PIN", max_length=4)
    limit = models.PositiveIntegerField(
        "SEK a day", default=5000, validators=[MaxValueValidator(50_000)]
    )

    class Meta:
        ordering = ["number"]

    def __str__(self):
        return f"Card {self.number}"


class Contact(models.Model):
    """How the bank reaches a customer."""

    user = models.OneToOneField(settings.AUTH_USER_MODEL, models.CASCADE)
    email = models.EmailField("e-mail")
    street = models.CharField(max_length=60)
    city = models.CharField(max_length=40)

    def __str__(self):
        return self.email


class Invoice(models.Model):
    """What somebody wants to be paid, from ``account``."""

    account = models.ForeignKey(Account, models.CASCADE, related_name="invoices")
    sender = models.CharField(max_length=60)
    number = models.CharField(max_length=20)
    amount = models.DecimalField("amount in SEK", max_digits=12, decimal_places=2)
    is_paid = models.BooleanField("paid", default=False)

    class Meta:
        ordering = ["pk"]

    def __str__(self):
        return f"{self.sender} {self.number}"

    def pay(self):
        """Pay it from its account once; tell whether it is paid now."""
        payment = Transfer(payee=self.sender, amount=self.amount, reference=self.number)
        with transaction.atomic():
            self.refresh_from_db(from_queryset=Invoice.objects.select_for_update())
            if not self.is_paid:
                self.is_paid = self.account.pay([payment])
                self.save()
        return self.is_paid


class StandingOrder(models.Model):
    """A payment that is made each month."""

    account = models.ForeignKey(Account, models.CASCADE, related_name="standing_orders")
    payee = models.CharField(max_length=60)
    amount = models.DecimalField("amount in SEK", max_digits=12, decimal_places=2)
    day = models.PositiveSmallIntegerField("day of the month")

    class Meta:
        ordering = ["day", "payee"]

    def __str__(self):
        return f"{self.amount} SEK a month to {self.payee}"
