"""What ends an approval from outside: logout, and a new login."""

from __future__ import annotations

from typing import Any

from django.contrib.auth.signals import user_logged_in, user_logged_out
from django.dispatch import receiver
from django.http import HttpRequest

from . import approvals
from .binding import has_nonce, renew_nonce, session_hash


@receiver(user_logged_in)
def give_nonce(request: HttpRequest | None, **kwargs: Any) -> None:
    """Start a login with a nonce of its own, unless this user's session has one."""
    if request is not None and not has_nonce(request.session):
        renew_nonce(request.session)


@receiver(user_logged_out)
def end_session(request: HttpRequest | None, user: Any, **kwargs: Any) -> None:
    """End what was approved in the session, and what is still on the phone."""
    # Django sends this before it flushes the session.
    if request is not None and user is not None:
        approvals.revoke(user, session_hash(request.session))
