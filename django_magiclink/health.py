"""How an endpoint and its key are, at a glance: for the admin, checks and alerts."""

from __future__ import annotations

from collections.abc import Iterable

from django.core.exceptions import ImproperlyConfigured
from django.db.models import TextChoices
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from .client import MEANINGS
from .exceptions import DecryptionError
from .models import ApiKey, Endpoint
from .models.api_key import today

#: Days before its expiry from which a key is said to need a new one.
WARN_DAYS = 14


class Health(TextChoices):
    """How an endpoint is; the first that holds counts."""

    DISABLED = "disabled", gettext_lazy("Disabled")
    NO_KEY = "no_key", gettext_lazy("No key")
    MOVED = "moved", gettext_lazy("Key of another host")
    EXPIRED = "expired", gettext_lazy("Key expired")
    UNREADABLE = "unreadable", gettext_lazy("Key unreadable")
    REFUSED = "refused", gettext_lazy("Last request refused")
    UNREACHABLE = "unreachable", gettext_lazy("Not reachable")
    EXPIRING = "expiring", gettext_lazy("Key expires soon")
    UNUSED = "unused", gettext_lazy("Not used yet")
    REACHABLE = "reachable", gettext_lazy("Reachable")

    @property
    def can_be_asked(self) -> bool:
        """Whether there is a key to try: what went wrong last may be all right now."""
        return self not in (
            Health.DISABLED,
            Health.NO_KEY,
            Health.MOVED,
            Health.EXPIRED,
            Health.UNREADABLE,
        )


def of(endpoint: Endpoint, days: int = WARN_DAYS) -> Health:
    """Return how ``endpoint`` is, as far as can be told without calling it."""
    if not endpoint.enabled:
        return Health.DISABLED
    key = key_in_use(endpoint)
    if key is None:
        return Health.NO_KEY
    return _of_key(key) or _by_result(key, days)


def key_in_use(endpoint: Endpoint) -> ApiKey | None:
    """Return the key that opens ``endpoint``, or would if it could be used."""
    keys = endpoint.keys.all()
    return next((key for key in keys if key.is_in_use), None)


def endpoints() -> list[Endpoint]:
    """Return all endpoints with their keys, by two queries."""
    return list(Endpoint.objects.prefetch_related("keys").order_by("name"))


def unwell(
    among: Iterable[Endpoint], days: int = WARN_DAYS
) -> list[tuple[Endpoint, Health]]:
    """Return those that need somebody, and why; what is disabled does not."""
    found = [(endpoint, of(endpoint, days)) for endpoint in among]
    well = (Health.DISABLED, Health.UNUSED, Health.REACHABLE)
    return [(endpoint, health) for endpoint, health in found if health not in well]


def describe(endpoint: Endpoint, health: Health) -> str:
    """Return in a sentence what is the matter with ``endpoint``."""
    key = key_in_use(endpoint)
    if health == Health.EXPIRING and key is not None:
        return _("The key of %(endpoint)s expires on %(day)s.") % {
            "endpoint": endpoint,
            "day": key.expires_on,
        }
    return f"{endpoint}: {health.label}."


def days_left(key: ApiKey) -> int | None:
    """Return for how many days after today ``key`` can be used, if that is known."""
    if key.expires_on is None:
        return None
    return (key.expires_on - today()).days


def _of_key(key: ApiKey) -> Health | None:
    if key.is_expired:
        return Health.EXPIRED
    if not key.is_usable:
        return Health.MOVED
    try:
        key.reveal()
    except (DecryptionError, ImproperlyConfigured):
        return Health.UNREADABLE
    return None


def _by_result(key: ApiKey, days: int) -> Health:
    if key.last_result:
        status, kind = MEANINGS.get(key.last_result, (None, ""))
        if kind == "refused":
            return Health.REFUSED
        if status is None:
            return Health.UNREACHABLE
    left = days_left(key)
    if left is not None and left <= days:
        return Health.EXPIRING
    return Health.REACHABLE if key.last_result else Health.UNUSED
