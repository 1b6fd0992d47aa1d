"""Whose request it is: the user whose session it comes with, and nobody else."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.contrib.auth import BACKEND_SESSION_KEY, SESSION_KEY, load_backend
from django.contrib.sessions.backends.base import SessionBase
from django.http import HttpRequest
from django.utils.module_loading import import_string

from .conf import app_settings


def missing_user(request: HttpRequest) -> str:
    """Return why nobody can be asked, the ``reason`` on the wire, or ""."""
    if not request.user.is_authenticated or _may_turn_out_another(request):
        return "login"
    if not request.user.is_active:
        return "inactive"
    # A grant belongs to a session. A user who came by a token has none.
    owner = request.session.get(SESSION_KEY)
    return "" if owner == str(request.user.pk) else "login"


def client_address(request: HttpRequest) -> str:
    """Return where the request comes from, as ``MAGICLINK_CLIENT_ADDRESS`` has it."""
    address = app_settings.CLIENT_ADDRESS or _remote_address
    if isinstance(address, str):
        address = import_string(address)
    return str(address(request))[:64]


def is_phone_alone(session: SessionBase) -> bool:
    """
    Tell whether nothing but a phone has logged the session in.

    The phone is no second step then: it was the first.
    """
    path = str(session.get(BACKEND_SESSION_KEY) or "")
    return bool(path) and getattr(load_backend(path), "is_phone_alone", False)


def knows_users_itself(view: Callable[..., Any] | None) -> bool:
    """
    Tell whether ``view`` finds out by itself who asks, by more than the session.

    It is one of Django REST framework, whose users are known only once it runs.
    """
    cls = getattr(view, "cls", None) or getattr(view, "view_class", None)
    given = getattr(view, "initkwargs", None) or {}
    classes = getattr(cls, "authentication_classes", ())
    return any(
        "SessionAuthentication" not in {base.__name__ for base in one.__mro__}
        for one in given.get("authentication_classes", classes)
    )


def _remote_address(request: HttpRequest) -> str:
    return str(request.META.get("REMOTE_ADDR", ""))


def _may_turn_out_another(request: HttpRequest) -> bool:
    # REST framework notes here how it knows the user, once it does.
    if hasattr(request, "auth") or "Authorization" not in request.headers:
        return False
    match = request.resolver_match
    return match is not None and knows_users_itself(match.func)
