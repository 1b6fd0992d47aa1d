"""
Counts of spans of time, made once for what is settled.

None of it is personal: it says neither who was asked nor who has asked.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter, defaultdict
from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any

from django.db import router
from django.db.models import (
    Case,
    CharField,
    Count,
    F,
    Func,
    IntegerField,
    QuerySet,
    Value,
    When,
)

from .models import Approval, Tally
from .outcomes import OUTCOMES, OVERDUE, Outcome
from .spans import Span
from .status import GRANTED, UNDECIDED, Status

#: Times to answer are told apart by so many seconds.
RESOLUTION = 0.5

#: Tallies are kept for longer than the longest range, and no longer than that.
_KEPT = timedelta(days=32)


def seal(before: datetime) -> None:
    """Keep the counts of what began ``before`` as they are: its rows are to go."""
    old = _known().filter(start__lt=before)
    rows = [tally for tally in old if tally.counts["undecided"] is not None]
    for tally in rows:
        tally.counts["undecided"] = None
    _known().bulk_update(rows, ["counts"], batch_size=100)


class _Times(Func):
    """How many times ``RESOLUTION`` lie between two moments, the later one first."""

    template = "CAST(FLOOR(EXTRACT(EPOCH FROM (%(expressions)s)) * 2) AS integer)"
    arg_joiner = " - "
    output_field = IntegerField()

    def as_sqlite(self, compiler: Any, connection: Any, **context: Any) -> Any:
        # Django's own subtraction calls Python for each row.
        return self.as_sql(
            compiler,
            connection,
            template="CAST(ROUND((julianday(%(expressions)s)) * 86400000) AS integer)"
            " / 500",
            arg_joiner=") - julianday(",
            **context,
        )


def _known() -> QuerySet[Tally]:
    return Tally.objects.using(router.db_for_write(Tally))


def tallies_of(parts: list[Span], now: datetime) -> dict[Span, dict[str, Any]]:
    """Return the counts of settled parts, of which those that are missing are made."""
    rows = _undecided(parts, now)
    known = {
        Span(tally.start, tally.end): tally.counts
        for tally in _known().filter(start__in={part.start for part in parts})
    }
    found, made = {}, False
    for part in parts:
        counts = known.get(part)
        # One that was overdue when it was counted may have been given up since.
        if counts is None or counts["undecided"] not in (None, rows[part]):
            counts = count(part, now)
            _keep(part, counts)
            made = True
        found[part] = counts
    if made:
        _known().filter(start__lt=now - _KEPT).delete()
    return found


def _undecided(parts: list[Span], now: datetime) -> Counter[Span]:
    """Return how many of each part nobody has finished in time, nor marked as such."""
    rows = Approval.objects.primary().filter(
        status__in=UNDECIDED, created__gte=parts[0].start, created__lt=parts[-1].end
    )
    starts = [part.start for part in parts]
    return Counter(
        parts[bisect_right(starts, created) - 1]
        for created in rows.order_by().values_list("created", flat=True)
    )


def _keep(part: Span, counts: dict[str, Any]) -> None:
    # One by one, so that whoever gave up on the first look leaves less to the next.
    _known().bulk_create(
        [Tally(start=part.start, end=part.end, counts=counts)],
        update_conflicts=True,
        unique_fields=["start", "end"],
        update_fields=["counts"],
    )


def count(span: Span, now: datetime) -> dict[str, Any]:
    """Count the approvals of a span, in a form that JSON can hold."""
    rows = Approval.objects.primary().filter(
        created__gte=span.start, created__lt=span.end
    )
    late = When(status__in=UNDECIDED, deadline__lt=now, then=Value(OVERDUE))
    standing = Case(late, default=F("status"), output_field=CharField())
    groups = rows.order_by().annotate(standing=standing)
    counted = groups.values_list("standing", "scope", "endpoint_name")
    found = _summed(counted.annotate(number=Count("*")))
    return {**found, "times": _count_times(rows)}


def _summed(counted: Iterable[tuple[str, str, str, int]]) -> dict[str, Any]:
    outcomes: Counter[str] = Counter()
    scopes: dict[str, Counter[str]] = defaultdict(Counter)
    endpoints: dict[str, Counter[str]] = defaultdict(Counter)
    undecided = 0
    for status, scope, endpoint, number in counted:
        outcome = OUTCOMES.get(status, Outcome.FAILED)
        for counter in (outcomes, scopes[scope], endpoints[endpoint]):
            counter[outcome.value] += number
        undecided += number * (status == OVERDUE)
    return {
        "outcomes": outcomes,
        "scopes": scopes,
        "endpoints": endpoints,
        "undecided": undecided,
    }


def _count_times(rows: QuerySet[Approval]) -> dict[str, int]:
    """Count the answers that a person gave by how long they took."""
    # No filter by status: SQLite would take its index, and read nearly all there is.
    by_person = When(
        status__in=[*GRANTED, Status.REJECTED], then=_Times("answered", "sent")
    )
    times = rows.order_by().annotate(time=Case(by_person, output_field=IntegerField()))
    counted = times.values_list("time").annotate(number=Count("*"))
    found: Counter[str] = Counter()
    for time, number in counted:
        if time is not None:
            # A clock that was set back is no reason to fail.
            found[str(max(time, 0))] += number
    return found
