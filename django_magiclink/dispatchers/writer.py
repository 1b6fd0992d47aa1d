"""One thread, and so one database connection, for all the waits of a process."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import suppress
from itertools import count
from queue import Empty, PriorityQueue
from threading import Lock, Thread
from typing import Any, NamedTuple, Protocol, runtime_checkable

from django.db import connections

logger = logging.getLogger("django_magiclink")

_lock = Lock()
_writer: _Writer | None = None


def run(step: Callable[[], Any], *, later: bool = False) -> Any:
    """
    Do ``step`` in this process's writer, and return or raise what it does.

    What :func:`~django_magiclink.approvals.perform` takes where many wait: a connection
    for each of them would exhaust the database. What may come ``later`` is done once
    nothing else is to do.
    """
    return _of_this_process().run(step, later)


def _of_this_process() -> _Writer:
    global _writer
    # A forked worker has its parent's objects, but not its parent's threads.
    with _lock:
        if _writer is None or _writer.process != os.getpid():
            _writer = _Writer()
        return _writer


@runtime_checkable
class Joint(Protocol):
    """A step that may be done with others like it, at a fraction of the cost."""

    def __call__(self) -> Any:
        """Do it alone."""

    @staticmethod
    def together(steps: list[Any]) -> list[Any]:
        """Do all of them and return what each returns, or raise and do none."""


class _Job(NamedTuple):
    """Sorts by what is done first: what many may wait for at a time, and is Joint."""

    later: bool
    alone: bool
    serial: int
    step: Callable[[], Any]
    future: Future[Any]


class _Writer:
    #: Seconds without work after which the connection is given back.
    IDLE = 1.0
    #: Steps that are done together at most, as their rows are locked meanwhile.
    MOST = 100

    def __init__(self) -> None:
        self.process = os.getpid()
        self._jobs: PriorityQueue[_Job] = PriorityQueue()
        self._serial = count()
        Thread(target=self._work, name="magiclink-writer", daemon=True).start()

    def run(self, step: Callable[[], Any], later: bool = False) -> Any:
        future: Future[Any] = Future()
        alone = not isinstance(step, Joint)
        self._jobs.put(_Job(later, alone, next(self._serial), step, future))
        return future.result()

    def _work(self) -> None:
        while True:
            jobs = self._next()
            if len(jobs) == 1 or not self._do_together(jobs):
                for job in jobs:
                    self._do(job)

    def _do(self, job: _Job) -> None:
        try:
            job.future.set_result(job.step())
        except Exception as error:
            job.future.set_exception(error)
            # The connection may be what broke: the next step gets another.
            _close_connections()

    def _do_together(self, jobs: list[_Job]) -> bool:
        steps = [job.step for job in jobs if isinstance(job.step, Joint)]
        try:
            results = steps[0].together(steps)
        except Exception as error:
            # One of them may be why, and all are as before.
            logger.warning("Steps are done singly: %s", type(error).__name__)
            _close_connections()
            return False
        for job, result in zip(jobs, results, strict=True):
            job.future.set_result(result)
        return True

    def _next(self) -> list[_Job]:
        try:
            job = self._jobs.get(timeout=self.IDLE)
        except Empty:
            _close_connections()
            job = self._jobs.get()
        jobs = [job]
        with suppress(Empty):
            while not job.alone and len(jobs) < self.MOST:
                job = self._jobs.get_nowait()
                if job.alone:
                    self._jobs.put(job)
                else:
                    jobs.append(job)
        return jobs


def _close_connections() -> None:
    try:
        connections.close_all()
    except Exception as error:
        # The writer must go on: all later approvals of the process need it.
        logger.error("A connection did not close: %s", type(error).__name__)
