"""What an event stream says: that it works, and that there is news."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterator

from asgiref.sync import sync_to_async
from django.db import connections
from django.utils import timezone

from .watcher import change_of

#: Seconds of silence after which some proxies would take the stream for dead.
KEEP_ALIVE = 15
#: A page that has it knows that no proxy holds the stream back, and asks less often.
WAITING = b"data: waiting\n\n"
#: Not what has changed: a stranger may have the address. The page asks for that.
CHANGED = b"data: changed\n\n"


async def events(pk: uuid.UUID, until: float) -> AsyncIterator[bytes]:
    """Yield the stream of one page, which ends with the wait, or with ``until``."""
    await sync_to_async(_let_go)()
    with change_of(pk) as change:
        yield WAITING
        while not change.done() and (left := until - timezone.now().timestamp()) > 0:
            await asyncio.wait([change], timeout=min(left, KEEP_ALIVE))
            if not change.done():
                yield b":\n\n"
    yield CHANGED


def _let_go() -> None:
    # Middleware has run in this thread, which is the request's as long as the stream
    # is open: a connection would stay with it, and a few hundred exhaust a database.
    for connection in connections.all(initialized_only=True):
        # A test of the host's may be in its transaction here.
        if not connection.in_atomic_block:
            connection.close()
