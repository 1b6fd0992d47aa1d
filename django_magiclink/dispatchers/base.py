"""What every dispatcher has in common, and which one is in use."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from functools import lru_cache
from threading import Lock

from django.core.checks import CheckMessage
from django.utils.module_loading import import_string

from .. import purposes
from ..conf import app_settings

_lock = Lock()


class BaseDispatcher:
    """Hands ``approvals.perform`` to whatever runs work in the background."""

    def dispatch(self, pk: uuid.UUID) -> None:
        """
        Arrange for ``perform(pk)`` to run, and return without waiting for it.

        Raise :exc:`~django_magiclink.exceptions.Busy` if no more can wait.
        """
        raise NotImplementedError

    def dispatch_of_stranger(self, pk: uuid.UUID) -> None:
        """
        Do the same for what somebody without a login has asked for.

        Here a dispatcher keeps room for the others, whom a stranger must not crowd out.
        """
        self.dispatch(pk)

    def check(self) -> list[CheckMessage]:
        """Return what ``manage.py check`` should say about this dispatcher."""
        return []


def get_dispatcher() -> BaseDispatcher:
    """Return the one that ``MAGICLINK_DISPATCHER`` names, made once per process."""
    # Two of them, made by two first requests, would each count its own waits.
    with _lock:
        return _make(app_settings.DISPATCHER)


def dispatch_for(purpose: str) -> Callable[[uuid.UUID], None]:
    """Return what takes an approval that was asked for with ``purpose``."""
    dispatcher = get_dispatcher()
    by_stranger = purpose == purposes.PASSWORDLESS
    return dispatcher.dispatch_of_stranger if by_stranger else dispatcher.dispatch


@lru_cache
def _make(path: str) -> BaseDispatcher:
    dispatcher: BaseDispatcher = import_string(path)()
    return dispatcher
