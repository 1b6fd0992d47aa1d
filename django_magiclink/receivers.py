"""What ends an approval from outside: logout, and a new login."""

from __future__ import annotations

import logging
from typing import Any

from django.contrib.auth import SESSION_KEY
from django.contrib.auth.signals import user_logged_in, user_logged_out
from django.contrib.sessions.backends.base import SessionBase
from django.db import DatabaseError
from django.dispatch import receiver
from django.http import HttpRequest

from . import approvals
from .binding import has_nonce, renew_nonce, session_hash

logger = logging.getLogger("django_magiclink")


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
    if session is None:
        return
    try:
        approvals.revoke(user, session_hash(session))
    except DatabaseError as error:
        # Nobody may be kept from logging out; without the nonce no grant counts.
        logger.error("Approvals were not ended: %s", type(error).__name__)


def _session(request: HttpRequest | None) -> SessionBase | None:
    """Return the session that is logged in; a login by token has none."""
    session = getattr(request, "session", None)
    return session if session is not None and SESSION_KEY in session else None
