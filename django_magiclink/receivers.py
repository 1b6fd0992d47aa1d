"""What ends an approval from outside: logout, and a new login."""

from __future__ import annotations

from typing import Any

from django.contrib.auth import SESSION_KEY
from django.contrib.auth.signals import user_logged_in, user_logged_out
from django.contrib.sessions.backends.base import SessionBase
from django.dispatch import receiver
from django.http import HttpRequest

from . import approvals
from .binding import has_nonce, renew_nonce, session_hash


@receiver(user_logged_in)
def give_nonce(request: HttpRequest | None, **kwargs: Any) -> None:
    """Start a login with a nonce of its own, unless this user's session has one."""
    session = _session(request)
    if session is not None and not has_nonce(session):
        renew_nonce(session)


@receiver(user_logged_out)
def end_session(request: HttpRequest | None, user: Any, **kwargs: Any) -> None:
    """End what was approved in the session, and what is still on the phone."""
    # Django sends this before it flushes the session.
    session = _session(request)
    if session is not None:
        approvals.revoke(user, session_hash(session))


def _session(request: HttpRequest | None) -> SessionBase | None:
    """Return the session that is logged in; a login by token has none."""
    session = getattr(request, "session", None)
    return session if session is not None and SESSION_KEY in session else None
