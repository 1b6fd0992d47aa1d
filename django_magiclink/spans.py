"""Spans of time, and moments, as a person's clock has them and as programs do."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from django.utils.timezone import get_current_timezone, is_aware, make_aware

#: Seconds after which nothing that was created in a span can be open any more: longer
#: than the longest wait, its grace, and the typing of a code together.
SETTLED = 900

_HOUR = timedelta(hours=1)


class Span(NamedTuple):
    """From ``start``, and up to before ``end``; both in UTC, or naive as ``now`` is."""

    start: datetime
    end: datetime


class Range(NamedTuple):
    """How long to look back: so many spans of so many hours."""

    hours: int
    number: int


#: What can be asked for.
RANGES = {"24h": Range(1, 24), "7d": Range(6, 28), "30d": Range(24, 30)}


def spans_of(name: str, now: datetime) -> list[Span]:
    """Return the spans of a range, of which the last has ``now`` in it."""
    hours, number = RANGES[name]
    starts = _hours(now, number) if hours == 1 else _parts(now, hours, number)
    return [Span(start, end) for start, end in zip(starts, starts[1:], strict=False)]


def settled(span: Span, now: datetime) -> Iterator[Span]:
    """Yield what is settled of ``span``: all of it, or some of its hours."""
    over = now - timedelta(seconds=SETTLED)
    if span.end <= over:
        yield span
        return
    start = span.start
    while start + _HOUR <= min(over, span.end):
        yield Span(start, start + _HOUR)
        start += _HOUR


def on_the_wall(moment: datetime) -> datetime:
    """Return what a person's clock shows then; without ``USE_TZ`` that is as it is."""
    return moment.astimezone(get_current_timezone()) if is_aware(moment) else moment


def in_utc(moment: datetime) -> str:
    """Return a time as programs read it; a naive one is of the site's time zone."""
    aware = moment if is_aware(moment) else make_aware(moment)
    return aware.astimezone(UTC).isoformat(timespec="milliseconds")


def _hours(now: datetime, number: int) -> list[datetime]:
    current = _utc(on_the_wall(now).replace(minute=0, second=0, microsecond=0))
    return [current + _HOUR * step for step in range(1 - number, 2)]


def _parts(now: datetime, hours: int, number: int) -> list[datetime]:
    """The beginnings of so many parts of days, and the end of the last."""
    local = on_the_wall(now)
    here = local.tzinfo
    midnight = local.replace(hour=0, minute=0, second=0, microsecond=0, tzinfo=None)
    # On the wall clock, and only then in UTC: a day may have 23 hours, or 25.
    walls = [
        midnight + timedelta(hours=hours * step)
        for step in range(-number, 24 // hours + 1)
    ]
    starts = [_utc(wall.replace(tzinfo=here)) for wall in walls]
    current = max(index for index, start in enumerate(starts) if start <= now)
    return starts[current + 1 - number : current + 2]


def _utc(moment: datetime) -> datetime:
    return moment.astimezone(UTC) if is_aware(moment) else moment
