"""Phone numbers: one canonical form, and what may be shown or stored of them."""

from __future__ import annotations

import re

import phonenumbers
from django.core.exceptions import ValidationError
from django.utils.crypto import salted_hmac
from django.utils.translation import gettext_lazy as _
from django.views.decorators.debug import sensitive_variables

from .conf import app_settings

#: ITU-T E.164 in ASCII digits. ``\d`` would let the digits of other scripts in.
E164 = re.compile(r"\+[1-9][0-9]{7,14}")


@sensitive_variables()
def parse(number: str) -> str:
    """
    Return ``number``, as a person types it, in E.164 form.

    Numbers without a country code are read as of ``MAGICLINK_PHONE_REGION``. Raise
    :exc:`~django.core.exceptions.ValidationError`, without the number in it, if it
    cannot be one.
    """
    try:
        parsed = phonenumbers.parse(number, app_settings.PHONE_REGION)
    except phonenumbers.NumberParseException:
        parsed = phonenumbers.PhoneNumber()
    canonical = phonenumbers.format_number(parsed, phonenumbers.PhoneNumberFormat.E164)
    if (
        parsed.extension
        or not phonenumbers.is_possible_number(parsed)
        or not E164.fullmatch(canonical)
    ):
        raise ValidationError(
            _("Enter the number with its country code, such as +46 70 123 45 67."),
            code="invalid_number",
        )
    return canonical


@sensitive_variables()
def mask(number: str) -> str:
    """Return an E.164 number with only its first three and last two characters."""
    return f"{number[:3]}{'*' * (len(number) - 5)}{number[-2:]}"


@sensitive_variables()
def hash_number(number: str) -> str:
    """Return the keyed hash that stands for an E.164 number in the database."""
    return salted_hmac(
        "django_magiclink.phones", number, algorithm="sha256"
    ).hexdigest()
