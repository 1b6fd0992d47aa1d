"""PostgreSQL tells what changes, so that nobody has to look so often."""

from __future__ import annotations

import asyncio
import logging
import secrets
import uuid
from collections.abc import Callable
from contextvars import Context
from functools import partial
from typing import Any

from django.db import connections, router

from ..models import Approval
from ..models.news import CHANNEL, notify
from .rows import Rows

logger = logging.getLogger("django_magiclink")

#: Seconds within which the connection must be there, and then hear the first word.
PATIENCE = 5
#: Seconds until a listener that failed tries again.
RETRY = 60


class Listener:
    """
    One connection that hears which approvals wait no more, where psycopg 3 is there.

    ``hears`` is true only once it has heard something: through a pooler that gives
    each transaction another connection it never will.
    """

    def __init__(
        self,
        rows: Rows,
        tell: Callable[[uuid.UUID], None],
        begin: Callable[[], None],
    ) -> None:
        self.hears = False
        self._stopped = False
        self._rows = rows
        self._tell = tell
        self._begin = begin
        self._alias = router.db_for_write(Approval)
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin, if this database can tell."""
        connection: Any = connections[self._alias]
        kind = getattr(connection.Database, "AsyncConnection", None)
        if connection.vendor == "postgresql" and kind is not None:
            connect = partial(kind.connect, **self._parameters())
            run = self._run(connect)
            self._task = asyncio.get_running_loop().create_task(run, context=Context())

    def stop(self) -> None:
        """End; the connection is closed a moment later."""
        # Before Python 3.12 asyncio.wait_for(), in psycopg, may swallow a cancellation.
        self._stopped = True
        if self._task is not None:
            self._task.cancel()

    def _parameters(self) -> dict[str, Any]:
        parameters = connections[self._alias].get_connection_params()
        # They are for Django's own connections, which are no async ones.
        for name in ("cursor_factory", "context"):
            parameters.pop(name, None)
        return {"connect_timeout": PATIENCE, "autocommit": True} | parameters

    async def _run(self, connect: Callable[[], Any]) -> None:
        while not self._stopped:  # pragma: no branch
            try:
                async with await connect() as connection:
                    await self._listen(connection)
            except Exception as error:
                kind = type(error).__name__
                logger.warning("The database does not tell what changes: %s", kind)
            self.hears = False
            await asyncio.sleep(RETRY)

    async def _listen(self, connection: Any) -> None:
        await connection.execute(f"LISTEN {CHANNEL}")
        word = secrets.token_hex(8)
        # By the other connection: a pooler would have to bring it to this one.
        await self._rows.run(partial(notify, self._alias, word))
        while not self._stopped:  # pragma: no branch
            async for notice in connection.notifies(timeout=PATIENCE):
                self._hear(notice.payload, word)
            if not self.hears:
                raise TimeoutError

    def _hear(self, payload: str, word: str) -> None:
        if payload == word:
            self.hears = True
            self._begin()
            return
        try:
            pk = uuid.UUID(payload)
        except ValueError:
            # Another listener's first word.
            return
        self._tell(pk)
