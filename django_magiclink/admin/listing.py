"""The list of the audit trail: pages, days and searches that read a bounded number."""

from __future__ import annotations

import uuid
from datetime import date, datetime, timedelta
from itertools import takewhile
from typing import Any

from django.contrib.admin.options import IncorrectLookupParameters
from django.contrib.admin.views.main import ORDER_VAR, ChangeList
from django.contrib.auth import get_user_model
from django.core.paginator import Paginator
from django.db.models import Q, QuerySet
from django.http import HttpRequest
from django.utils.formats import date_format
from django.utils.functional import cached_property
from django.utils.translation import gettext as _

from ..models import Approval
from ..spans import on_the_wall

#: Rows that the list leads to: a filter or a search finds what lies further back.
MOST_ROWS = 1000
#: Newest rows, of those that the filters leave, in which a text is looked for.
SEARCHED_ROWS = 10_000
#: So many users are looked up; of more, a name is looked for as a text is.
_MOST_USERS = 10
#: Up to so many days each one has its link, then each month, then each year.
_MOST_DAYS, _MOST_MONTHS = 62, 24

_DATE_PARTS = ["created__year", "created__month", "created__day"]


class BoundedPaginator(Paginator):
    """Counts no further than the list goes: a whole table takes too long to count."""

    @cached_property
    def count(self) -> int:
        rows: Any = self.object_list
        return int(rows.order_by()[:MOST_ROWS].count())

    @property
    def is_cut(self) -> bool:
        """Whether there may be more."""
        return self.count == MOST_ROWS


class AuditList(ChangeList):
    """A change list with links to days: of all rows only two are read for them."""

    @property
    def days(self) -> dict[str, Any]:
        """What Django's template of a date hierarchy shows."""
        prefix, parts, chosen = "created__", _DATE_PARTS, self._chosen()
        back = {"title": _("All dates"), "link": self.get_query_string({}, [prefix])}
        links = [
            {
                "title": title,
                "link": self.get_query_string(
                    dict(zip(parts, values, strict=False)), [prefix]
                ),
            }
            for title, values in _periods(chosen)
        ]
        return {"show": True, "back": back if chosen else None, "choices": links}

    def get_filters(self, request: HttpRequest) -> Any:
        self._chosen()
        return super().get_filters(request)

    def get_ordering(self, request: HttpRequest, queryset: QuerySet) -> list[Any]:
        # By anything else all rows would be sorted for one page.
        oldest_first = [
            str(at) for at, name in enumerate(self.list_display) if name == "created"
        ]
        is_asked = self.params.get(ORDER_VAR) in oldest_first
        return ["created", "pk"] if is_asked else ["-created", "-pk"]

    def _chosen(self) -> list[int]:
        """The year, month and day that are chosen, as far as they are."""
        given = list(takewhile(self.params.__contains__, _DATE_PARTS))
        # A month of every year would be looked for in all rows.
        if not set(_DATE_PARTS).intersection(self.params) <= set(given):
            raise IncorrectLookupParameters
        try:
            chosen = [int(str(self.params[part])) for part in given]
            begins = date(*[*chosen, *(1970, 1, 1)[len(chosen) :]])
        except (ValueError, OverflowError) as error:
            raise IncorrectLookupParameters from error
        # There must be a day before and after it, for time zones.
        if not date.min.year < begins.year < date.max.year:
            raise IncorrectLookupParameters
        return chosen


def found_by(rows: QuerySet[Approval], term: str) -> QuerySet[Approval]:
    """
    Return those of ``rows`` that a search for ``term`` finds.

    An id, a scope or the beginning of a few users' names, by their indexes; else a
    part of the text, the beginning of the name, or the end of the masked number, among
    the newest.
    """
    if pk := _uuid(term):
        return rows.filter(pk=pk)
    named = Q(scope=term) if Approval.objects.filter(scope=term).exists() else Q()
    if users := _users(term):
        named |= Q(user__in=users)
    if named:
        return rows.filter(named)
    newest = rows.order_by("-created").values_list("created", flat=True)
    since = newest[SEARCHED_ROWS - 1 : SEARCHED_ROWS].first()
    recent = rows.filter(created__gte=since) if since else rows
    said, end = (
        Q(text__icontains=term) | Q(user_name__istartswith=term),
        term.lstrip("*"),
    )
    return recent.filter(
        said | Q(masked_number__endswith=end) if end.isdigit() else said
    )


def _uuid(term: str) -> uuid.UUID | None:
    try:
        return uuid.UUID(term)
    except ValueError:
        return None


def _users(term: str) -> list[Any]:
    model = get_user_model()
    beginning = {f"{model.USERNAME_FIELD}__istartswith": term}
    rows = model._default_manager.filter(**beginning).order_by()
    found = list(rows.values_list("pk", flat=True)[: _MOST_USERS + 1])
    return found if len(found) <= _MOST_USERS else []


def _periods(chosen: list[int]) -> list[tuple[str, list[int]]]:
    """The days, months or years within what is chosen, with what to show of each."""
    days = [day for day in _days() if [day.year, day.month][: len(chosen)] == chosen]
    if len(chosen) == 2 or len(days) <= _MOST_DAYS:
        form, size = "MONTH_DAY_FORMAT", 3
    elif chosen or len(days) <= _MOST_MONTHS * 30:
        form, size = "YEAR_MONTH_FORMAT", 2
    else:
        form, size = "Y", 1
    # Of a day that is chosen there is no part.
    periods = {(day.year, day.month, day.day)[:size]: day for day in days}
    return [(date_format(day, form), [*key]) for key, day in periods.items()]


def _days() -> list[date]:
    rows = Approval.objects.values_list("created", flat=True)
    first, last = rows.order_by("created").first(), rows.order_by("-created").first()
    if first is None or last is None:
        return []
    begins, ends = _local_date(first), _local_date(last)
    return [begins + timedelta(days=each) for each in range((ends - begins).days + 1)]


def _local_date(time: datetime) -> date:
    return on_the_wall(time).date()
