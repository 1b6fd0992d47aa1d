"""The queries of a watcher, in a thread and on a connection of its own."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Callable, Set
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import TypeVar

from django.db import connections
from django.utils import timezone

from ..models import Approval
from ..status import UNANSWERED

#: Ids that a query names. A database takes only so many, and reading what waits in the
#: whole site soon costs less than naming them.
FEW = 200

Result = TypeVar("Result")


class Rows:
    """Asks for the rows that are waited for, and holds its connection until closed."""

    def __init__(self) -> None:
        # Not the threads of the requests: one of those ends with its request.
        self._thread = ThreadPoolExecutor(1, "magiclink-watcher")

    async def changed(self, pks: Set[uuid.UUID]) -> Set[uuid.UUID]:
        """Return which of ``pks`` wait for their phone no more."""
        return await self.run(lambda: _changed(pks)) if pks else pks

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


def _changed(pks: Set[uuid.UUID]) -> Set[uuid.UUID]:
    # A status of another release is news as well, and a row that is gone.
    rows = Approval.objects.primary().order_by()
    waits = rows.filter(status__in=UNANSWERED, deadline__gte=timezone.now())
    if len(pks) <= FEW:
        waits = waits.filter(pk__in=pks)
    connection = connections[rows.db]
    query = waits.values_list("pk").query
    with connection.cursor() as cursor:
        # As the database has them: thousands of UUIDs cost more than the query.
        cursor.execute(*query.get_compiler(rows.db).as_sql())
        waiting = {stored for (stored,) in cursor.fetchall()}
    stored_as = Approval._meta.pk.get_db_prep_value
    return {pk for pk in pks if stored_as(pk, connection) not in waiting}
