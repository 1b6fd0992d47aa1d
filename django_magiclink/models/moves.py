"""The moves of an approval's status, their only writer, and a guard's look at them."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from datetime import datetime, timedelta
from functools import lru_cache, partial
from typing import TYPE_CHECKING, Any

from django.apps import apps
from django.db import connections, models, router, transaction
from django.db.models import Q
from django.db.models.functions import Coalesce
from django.utils import timezone

from ..status import Status, sources
from .news import tell, wake

if TYPE_CHECKING:
    from .approval import Approval  # noqa: F401

#: Seconds by which the clocks of a site's machines may differ. An answer that lies
#: further ahead came before a clock was set back, nobody knows how long ago.
SKEW = 60
#: The phone's part is over: the server answered with one of its documented codes.
_ANSWERED = {
    Status.CONFIRMING,
    Status.ACCEPTED,
    Status.REJECTED,
    Status.NO_ANSWER,
    Status.UNDELIVERED,
}


def _moving_to(target: Status, now: datetime) -> tuple[Q, dict[str, Any]]:
    """Return what must be true of a row that moves to ``target``, and its new times."""
    guard = {
        Status.SENT: Q(start_by__gte=now),
        Status.CONFIRMING: Q(deadline__gte=now),
        # A tap alone does not do where a code must be typed.
        Status.ACCEPTED: Q(deadline__gte=now)
        & (Q(status=Status.CONFIRMING) | ~Q(code_mode="type")),
    }.get(target, Q())
    stamps: dict[str, Any] = {"moved": now}
    if target == Status.SENT:
        stamps["sent"] = now
    elif target == Status.CONSUMED:
        stamps["consumed"] = now
    elif target in _ANSWERED:
        # Age counts from the tap, which comes before a typed code.
        stamps |= {"answered": Coalesce("answered", now), "live_slot": None}
    return guard, stamps


class ApprovalQuerySet(models.QuerySet["Approval"]):
    """The only way to change where an approval stands, and to find a grant."""

    def primary(self) -> ApprovalQuerySet:
        """Read from the database that is written to: a replica lags."""
        return self.using(router.db_for_write(self.model))

    def accepted(self, binding: str, since: datetime) -> list[uuid.UUID]:
        """
        Return the latest accepted of ``binding`` that were answered ``since`` then.

        Every guarded request asks this, so the statement is made only once for each
        database: making it takes ten times as long as the database does.
        """
        alias = router.db_for_write(self.model)
        connection = connections[alias]
        span = (since, timezone.now() + timedelta(seconds=SKEW))
        times = map(connection.ops.adapt_datetimefield_value, span)
        values = [binding, *times, Status.ACCEPTED.value]
        with connection.cursor() as cursor:
            cursor.execute(_accepted_sql(alias), values)
            return [self.model._meta.pk.to_python(pk) for (pk,) in cursor.fetchall()]

    def advance(
        self,
        pk: uuid.UUID,
        target: Status,
        *,
        where: Q = Q(),
        by: Any = None,
        **changes: Any,
    ) -> bool:
        """
        Move one approval to ``target`` and tell whether this call did it.

        One guarded UPDATE: of two callers that race, the database lets one win, so a
        late answer never overwrites an earlier one. ``by`` is only told.
        """
        return bool(self.advance_all([pk], target, where=where, by=by, **changes))

    def advance_all(
        self,
        pks: Sequence[uuid.UUID],
        target: Status,
        *,
        where: Q = Q(),
        by: Any = None,
        **changes: Any,
    ) -> Sequence[uuid.UUID]:
        """
        Move several as :meth:`advance` moves one, and return those that it did move.

        In a transaction: which ones they are is read before others may go on.
        """
        now = timezone.now()
        guard, stamps = _moving_to(target, now)
        rows = self.filter(guard, where, pk__in=pks, status__in=sources(target))
        count = rows.update(status=target, **stamps | changes)
        if 0 < count < len(pks):
            found = self.using(rows.db).filter(pk__in=pks, status=target, moved=now)
            pks = list(found.order_by().values_list("pk", flat=True))
        if count:
            kind = str(changes.get("error_kind") or "-")
            # Not within a transaction: a receiver that fails could undo it unseen, and
            # so could PostgreSQL. Who waits comes first: a receiver may take its time.
            transaction.on_commit(partial(wake, rows.db, pks, target), using=rows.db)
            told = partial(tell, self.model, pks, target, kind, by)
            transaction.on_commit(told, using=rows.db)
        return pks if count else ()

    def free_slot(self, number_hash: str) -> None:
        """Let go of a number's slot once its prompt can no longer be answered."""
        self.filter(live_slot=number_hash, live_until__lt=timezone.now()).update(
            live_slot=None
        )


@lru_cache
def _accepted_sql(alias: str) -> str:
    # Filters in the order of the parameters that accepted() gives; the values are lost.
    now = timezone.now()
    model = apps.get_model("django_magiclink", "Approval")
    rows = model._default_manager.filter(binding="-").filter(answered__range=(now, now))
    rows = rows.filter(status=Status.ACCEPTED).order_by("-answered")
    compiler = rows.values_list("pk")[:20].query.get_compiler(alias)
    return str(compiler.as_sql()[0])
