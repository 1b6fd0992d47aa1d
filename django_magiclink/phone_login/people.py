"""Whose phone is meant by a number or a user name."""

from __future__ import annotations

import re
import unicodedata
from typing import Any

from django.contrib.auth import get_user_model
from django.core.exceptions import ValidationError
from django.views.decorators.debug import sensitive_variables

from ..conf import app_settings
from ..phones import parse

# Only what is written as one: parse() finds a number in a user name with digits, too.
_NUMBER = re.compile(r"\+?[0-9 ()./-]+")


@sensitive_variables()
def find(name: str) -> Any:
    """
    Return the user whose number or user name that is, or ``None``.

    A number comes first: it is proved, and a user name is whatever somebody chose. One
    that two users share names neither.
    """
    holders, named = _holders(name), _named(name)
    if holders:
        return holders[0] if len(holders) == 1 else None
    return named


@sensitive_variables()
def _holders(name: str) -> list[Any]:
    # Numbers that are kept elsewhere cannot be searched.
    if app_settings.GET_PHONE_NUMBER is not None or not _NUMBER.fullmatch(name):
        return []
    try:
        number = parse(name)
    except ValidationError:
        return []
    users = get_user_model()._default_manager.filter(
        magiclink_phone__number=number, magiclink_phone__verified_at__isnull=False
    )
    return list(users[:2])


def _named(name: str) -> Any:
    model = get_user_model()
    field = str(model.USERNAME_FIELD)
    name = unicodedata.normalize("NFKC", name)
    return model._default_manager.filter(**{field: name}).first()
