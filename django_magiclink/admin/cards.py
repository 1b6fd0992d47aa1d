"""What each card of the dashboard is made of, in the user's language."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from django.utils import formats
from django.utils.translation import gettext as _

from ..outcomes import Outcome
from ..spans import on_the_wall

Figures = dict[str, Any]
Cell = str | int


def card(
    name: str,
    title: str,
    columns: Sequence[Any],
    rows: Sequence[Sequence[Cell]],
    *,
    note: str = "",
    empty: str = "",
    chart: Figures | None = None,
) -> Figures:
    """Return a card: a table, and maybe a chart of it."""
    return {
        "name": name,
        "title": title,
        "note": note,
        "empty": empty or _("Nobody was asked."),
        "columns": [str(column) for column in columns],
        "rows": [
            [number(cell) if isinstance(cell, int) else cell for cell in row]
            for row in rows
        ],
        "chart": chart,
    }


def stacks(labels: Sequence[str], series: Sequence[Counter[str]]) -> Figures:
    """Return the part of a chart that has the outcomes on top of each other."""
    return {
        "labels": labels,
        "series": [
            {
                "key": each.value,
                "label": str(each.label),
                "values": [outcomes[each] for outcomes in series],
            }
            for each in Outcome
        ],
    }


def number(value: float, digits: int = 0) -> str:
    """Return a number as it is written in the user's language."""
    return formats.number_format(value, digits, force_grouping=True)


def share(part: int, whole: int) -> str:
    """Return how much of ``whole`` a ``part`` is, in percent."""
    return _("%s %%") % number(100 * part / whole, 1) if whole else "–"


def clock(moment: datetime, now: datetime) -> str:
    """Return a time on the user's clock, with its day unless that is today."""
    local = on_the_wall(moment)
    text = formats.time_format(local, "H:i:s")
    if local.date() == on_the_wall(now).date():
        return text
    return f"{formats.date_format(local, 'SHORT_DATE_FORMAT')} {text}"
