"""Daemon threads of the web process wait: nothing to install."""

from __future__ import annotations

import logging
import os
import uuid
from collections.abc import Callable
from concurrent.futures import Future
from queue import Empty, SimpleQueue
from threading import Lock, Thread
from typing import Any

from django.db import connections

from .. import approvals
from ..conf import app_settings
from ..exceptions import Busy
from .base import BaseDispatcher

logger = logging.getLogger("django_magiclink")


class ThreadDispatcher(BaseDispatcher):
    """
    One daemon thread an approval; ``MAGICLINK_MAX_WAITING`` bounds them per process.

    Nothing survives a restart: what it interrupts reads as expired, and can be asked
    for again.
    """

    def __init__(self) -> None:
        self._lock = Lock()
        self._waiters: _Waiters | None = None

    def dispatch(self, pk: uuid.UUID) -> None:
        self._of_this_process().start(pk)

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
        self._waiting = 0
        self._writer = _Writer()

    def start(self, pk: uuid.UUID) -> None:
        with self._lock:
            if self._waiting >= app_settings.MAX_WAITING:
                raise Busy
            self._waiting += 1
        try:
            Thread(
                target=self._wait, args=[pk], name=f"magiclink-wait-{pk}", daemon=True
            ).start()
        except RuntimeError as error:
            # The system gives no more threads, or the process is ending.
            self._leave()
            raise Busy from error

    def _wait(self, pk: uuid.UUID) -> None:
        try:
            approvals.perform(pk, self._writer.run)
        except Exception as error:
            # The row expires by itself. The text may quote what is in it.
            logger.error("Approval %s is lost: %s", pk, type(error).__name__)
        finally:
            self._leave()

    def _leave(self) -> None:
        with self._lock:
            self._waiting -= 1


class _Writer:
    """One thread, and so one database connection, for all the waits of a process."""

    #: Seconds without work after which the connection is given back.
    IDLE = 1.0

    def __init__(self) -> None:
        self._steps: SimpleQueue[tuple[Callable[[], Any], Future[Any]]] = SimpleQueue()
        Thread(target=self._work, name="magiclink-writer", daemon=True).start()

    def run(self, step: Callable[[], Any]) -> Any:
        future: Future[Any] = Future()
        self._steps.put((step, future))
        return future.result()

    def _work(self) -> None:
        while True:
            step, future = self._next()
            try:
                future.set_result(step())
            except Exception as error:
                future.set_exception(error)
                # The connection may be what broke: the next step gets another.
                _close_connections()

    def _next(self) -> tuple[Callable[[], Any], Future[Any]]:
        try:
            return self._steps.get(timeout=self.IDLE)
        except Empty:
            _close_connections()
            return self._steps.get()


def _close_connections() -> None:
    try:
        connections.close_all()
    except Exception as error:
        # The writer must go on: all later approvals of the process need it.
        logger.error("A connection did not close: %s", type(error).__name__)
