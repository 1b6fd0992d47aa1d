"""One thread, and so one database connection, for all the waits of a process."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable
from concurrent.futures import Future
from queue import Empty, SimpleQueue
from threading import Lock, Thread
from typing import Any

from django.db import connections

logger = logging.getLogger("django_magiclink")

_lock = Lock()
_writer: _Writer | None = None


def run(step: Callable[[], Any]) -> Any:
    """
    Do ``step`` in this process's writer, and return or raise what it does.

    What :func:`~django_magiclink.approvals.perform` takes where many wait: a connection
    for each of them would exhaust the database.
    """
    return _of_this_process().run(step)


def _of_this_process() -> _Writer:
    global _writer
    # A forked worker has its parent's objects, but not its parent's threads.
    with _lock:
        if _writer is None or _writer.process != os.getpid():
            _writer = _Writer()
        return _writer


class _Writer:
    #: Seconds without work after which the connection is given back.
    IDLE = 1.0

    def __init__(self) -> None:
        self.process = os.getpid()
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
