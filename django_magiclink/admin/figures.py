"""What the dashboard shows, as its page, its charts and its JSON have it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any

from django.contrib.auth import get_user_model
from django.utils import formats, timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext, pgettext

from .. import health
from ..locks import in_force
from ..models import ApiKey
from ..models.api_key import IN_USE, today
from ..outcomes import Outcome
from ..spans import on_the_wall
from ..statistics import (
    Statistics,
    gather,
    open_now,
    top_users,
    within,
)
from ..tallies import RESOLUTION
from .cards import Cell, Figures, card, clock, number, share, stacks

#: Days before its end from which a key is shown.
NEAR = 30

#: How many endpoints and scopes are told apart.
MOST = 10

#: Seconds that a bar may stand for, and how many there are before the last, open one.
_WIDTHS, _BARS = (1, 2, 5, 10, 30), 12

_FORMATS = {"24h": "H:i", "7d": "D H:i", "30d": "j M"}


def figures(name: str) -> Figures:
    """Return the tiles and the cards of the range ``name``, as of now."""
    now = timezone.now()
    statistics = gather(name, now)
    endpoints = _("By endpoint"), _("Endpoint"), statistics.endpoints
    scopes = _("By scope"), _("Scope"), statistics.scopes
    return {
        "range": name,
        "updated": clock(now, now),
        "tiles": _tiles(statistics, open_now(now)),
        "cards": [
            _over_time(name, statistics),
            _shares(statistics.outcomes),
            _answers(statistics.times),
            _by("endpoints", *endpoints),
            _by("scopes", *scopes),
            *_users(statistics.spans[0].start),
            _locks(now),
            _keys(),
        ],
    }


def _tiles(statistics: Statistics, waiting: int) -> list[dict[str, str]]:
    outcomes, times = statistics.outcomes, statistics.times
    finished = outcomes.total() - outcomes[Outcome.OPEN]
    late = within(times, 0.95)
    note = _("95 %% within %s s") % number(late, 1) if late else ""
    tiles = [
        ("approvals", _("Approvals"), number(outcomes.total()), _("asked for")),
        (
            "success",
            _("Success rate"),
            share(outcomes[Outcome.ACCEPTED], finished),
            _("accepted, of all that have ended"),
        ),
        ("answer", _("Median time to answer"), _median(times), note),
        ("open", _("Open now"), number(waiting), _("waiting for an answer")),
    ]
    names = ("name", "title", "value", "note")
    return [dict(zip(names, tile, strict=True)) for tile in tiles]


def _median(times: Counter[int]) -> str:
    median = within(times, 0.5)
    return _("%s s") % number(median, 1) if median else "–"


def _over_time(name: str, statistics: Statistics) -> Figures:
    labels = [
        formats.date_format(on_the_wall(span.start), _FORMATS[name])
        for span in statistics.spans
    ]
    rows: list[list[Cell]] = [
        [label, outcomes.total(), *(outcomes[each] for each in Outcome)]
        for label, outcomes in zip(labels, statistics.series, strict=True)
    ]
    columns = [_("From"), _("Approvals"), *(each.label for each in Outcome)]
    chart = {"kind": "columns", **stacks(labels, statistics.series)}
    return card("time", _("Approvals over time"), columns, rows, chart=chart)


def _shares(outcomes: Counter[str]) -> Figures:
    rows: list[list[Cell]] = [
        [str(each.label), outcomes[each], share(outcomes[each], outcomes.total())]
        for each in Outcome
    ]
    chart = {
        "kind": "ring",
        "labels": [str(each.label) for each in Outcome],
        "keys": Outcome.values,
        "values": [outcomes[each] for each in Outcome],
    }
    columns = [_("Outcome"), _("Approvals"), pgettext("column", "Share")]
    return card("shares", _("Outcomes"), columns, rows, chart=chart)


def _answers(times: Counter[int]) -> Figures:
    late = within(times, 0.95) or 0
    width = next((each for each in _WIDTHS if each * _BARS >= late), _WIDTHS[-1])
    bars: Counter[int] = Counter()
    for time, answers in times.items():
        bars[min(int(time * RESOLUTION / width), _BARS)] += answers
    labels = [
        _("%s s") % f"{each * width}–{(each + 1) * width}" for each in range(_BARS)
    ]
    labels.append(_("%s s and more") % (_BARS * width))
    rows: list[list[Cell]] = [[label, bars[at]] for at, label in enumerate(labels)]
    chart = {
        "kind": "bars",
        "labels": labels,
        "label": _("Answers"),
        "values": [bars[at] for at in range(len(labels))],
    }
    columns = [_("Time to answer"), _("Answers")]
    note = _("Accepted and declined, from sending to the answer.")
    return card("answers", _("Time to answer"), columns, rows, note=note, chart=chart)


def _by(
    name: str, title: str, column: str, counted: Mapping[str, Counter[str]]
) -> Figures:
    largest = sorted(counted.items(), key=lambda item: (-item[1].total(), item[0]))
    parts = [(each or "–", outcomes) for each, outcomes in largest[:MOST]]
    if others := [outcomes for each, outcomes in largest[MOST:]]:
        rest = ngettext("%d other", "%d others", len(others)) % len(others)
        parts.append((rest, sum(others, Counter())))
    rows: list[list[Cell]] = [
        [
            each,
            outcomes.total(),
            outcomes[Outcome.ACCEPTED],
            share(
                outcomes[Outcome.ACCEPTED], outcomes.total() - outcomes[Outcome.OPEN]
            ),
        ]
        for each, outcomes in parts
    ]
    chart = stacks([each for each, _o in parts], [outcomes for _n, outcomes in parts])
    columns = [column, _("Approvals"), _("Accepted"), _("Success rate")]
    return card(name, title, columns, rows, chart={"kind": "rows", **chart})


def _users(start: datetime) -> list[Figures]:
    attempts, declines = top_users(start)
    users: Any = get_user_model()._default_manager
    known = users.in_bulk({pk for pk, _number in [*attempts, *declines]})

    def rows(top: Iterable[tuple[Any, int]]) -> list[list[Cell]]:
        # One that was deleted a moment ago may still be remembered.
        return [[known[pk].get_username(), times] for pk, times in top if pk in known]

    columns = [_("User"), _("Approvals")]
    return [
        card("attempts", _("Most approvals"), columns, rows(attempts)),
        card(
            "declines",
            _("Most declines"),
            [*columns[:1], _("Declined")],
            rows(declines),
        ),
    ]


def _locks(now: datetime) -> Figures:
    reasons = {
        "rejects_lock": _("Declined too often"),
        "no_answers_lock": _("Not answered too often"),
        "reported": _("Reported as not asked for"),
    }
    rows: list[list[Cell]] = [
        [
            lock.user_name,
            lock.phone or _("all"),
            reasons[lock.limit],
            clock(lock.until, now),
        ]
        for lock in in_force(now)
    ]
    columns = [_("User"), _("Phone"), _("Reason"), _("Until")]
    empty = _("No phone is locked.")
    return card("locks", _("Locks in force"), columns, rows, empty=empty)


def _keys() -> Figures:
    last = today() + timedelta(days=NEAR)
    keys = ApiKey.objects.filter(IN_USE, expires_on__lte=last)
    rows: list[list[Cell]] = [
        [
            key.endpoint.name,
            key.name,
            formats.date_format(key.expires_on, "SHORT_DATE_FORMAT"),
            health.days_left(key) or 0,
        ]
        for key in keys.select_related("endpoint").order_by("expires_on")
        if key.expires_on
    ]
    columns = [_("Endpoint"), _("Key"), _("Expires on"), _("Days left")]
    empty = _("No key expires within %s days.") % NEAR
    return card("keys", _("Keys near their expiry"), columns, rows, empty=empty)
