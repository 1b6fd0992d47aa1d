"""Sessions: the user's other ones are ended, and one that only looks is not saved."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from django.conf import settings
from django.contrib.auth import SESSION_KEY
from django.contrib.sessions.backends.base import SessionBase
from django.contrib.sessions.backends.db import SessionStore as DatabaseStore
from django.http import HttpRequest
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


def keep_unsaved(request: HttpRequest) -> None:
    """
    Let a request that only looks keep its session no longer alive than it was.

    Also with ``SESSION_SAVE_EVERY_REQUEST``. What has changed in it already is saved,
    such as a login that is signed anew after a new ``SECRET_KEY``.
    """
    if not request.session.modified:
        request.session = _Unsaved(request.session.items())  # type: ignore[assignment]


def leave_alone(request: HttpRequest) -> None:
    """Let a request that needs no session neither read nor save it."""
    if not request.session.modified:
        request.session = _Unsaved()  # type: ignore[assignment]


class _Unsaved(dict[str, Any]):
    # The middleware saves no dict, and everyone else can still read it. Django asks
    # for the two of whoever is looked at later; the next request does it for good.
    def cycle_key(self) -> None:
        return

    def flush(self) -> None:
        self.clear()


def _store() -> Any:
    return import_module(settings.SESSION_ENGINE).SessionStore
