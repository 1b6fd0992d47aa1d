"""What an approval is bound to: this user, this session, this action."""

from __future__ import annotations

import json
import secrets
from typing import Any

from django.contrib.auth import SESSION_KEY
from django.contrib.sessions.backends.base import SessionBase
from django.utils.crypto import salted_hmac

#: The session's only entry of ours: whose nonce it is, and the nonce.
NONCE_KEY = "_django_magiclink"


def _hmac(purpose: str, value: str) -> str:
    return salted_hmac(
        f"django_magiclink.binding.{purpose}", value, algorithm="sha256"
    ).hexdigest()


def nonce(session: SessionBase) -> str:
    """
    Return the value that stands for this login in every approval asked for in it.

    A session that has none, as it is older than the app, counts as having one made from
    its key: tabs that come to it in parallel then arrive at the same.
    """
    owner, stored = session.get(NONCE_KEY, (None, ""))
    if owner == _owner(session):
        return str(stored)
    if session.session_key is None:
        return renew_nonce(session)
    return _hmac("nonce", session.session_key)


def keep_nonce(session: SessionBase) -> None:
    """Store the nonce, so that it outlives a change of the session's key."""
    entry = [_owner(session), nonce(session)]
    if session.get(NONCE_KEY) != entry:
        session[NONCE_KEY] = entry


def renew_nonce(session: SessionBase) -> str:
    """Give the session a random nonce of its present user."""
    session[NONCE_KEY] = [_owner(session), secrets.token_urlsafe(32)]
    return str(session[NONCE_KEY][1])


def has_nonce(session: SessionBase) -> bool:
    """Tell whether a nonce was stored for the session's present user."""
    return bool(session.get(NONCE_KEY, (None,))[0] == _owner(session))


#: Of the session's hash, enough to tell sessions apart and too little to be of use.
SHORT_HASH = 8


def session_hash(session: SessionBase) -> str:
    """Return what stands for the session in an approval's row."""
    return _hmac("session", nonce(session))


def bind(
    *,
    purpose: str,
    user: Any,
    session: SessionBase,
    scope: str,
    endpoint: str,
    code: str,
    digest: str,
) -> str:
    """
    Return the one hash that an approval and a request must share.

    The user's session auth hash is part of it, so a new password ends every grant.
    """
    auth_hash = getattr(user, "get_session_auth_hash", str)()
    parts = [purpose, str(user.pk), nonce(session), auth_hash]
    return _hmac("approval", json.dumps([*parts, scope, endpoint, code, digest]))


def _owner(session: SessionBase) -> str:
    return str(session.get(SESSION_KEY, ""))
