"""Whose phone it is."""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterable
from typing import Any

from django.conf import settings
from django.core.exceptions import ValidationError
from django.db import models
from django.utils import timezone
from django.utils.module_loading import import_string
from django.utils.translation import gettext_lazy as _
from django.views.decorators.debug import sensitive_variables

from ..conf import app_settings
from ..exceptions import NoPhone
from ..phones import mask, parse
from ..purposes import ENROL, STEP_UP

logger = logging.getLogger("django_magiclink")


@sensitive_variables("number")
def _read(user: Any, number: Any) -> str | None:
    if not number:
        return None
    try:
        return parse(str(number))
    except ValidationError:
        logger.error("The phone number of user %s cannot be read.", user)
        return None


class PhoneNumberManager(models.Manager["PhoneNumber"]):
    """Knows which number a user is asked on, wherever the site keeps numbers."""

    def of(self, user: Any, purpose: str = STEP_UP) -> str:
        """
        Return the E.164 number that approvals of ``user`` go to.

        For the purpose ``enrol`` that is the one that is yet to be verified. Raise
        :exc:`~django_magiclink.exceptions.NoPhone` if none counts: a number that is
        stored here must be verified, one that ``MAGICLINK_GET_PHONE_NUMBER`` gives is
        taken as such.
        """
        try:
            return self.of_all([user], purpose)[user.pk]
        except KeyError:
            raise NoPhone from None

    @sensitive_variables("number", "numbers", "read", "found")
    def of_all(self, users: Collection[Any], purpose: str = STEP_UP) -> dict[Any, str]:
        """Return the numbers of those ``users`` for whom one counts, by their key."""
        lookup = app_settings.GET_PHONE_NUMBER
        numbers: Iterable[tuple[Any, Any]]
        if purpose == ENROL or lookup is None:
            rows = self.filter(user__in=[user.pk for user in users])
            column = "pending_number"
            if purpose != ENROL:
                rows, column = rows.filter(verified_at__isnull=False), "number"
            numbers = rows.values_list("user_id", column)
        else:
            look_up = import_string(lookup) if isinstance(lookup, str) else lookup
            numbers = ((user.pk, look_up(user)) for user in users)
        found = {}
        # No comprehension: its frame would show a number in an error report.
        for pk, number in numbers:
            if read := _read(pk, number):
                found[pk] = read
        return found

    def verified(self, user: Any) -> models.QuerySet[PhoneNumber]:
        """Return the row of ``user``, if its number counts."""
        return self.filter(user_id=user.pk, verified_at__isnull=False)

    @sensitive_variables("number")
    def propose(self, user: Any, number: str) -> None:
        """Note the E.164 ``number`` as one that ``user`` is about to verify."""
        # It alone is written: what the present number has approved goes on.
        rows = self.filter(user_id=user.pk)
        if not rows.update(pending_number=number):
            self.get_or_create(user=user, defaults={"pending_number": number})

    @sensitive_variables("number")
    def replace(self, user: Any, number: str) -> None:
        """Make the E.164 ``number`` that of ``user``: the phone itself has agreed."""
        columns = {"number": number, "verified_at": timezone.now()}
        self.update_or_create(user=user, defaults=columns | {"pending_number": ""})


class PhoneNumber(models.Model):
    """
    The phone of one user.

    Two users may share a number: a phone is asked one thing at a time, whoever asks.
    """

    user = models.OneToOneField(
        settings.AUTH_USER_MODEL,
        models.CASCADE,
        related_name="magiclink_phone",
        verbose_name=_("user"),
    )
    number = models.CharField(_("number"), max_length=32)
    verified_at = models.DateTimeField(
        _("verified at"),
        null=True,
        blank=True,
        help_text=_("A number counts only once it is known to be this user's."),
    )
    pending_number = models.CharField(max_length=16, blank=True, editable=False)

    objects = PhoneNumberManager()

    class Meta:
        verbose_name = _("phone number")
        verbose_name_plural = _("phone numbers")
        # For a login with the phone alone: reading all rows would show in its time.
        indexes = [models.Index(fields=["number"], name="magiclink_phone_number")]

    def __str__(self) -> str:
        return mask(self.number)

    def clean_fields(self, exclude: Any = None) -> None:
        super().clean_fields(exclude=exclude)
        try:
            self.number = parse(self.number)
        except ValidationError as error:
            raise ValidationError({"number": error}) from error
