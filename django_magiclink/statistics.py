"""What came of the approvals of a range of time, and who is asked most."""

from __future__ import annotations

import logging
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.core.cache import cache
from django.db.models import Count, QuerySet
from django.utils.crypto import salted_hmac

from .models import Approval
from .spans import RANGES, Span, settled, spans_of
from .status import UNDECIDED, Status
from .tallies import RESOLUTION, count, tallies_of

logger = logging.getLogger("django_magiclink")

#: Seconds for which the users with most approvals may be remembered.
REMEMBERED = 45

#: How many of them are told.
TOP = 10


_Top = tuple[list[tuple[Any, int]], list[tuple[Any, int]]]


@dataclass(frozen=True, kw_only=True)
class Statistics:
    """How many approvals of a range came to which outcome."""

    spans: Sequence[Span]
    #: In each of the spans.
    series: Sequence[Counter[str]]
    #: By what they were for, and by whom they were asked.
    scopes: dict[str, Counter[str]]
    endpoints: dict[str, Counter[str]]
    #: How many answers, yes or no, took so many times :data:`RESOLUTION`.
    times: Counter[int]

    @property
    def outcomes(self) -> Counter[str]:
        """How many in all came to each outcome."""
        return sum(self.series, Counter())


def gather(name: str, now: datetime) -> Statistics:
    """
    Return the statistics of the range ``name`` up to ``now``.

    What is settled comes from tallies, of which those that are missing are made. Only
    the last hour or two are counted each time.
    """
    spans = spans_of(name, now)
    parts = [list(settled(span, now)) for span in spans]
    tallies = tallies_of([part for each in parts for part in each], now)
    found = []
    for span, known in zip(spans, parts, strict=True):
        found.append([tallies[part] for part in known])
        rest = Span(known[-1].end if known else span.start, span.end)
        if rest.start < rest.end:
            found[-1].append(count(rest, now))
    flat = [counts for each in found for counts in each]
    times = _summed(counts["times"] for counts in flat)
    return Statistics(
        spans=spans,
        series=[_summed(counts["outcomes"] for counts in each) for each in found],
        scopes=_summed_by_name(counts["scopes"] for counts in flat),
        endpoints=_summed_by_name(counts["endpoints"] for counts in flat),
        times=Counter({int(time): number for time, number in times.items()}),
    )


def settle(now: datetime) -> None:
    """Count what is settled of every range, so that nobody waits for it later."""
    for name in RANGES:
        gather(name, now)


def _summed(counted: Iterable[Mapping[str, int]]) -> Counter[str]:
    total: Counter[str] = Counter()
    for counts in counted:
        for key, number in counts.items():
            total[key] += number
    return total


def _summed_by_name(
    counted: Iterable[Mapping[str, Mapping[str, int]]],
) -> dict[str, Counter[str]]:
    by_name = defaultdict(list)
    for counts in counted:
        for name, outcomes in counts.items():
            by_name[name].append(outcomes)
    return {name: _summed(parts) for name, parts in by_name.items()}


def within(times: Counter[int], share: float) -> float | None:
    """Return within how many seconds this ``share`` of the answers came."""
    wanted, seen = share * times.total(), 0
    for time in sorted(times):
        seen += times[time]
        if seen >= wanted:
            return (time + 1) * RESOLUTION
    return None


def open_now(now: datetime) -> int:
    """Return how many approvals wait for an answer."""
    rows = Approval.objects.primary().filter(status__in=UNDECIDED, deadline__gte=now)
    return rows.count()


def top_users(start: datetime) -> _Top:
    """
    Return who has most approvals since ``start``, and who most declined ones.

    Both as primary keys and numbers, which may be :data:`REMEMBERED` seconds old.
    """
    # Of this site alone, as others may share its cache.
    salt = "django_magiclink.top_users"
    own = salted_hmac(salt, start.isoformat(), algorithm="sha256")
    key = f"{salt}.{own.hexdigest()}"
    found: _Top | None = _of_cache(cache.get, key)
    if found is None:
        rows = Approval.objects.primary().filter(created__gte=start, user__isnull=False)
        found = _most(rows), _most(rows.filter(status=Status.REJECTED))
        _of_cache(cache.set, key, found, REMEMBERED)
    return found


def _of_cache(act: Callable[..., Any], *values: Any) -> Any:
    try:
        return act(*values)
    except Exception as error:
        # A cache is there to save time; each has errors of its own, and what they say
        # may hold its address and password.
        logger.error("The cache does not work: %s", type(error).__name__)
        return None


def _most(rows: QuerySet[Approval]) -> list[tuple[Any, int]]:
    counted = rows.order_by().values_list("user").annotate(number=Count("*"))
    return list(counted.order_by("-number", "user")[:TOP])
