"""What the bank keeps."""

from decimal import Decimal

from django.conf import settings
from django.core.validators import MinValueValidator
from django.db import models
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
