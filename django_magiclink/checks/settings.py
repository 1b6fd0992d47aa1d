"""Checks of the ``MAGICLINK_…`` settings themselves."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Error, Tags, Warning, register
from django.core.exceptions import ImproperlyConfigured
from django.utils.module_loading import import_string
from django.utils.translation import override

from ..client import MideyeClient
from ..conf import DEFAULT_LIMITS, PREFIX, AppSettings, app_settings
from ..dispatchers import BaseDispatcher, get_dispatcher
from ..fields import Sealed
from ..limits import LIMIT, is_limit
from ..phone_login.attempts import LOGIN_CODE, is_login_code
from ..requirements import CODE, MAX_AGE, is_code, is_max_age, is_timeout
from ..sessions import can_be_searched

_Valid = Callable[[Any], bool]


def _is_text(value: object) -> bool:
    return isinstance(value, str)


def _is_list(value: object) -> bool:
    return isinstance(value, (list, tuple))


def _is_list_of_texts(value: Any) -> bool:
    return _is_list(value) and all(map(_is_text, value))


def _is_collection(value: object) -> bool:
    return isinstance(value, (list, tuple, set, frozenset))


def _is_callable(value: object) -> bool:
    if isinstance(value, str):
        try:
            value = import_string(value)
        except ImportError:
            return False
    return value is None or callable(value)


def _is_dispatcher(value: object) -> bool:
    try:
        dispatcher = import_string(str(value))
    except ImportError:
        return False
    return isinstance(dispatcher, type) and issubclass(dispatcher, BaseDispatcher)


#: What each setting must be, and how to say so.
RULES: dict[str, tuple[_Valid, str]] = {
    "SERVER_URL": (_is_text, "the address of the server, a string"),
    "API_KEY": (_is_text, "the key for that server, a string"),
    "ENDPOINT_NAME": (_is_text, "the name of an endpoint on that server, a string"),
    "CA_FILE": (
        lambda value: value == "" or (_is_text(value) and Path(value).is_file()),
        "the path of a PEM file that can be read, or empty",
    ),
    "ALLOWED_SERVERS": (_is_list_of_texts, "a list of host names"),
    "TIMEOUT": (is_timeout, "15 to 300 seconds"),
    "MAX_AGE": (is_max_age, MAX_AGE),
    "RULES": (_is_list, "a list of dicts, one a rule"),
    "EXEMPT": (_is_list_of_texts, "a list of names of views"),
    "CODE": (is_code, CODE),
    "PASSWORDLESS_CODE": (is_login_code, LOGIN_CODE),
    "DISPATCHER": (_is_dispatcher, "the dotted path of a BaseDispatcher"),
    "MAX_WAITING": (
        lambda value: type(value) is int and value > 0,
        "a whole number above 0",
    ),
    "GET_PHONE_NUMBER": (_is_callable, "a callable, its dotted path, or None"),
    "PHONE_REGION": (
        lambda value: value is None or (_is_text(value) and len(value) == 2),
        'a region such as "SE", or None',
    ),
    "CLIENT_ADDRESS": (_is_callable, "a callable, its dotted path, or None"),
    "LIMITS": (
        lambda value: (
            isinstance(value, Mapping)
            and value.keys() <= DEFAULT_LIMITS.keys()
            and all(map(is_limit, value.values()))
        ),
        f"a dict of {', '.join(DEFAULT_LIMITS)}, each {LIMIT}",
    ),
    "ON_REPORT": (
        lambda value: (
            _is_collection(value)
            and all(each in ("lock", "sessions") for each in value)
        ),
        'a list of "lock", "sessions" or neither',
    ),
    "FIELD_KEYS": (
        _is_list_of_texts,
        "a list of keys made with 'manage.py magiclink_field_key'",
    ),
    "KEY_ISSUER": (_is_callable, "a callable, its dotted path, or None"),
    "RETENTION_DAYS": (
        lambda value: type(value) is int and value > 0,
        "a whole number of days above 0",
    ),
    "SITE_NAME": (lambda value: not isinstance(value, bytes), "a string"),
    "SANDBOX": (lambda value: isinstance(value, bool), "True or False"),
}


@register(Tags.security)
def check_settings(**kwargs: Any) -> Sequence[CheckMessage]:
    """Say which setting is wrong, and what it should be."""
    messages = [*wrong_values(), *_misspelt()]
    # What follows builds on these values.
    return messages or [
        *_server(),
        *_field_keys(),
        *_report(),
        *get_dispatcher().check(),
    ]


@register(Tags.security, deploy=True)
def check_sandbox(**kwargs: Any) -> Sequence[CheckMessage]:
    """Say that a site for real users talks to a sandbox."""
    if not app_settings.SANDBOX:
        return []
    return [
        Error(
            "MAGICLINK_SANDBOX is on: anyone on this machine can approve anything.",
            hint="Leave it out of production's settings.",
            id="django_magiclink.E011",
        )
    ]


def wrong_values() -> Iterator[CheckMessage]:
    """Say which settings cannot have the value that they have."""
    for name, (is_valid, wanted) in RULES.items():
        if not is_valid(getattr(app_settings, name)):
            # Not the value: it may be a secret.
            yield Error(f"{PREFIX}{name} must be {wanted}.", id="django_magiclink.E001")


def _misspelt() -> Iterator[CheckMessage]:
    known = [name for name in vars(AppSettings) if name.isupper()]
    for name in dir(settings):
        stem = name.removeprefix(PREFIX)
        if stem in known or not name.startswith(PREFIX[:5]):
            continue
        for close in get_close_matches(name, [PREFIX + one for one in known], 1, 0.8):
            yield Warning(
                f"There is no setting {name}.",
                hint=f"Did you mean {close}?",
                id="django_magiclink.W002",
            )


def _server() -> Iterator[CheckMessage]:
    if not app_settings.SERVER_URL:
        return
    if not app_settings.API_KEY:
        yield Error(
            "MAGICLINK_SERVER_URL is set and MAGICLINK_API_KEY is not.",
            hint="Create a key in Mideye's own interface, and set it here.",
            id="django_magiclink.E002",
        )
    try:
        with override(None):
            MideyeClient(
                app_settings.SERVER_URL,
                app_settings.API_KEY,
                endpoint_name=app_settings.ENDPOINT_NAME,
                ca_file=app_settings.CA_FILE,
            ).check()
    except ValueError as error:
        yield Error(str(error), id="django_magiclink.E003")


def _field_keys() -> Iterator[CheckMessage]:
    if not app_settings.FIELD_KEYS:
        return
    try:
        Sealed.seal("", "")
    except ImproperlyConfigured as error:
        yield Error(str(error), id="django_magiclink.E004")


def _report() -> Iterator[CheckMessage]:
    if "sessions" in app_settings.ON_REPORT and not can_be_searched():
        yield Error(
            'MAGICLINK_ON_REPORT has "sessions", and SESSION_ENGINE keeps them where '
            "those of one user cannot be found.",
            hint="Keep them in the database (django.contrib.sessions.backends.db or "
            'cached_db), or leave "sessions" out: what was approved ends anyway.',
            id="django_magiclink.E015",
        )
