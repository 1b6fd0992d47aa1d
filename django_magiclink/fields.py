"""Secrets in the database: sealed for one row, and opened only by name."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from django.core.exceptions import ImproperlyConfigured
from django.db import models
from django.views.decorators.debug import sensitive_variables

from .conf import app_settings
from .exceptions import DecryptionError


def _fernet() -> MultiFernet:
    if not app_settings.FIELD_KEYS:
        raise ImproperlyConfigured(
            "Storing an API key needs MAGICLINK_FIELD_KEYS: "
            "make a key with 'manage.py magiclink_field_key'."
        )
    try:
        return MultiFernet([Fernet(key) for key in app_settings.FIELD_KEYS])
    except (TypeError, ValueError):
        # Not chained: the error of the library may quote the key.
        pass
    raise ImproperlyConfigured(
        "MAGICLINK_FIELD_KEYS must be a list of keys "
        "made with 'manage.py magiclink_field_key'."
    )


@dataclass(frozen=True)
class Sealed:
    """
    An encrypted secret.

    It opens only with the ``context`` it was sealed with, so ciphertext that is copied
    into another row is of no use there.
    """

    token: str = field(repr=False)

    @classmethod
    @sensitive_variables()
    def seal(cls, secret: str, context: str) -> Sealed:
        """Encrypt ``secret`` with the first of ``MAGICLINK_FIELD_KEYS``."""
        payload = json.dumps([context, secret]).encode()
        return cls(_fernet().encrypt(payload).decode())

    @sensitive_variables()
    def open(self, context: str) -> str:
        """Return the secret; raise :exc:`~.exceptions.DecryptionError` if it cannot."""
        try:
            sealed_context, secret = json.loads(_fernet().decrypt(self.token))
        # ValueError for what is not even text of a token.
        except (InvalidToken, ValueError):
            sealed_context = secret = None
        if secret is None or sealed_context != context:
            raise DecryptionError(
                "The stored key cannot be read. Put the key it was encrypted with back "
                "into MAGICLINK_FIELD_KEYS, or enter the API key again."
            )
        return str(secret)


class SealedField(models.TextField):
    """
    Holds a :class:`Sealed`: not editable, not searchable, never clear text.

    Fixtures carry the ciphertext.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        kwargs["editable"] = False
        super().__init__(*args, **kwargs)

    def from_db_value(self, value: str | None, *args: Any) -> Sealed | None:
        return self.to_python(value)

    def to_python(self, value: Any) -> Sealed | None:
        return Sealed(value) if isinstance(value, str) else value

    def get_prep_value(self, value: Any) -> str | None:
        if value is None:
            return None
        if isinstance(value, Sealed):
            return value.token
        raise TypeError(f"{self.name} takes a Sealed, never clear text.")

    def value_to_string(self, obj: models.Model) -> str:
        sealed: Any = self.value_from_object(obj)
        return str(sealed.token)

    def get_lookup(self, lookup_name: str) -> None:
        return None
