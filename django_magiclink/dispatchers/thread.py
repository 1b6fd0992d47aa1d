"""Daemon threads of the web process wait: nothing to install."""

from __future__ import annotations

import atexit
import logging
import os
import uuid
from threading import Lock, Thread

from .. import approvals
from ..conf import app_settings
from ..exceptions import Busy
from . import writer
from .base import BaseDispatcher

logger = logging.getLogger("django_magiclink")


class ThreadDispatcher(BaseDispatcher):
    """
    One daemon thread an approval; ``MAGICLINK_MAX_WAITING`` bounds them per process.
    Strangers get half of that at most.

    Nothing survives a restart. What an orderly exit interrupts is marked, and can be
    asked for again; what a kill interrupts reads as expired at its deadline.
    """

    def __init__(self) -> None:
        self._lock = Lock()
        self._waiters: _Waiters | None = None

    def dispatch(self, pk: uuid.UUID) -> None:
        self._of_this_process().start(pk)

    def dispatch_of_stranger(self, pk: uuid.UUID) -> None:
        self._of_this_process().start(pk, by_stranger=True)

    def _of_this_process(self) -> _Waiters:
        # A forked worker has its parent's objects, but not its parent's threads.
        with self._lock:
            if self._waiters is None or self._waiters.process != os.getpid():
                self._waiters = _Waiters()
            return self._waiters


class _Waiters:
    def __init__(self) -> None:
        self.process = os.getpid()
        self._lock = Lock()
        self._waiting: set[uuid.UUID] = set()
        self._of_strangers: set[uuid.UUID] = set()
        atexit.register(self._give_up)

    def start(self, pk: uuid.UUID, *, by_stranger: bool = False) -> None:
        most = app_settings.MAX_WAITING
        with self._lock:
            if len(self._waiting) >= most:
                raise Busy
            if by_stranger:
                # Whoever is logged in always finds the other half.
                if len(self._of_strangers) >= max(1, most // 2):
                    raise Busy
                self._of_strangers.add(pk)
            self._waiting.add(pk)
        try:
            Thread(
                target=self._wait, args=[pk], name=f"magiclink-wait-{pk}", daemon=True
            ).start()
        except RuntimeError as error:
            # The system gives no more threads, or the process is ending.
            self._leave(pk)
            raise Busy from error

    def _wait(self, pk: uuid.UUID) -> None:
        try:
            approvals.perform(pk, writer.run)
        except Exception as error:
            # The row expires by itself. The text may quote what is in it.
            logger.error("Approval %s is lost: %s", pk, type(error).__name__)
        finally:
            self._leave(pk)

    def _leave(self, pk: uuid.UUID) -> None:
        with self._lock:
            self._waiting.discard(pk)
            self._of_strangers.discard(pk)

    def _give_up(self) -> None:
        if self.process != os.getpid():
            # A child of this process ends, which inherited the registration.
            return
        with self._lock:
            waiting, self._waiting = self._waiting, set()
        try:
            # The threads end with the process, and so does the writer.
            approvals.interrupt(waiting)
        except Exception as error:
            logger.error(
                "%d approvals are lost: %s", len(waiting), type(error).__name__
            )
