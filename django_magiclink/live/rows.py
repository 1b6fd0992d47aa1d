"""The queries of a watcher, in a thread and on a connection of its own."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Callable, Collection
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from itertools import islice
from typing import TypeVar

from django.db import connections
from django.db.models import Q
from django.utils import timezone

from ..models import Approval
from ..status import UNANSWERED

#: Rows that one query looks at: a database takes only so many parameters.
CHUNK = 500

Result = TypeVar("Result")


class Rows:
    """Asks for the rows that are waited for, and holds its connection until closed."""

    def __init__(self) -> None:
        # Not the threads of the requests: one of those ends with its request.
        self._thread = ThreadPoolExecutor(1, "magiclink-watcher")

    async def changed(self, pks: Collection[uuid.UUID]) -> list[uuid.UUID]:
        """Return which of ``pks`` wait for their phone no more."""
        return await self.run(lambda: _changed(pks)) if pks else []

    async def run(self, query: Callable[[], Result]) -> Result:
        """Return what ``query`` returns there."""
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._thread, _run, query)

    def close(self) -> None:
        """Give the connection back."""
        self._thread.submit(connections.close_all)
        self._thread.shutdown(wait=False)


def _run(query: Callable[[], Result]) -> Result:
    try:
        return query()
    except Exception:
        # It may be what broke: the next query gets another.
        with suppress(Exception):
            connections.close_all()
        raise


def _changed(pks: Collection[uuid.UUID]) -> list[uuid.UUID]:
    # Only what has changed comes back. A status of another release is news as well.
    waits = Q(status__in=UNANSWERED, deadline__gte=timezone.now())
    rows = Approval.objects.primary().exclude(waits).order_by()
    found: list[uuid.UUID] = []
    rest = iter(pks)
    while chunk := list(islice(rest, CHUNK)):
        found += rows.filter(pk__in=chunk).values_list("pk", flat=True)
    return found
