"""One look now and then for all pages that wait in a process, however many."""

from __future__ import annotations

import asyncio
import logging
import uuid
from asyncio import AbstractEventLoop, Future
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import Context

from .listening import Listener
from .rows import Rows

logger = logging.getLogger("django_magiclink")

#: Seconds between two looks.
TICK = 0.2
#: The same while the database itself tells what changes, in case it does not.
SAFETY = 2.0
#: Seconds until a database that did not answer is asked again.
RETRY = 1.0

_watchers: dict[AbstractEventLoop, _Watcher] = {}


@contextmanager
def change_of(pk: uuid.UUID) -> Iterator[Future[None]]:
    """Give what is done as soon as approval ``pk`` waits for its phone no more."""
    loop = asyncio.get_running_loop()
    if loop not in _watchers:
        _watchers[loop] = _Watcher(loop)
    watcher = _watchers[loop]
    change: Future[None] = loop.create_future()
    watcher.add(pk, change)
    try:
        yield change
    finally:
        watcher.remove(pk, change)


class _Watcher:
    """
    Runs in one event loop while somebody waits there.

    A new loop, such as that of a forked process, has another. The task is none of the
    request that happens to come first: with its context it would lose its thread.
    """

    def __init__(self, loop: AbstractEventLoop) -> None:
        self._loop = loop
        self._changes: dict[uuid.UUID, set[Future[None]]] = defaultdict(set)
        self._new: set[uuid.UUID] = set()
        self._rows = Rows()
        self._listener = Listener(self._rows, self._tell, self._look_soon)
        self._look_at_all = 0.0
        self._silent = False
        self._task: asyncio.Task[None] | None = None

    def add(self, pk: uuid.UUID, change: Future[None]) -> None:
        self._changes[pk].add(change)
        self._new.add(pk)
        if self._task is None:
            self._task = self._loop.create_task(self._run(), context=Context())

    def remove(self, pk: uuid.UUID, change: Future[None]) -> None:
        others = self._changes.get(pk, set()) - {change}
        if others:
            self._changes[pk] = others
        else:
            self._changes.pop(pk, None)
            self._new.discard(pk)

    async def _run(self) -> None:
        self._listener.start()
        try:
            while self._changes:
                await self._look()
                await asyncio.sleep(RETRY if self._silent else TICK)
        finally:
            del _watchers[self._loop]
            self._listener.stop()
            self._rows.close()

    async def _look(self) -> None:
        now = self._loop.time()
        pks = self._new
        if not self._listener.hears or now >= self._look_at_all:
            pks = set(self._changes)
            self._look_at_all = now + SAFETY
        self._new = set()
        try:
            for pk in await self._rows.changed(pks):
                self._tell(pk)
        except Exception as error:
            self._look_at_all = 0.0
            if not self._silent:
                # Once: it would fill the log. The text may quote what is in a row.
                logger.error("Waiting pages hear nothing: %s", type(error).__name__)
            self._silent = True
        else:
            self._silent = False

    def _look_soon(self) -> None:
        # What changed before the database was listened to.
        self._look_at_all = 0.0

    def _tell(self, pk: uuid.UUID) -> None:
        for change in self._changes.pop(pk, ()):
            change.set_result(None)
