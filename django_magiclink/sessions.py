"""The user's other sessions: found, and ended."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from django.conf import settings
from django.contrib.auth import SESSION_KEY
from django.contrib.sessions.backends.base import SessionBase
from django.contrib.sessions.backends.db import SessionStore as DatabaseStore
from django.utils import timezone


def can_be_searched() -> bool:
    """Tell whether sessions are in a table; a cache or a cookie cannot be searched."""
    return issubclass(_store(), DatabaseStore)


def end_other_sessions(session: SessionBase) -> int:
    """
    End every session of the user of ``session`` but that one; return how many.

    It reads all sessions of the site. Where they cannot be searched it ends none.
    """
    if not can_be_searched():
        return 0
    store = _store()
    rows = store.get_model_class().objects.filter(expire_date__gt=timezone.now())
    others = [
        row.session_key
        for row in rows.exclude(session_key=session.session_key).iterator()
        if row.get_decoded().get(SESSION_KEY) == session.get(SESSION_KEY)
    ]
    for key in others:
        # By the store: it may keep a copy in a cache.
        store(key).delete()
    return len(others)


def _store() -> Any:
    return import_module(settings.SESSION_ENGINE).SessionStore
