"""Checks of a site that lets people log in with a phone alone."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Error, Tags, Warning, register
from django.urls import reverse
from django.utils.module_loading import import_string

from ..backends import MagicLinkBackend
from ..conf import app_settings
from ..rules import get_rules
from .rules import wrong_rules
from .settings import wrong_values


@register(Tags.urls)
def check_backend(**kwargs: Any) -> Sequence[CheckMessage]:
    """Say that nobody could log in by the pages that are there for it."""
    if not _is_included() or any(map(_is_ours, settings.AUTHENTICATION_BACKENDS)):
        return []
    return [
        Error(
            "The URLs of django_magiclink.phone_login are included, and "
            "MagicLinkBackend is not in AUTHENTICATION_BACKENDS.",
            hint='Add "django_magiclink.backends.MagicLinkBackend" to it, after '
            '"django.contrib.auth.backends.ModelBackend", or leave the URLs out.',
            id="django_magiclink.E025",
        )
    ]


@register(Tags.security)
def check_second_step(**kwargs: Any) -> Sequence[CheckMessage]:
    """Say that a phone cannot be both the only factor and the second one."""
    if any(wrong_values()) or any(wrong_rules()):
        return []
    ways_in = _is_included() or any(map(_is_ours, settings.AUTHENTICATION_BACKENDS))
    if not ways_in or not any(rule.for_login for rule in get_rules()):
        return []
    return [
        Error(
            "A rule asks for the phone as the second step of a login, and "
            "django_magiclink.phone_login makes it the first.",
            hint="Leave out the URLs of django_magiclink.phone_login, and "
            "MagicLinkBackend in AUTHENTICATION_BACKENDS. Or leave out the rule: the "
            "phone is then the only factor.",
            id="django_magiclink.E026",
        )
    ]


@register(Tags.security, deploy=True)
def check_code(**kwargs: Any) -> Sequence[CheckMessage]:
    """Say what a code that is only shown costs where nothing else is asked for."""
    if app_settings.PASSWORDLESS_CODE != "show" or not _is_included():
        return []
    return [
        Warning(
            'MAGICLINK_PASSWORDLESS_CODE is "show": one Accept out of habit logs in '
            "whoever has typed that user's name.",
            hint='Set it to "type", or be sure that the phones show the code, that '
            "their users compare it, and silence this check.",
            id="django_magiclink.W011",
        )
    ]


def _is_included() -> bool:
    try:
        reverse("django_magiclink_login:ask")
    except Exception:
        # Not there, or the URLconf is broken, of which Django's own check says more.
        return False
    return True


def _is_ours(path: str) -> bool:
    try:
        backend = import_string(path)
    except ImportError:
        # Django says so when it first needs one.
        return False
    return isinstance(backend, type) and issubclass(backend, MagicLinkBackend)
