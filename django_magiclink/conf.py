"""The ``MAGICLINK_…`` settings: typed, with their defaults, read at each access."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from django.conf import settings

PREFIX = "MAGICLINK_"

#: What ``MAGICLINK_LIMITS`` leaves out; times are in seconds.
DEFAULT_LIMITS = {
    "cooldown": 30,
    "reject_cooldown": 60,
    "per_15_min": 5,
    "per_day": 20,
    "rejects_lock": 3,
    "no_answers_lock": 5,
    "lock_seconds": 900,
    "anonymous_per_hour": 10,
    "anonymous_per_minute": 100,
}


class AppSettings:
    """Read ``MAGICLINK_<NAME>`` from Django at each access, else the default below."""

    #: HTTPS address of the Mideye Server, used while no endpoint is in the database.
    SERVER_URL: str = ""
    #: The key that goes with ``SERVER_URL``; it is never written to the database.
    API_KEY: str = ""
    #: Name of the Magic Link endpoint on that server; empty for the server's default.
    ENDPOINT_NAME: str = ""
    #: PEM file with the only certificate authorities to trust for ``SERVER_URL``.
    CA_FILE: str = ""
    #: Hosts that endpoints may name, written as in ``ALLOWED_HOSTS``; empty for any.
    ALLOWED_SERVERS: Sequence[str] = ()
    #: Seconds the phone waits for an answer, 15 to 300.
    TIMEOUT: int = 60
    #: Seconds for which one approval opens the views that ask for it; 0 for one
    #: request, ``"session"`` until logout.
    MAX_AGE: int | str = 300
    #: What ``ApprovalMiddleware`` guards, the first rule that fits a view counts.
    RULES: Sequence[Mapping[str, Any]] = ()
    #: Names of views that no rule guards, ``*`` stands for any characters.
    EXEMPT: Sequence[str] = ()
    #: ``"show"`` displays two digits on the page and the phone, to compare; ``"type"``
    #: only on the phone, to type on the page; ``None`` makes none.
    CODE: str | None = "show"
    #: The same for a login with a phone alone, where only ``"type"`` and ``"show"`` do.
    PASSWORDLESS_CODE: str = "type"
    #: Dotted path of the class that runs the blocking call in the background.
    DISPATCHER: str = "django_magiclink.dispatchers.thread.ThreadDispatcher"
    #: Approvals that one process waits for at a time; beyond it users are told "busy".
    MAX_WAITING: int = 500
    #: ``user -> E.164 number or None``, callable or dotted path, for projects that
    #: store numbers elsewhere; what it returns counts as verified.
    GET_PHONE_NUMBER: str | Callable[[Any], str | None] | None = None
    #: How often a phone may be asked: what differs from ``DEFAULT_LIMITS``. ``None``
    #: turns a limit off.
    LIMITS: Mapping[str, int | None] = {}
    #: What "That was not me" brings about: ``"lock"`` keeps the phone from being asked
    #: for ``lock_seconds``, ``"sessions"`` ends the user's other sessions.
    ON_REPORT: Collection[str] = ("lock",)
    #: Two-letter region of numbers that are typed without a country code.
    PHONE_REGION: str | None = None
    #: ``request -> str``, callable or dotted path; the default is ``REMOTE_ADDR``.
    CLIENT_ADDRESS: str | Callable[[Any], str] | None = None
    #: Keys that encrypt API keys in the database: the first encrypts, all decrypt.
    FIELD_KEYS: Sequence[str] = ()
    #: ``endpoint -> (secret, expiry date or None)``, callable or dotted path: makes a
    #: new API key where the server's operator has a way to.
    KEY_ISSUER: str | Callable[[Any], tuple[str, Any]] | None = None
    #: Days for which approvals are kept; ``magiclink_purge`` deletes what is older.
    RETENTION_DAYS: int = 30
    #: Name of the site on the phone and on the pages.
    SITE_NAME: str = ""
    #: True allows a server on loopback without TLS: development and tests only.
    SANDBOX: bool = False

    # So that a misspelt name stays an error to mypy.
    if not TYPE_CHECKING:  # pragma: no branch

        def __getattribute__(self, name: str) -> Any:
            value = super().__getattribute__(name)
            return getattr(settings, PREFIX + name, value) if name.isupper() else value


app_settings = AppSettings()
