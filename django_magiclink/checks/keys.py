"""Checks of the keys that are in the database, at deployment."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.core.checks import CheckMessage, Error, Tags, Warning, register
from django.core.exceptions import ImproperlyConfigured
from django.db import DatabaseError
from django.utils.translation import override

from .. import health
from ..health import Health


# In English, as the hints are.
@register(Tags.security, deploy=True)
@override(None)
def check_keys(**kwargs: Any) -> Sequence[CheckMessage]:
    """Say which keys cannot be used, or not for much longer."""
    try:
        found = health.unwell(health.endpoints())
    except (DatabaseError, ImproperlyConfigured):
        # Not migrated yet, or not there: the deployment finds that by itself.
        return []
    return [
        Error(
            health.describe(endpoint, state),
            hint="Put the key it was encrypted with back into MAGICLINK_FIELD_KEYS, or "
            "enter the API key again.",
            id="django_magiclink.E016",
        )
        if state == Health.UNREADABLE
        else Warning(
            health.describe(endpoint, state),
            hint="See the endpoint in the admin, or enter a key with "
            '"manage.py magiclink_key".',
            id="django_magiclink.W009",
        )
        for endpoint, state in found
    ]
