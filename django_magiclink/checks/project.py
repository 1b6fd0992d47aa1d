"""Checks of what the project must have around this app: apps, middleware, URLs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.apps import apps
from django.conf import settings
from django.core.checks import CheckMessage, Error, Tags, Warning, register
from django.urls import NoReverseMatch, reverse


@register(Tags.compatibility)
def check_apps(**kwargs: Any) -> Sequence[CheckMessage]:
    """Say which of Django's own apps are missing."""
    messages: list[CheckMessage] = [
        Error(
            f"{name} is not in INSTALLED_APPS, which approvals need.",
            hint=f'Add "{name}" to INSTALLED_APPS, and run "manage.py migrate".',
            id="django_magiclink.E007",
        )
        for name in missing_apps()
    ]
    if not apps.is_installed("django.contrib.staticfiles"):
        messages.append(
            Warning(
                "django.contrib.staticfiles is not in INSTALLED_APPS: nothing serves "
                "the script and the style of the approval page.",
                hint='Add "django.contrib.staticfiles" to INSTALLED_APPS, or serve '
                "the package's static directory under STATIC_URL in another way, and "
                "silence this check.",
                id="django_magiclink.W006",
            )
        )
    return messages


@register(Tags.urls)
def check_urls(**kwargs: Any) -> Sequence[CheckMessage]:
    """Say that the app's URLs are missing."""
    try:
        reverse("django_magiclink:start")
    except NoReverseMatch:
        return [
            Error(
                "The URLs of django_magiclink are not included.",
                hint='Add path("magiclink/", include("django_magiclink.urls")) to '
                "the project's urlpatterns.",
                id="django_magiclink.E010",
            )
        ]
    except Exception:
        # The URLconf is broken, of which Django's own check says more.
        return []
    return []


@register(Tags.security)
def check_middleware(**kwargs: Any) -> Sequence[CheckMessage]:
    """Say which middleware a guard cannot do without."""
    needed = [
        "django.contrib.sessions.middleware.SessionMiddleware",
        "django.middleware.csrf.CsrfViewMiddleware",
        "django.contrib.auth.middleware.AuthenticationMiddleware",
    ]
    return [
        Warning(
            f"{name} is not in MIDDLEWARE, which approvals need.",
            hint="Add it, or leave this check out if a subclass of yours is there.",
            id="django_magiclink.W001",
        )
        for name in needed
        if name not in settings.MIDDLEWARE
    ]


def missing_apps() -> list[str]:
    """Return which apps are not installed that the guards build on."""
    needed = ["django.contrib.auth", "django.contrib.contenttypes"]
    # Sessions may live elsewhere: in a cache, or in a signed cookie.
    if settings.SESSION_ENGINE.endswith((".backends.db", ".backends.cached_db")):
        needed.append("django.contrib.sessions")
    return [name for name in needed if not apps.is_installed(name)]
