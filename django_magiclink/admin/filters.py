"""
Filters of the audit trail that stay quick with millions of rows.

Django's own ask for all distinct values of a column, which reads the whole table.
"""

from __future__ import annotations

from datetime import timedelta
from itertools import islice
from typing import Any

from django.contrib import admin
from django.contrib.admin.options import IncorrectLookupParameters
from django.contrib.auth import get_user_model
from django.core.exceptions import ValidationError
from django.db import connections, router
from django.db.models import Q, QuerySet
from django.http import HttpRequest
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from ..models import Approval
from ..status import UNDECIDED, Status

#: Values that a filter offers; what is not among them can be searched for.
MOST_CHOICES = 30

#: Newest rows among which a filter looks for users to offer.
_RECENT_ROWS = 300

_TIMES = {
    "1h": (timedelta(hours=1), _("Last hour")),
    "24h": (timedelta(hours=24), _("Last 24 hours")),
    "7d": (timedelta(days=7), _("Last 7 days")),
    "30d": (timedelta(days=30), _("Last 30 days")),
}


def reading_as(state: Status) -> Q:
    """Return what is true of the rows whose status reads as ``state`` now."""
    now = timezone.now()
    if state in UNDECIDED:
        return Q(status=state, deadline__gte=now)
    if state == Status.EXPIRED:
        return Q(status=state) | Q(status__in=UNDECIDED, deadline__lt=now)
    return Q(status=state)


def values_of(column: str) -> list[str]:
    """Return the first values of an indexed column, one short look-up for each."""
    found: list[str] = []
    rows = Approval.objects.order_by(column).values_list(column, flat=True)
    while len(found) < MOST_CHOICES:
        rest = rows.filter(**{f"{column}__gt": found[-1]}) if found else rows
        value = rest.first()
        if value is None:
            break
        found.append(value)
    return [value for value in found if value]


class StateFilter(admin.SimpleListFilter):
    """By state as it reads now: what is overdue and undecided is expired."""

    title = _("status")
    parameter_name = "state"

    def lookups(self, request: HttpRequest, model_admin: Any) -> Any:
        return Status.choices

    def queryset(self, request: HttpRequest, queryset: QuerySet) -> QuerySet | None:
        value = self.value()
        if value is None or value not in Status:
            return None
        return queryset.filter(reading_as(Status(value)))


class ColumnFilter(admin.SimpleListFilter):
    """By a column whose few values are found through its index."""

    def lookups(self, request: HttpRequest, model_admin: Any) -> Any:
        values = values_of(str(self.parameter_name))
        chosen = self.value()
        if chosen and chosen not in values:
            values.append(chosen)
        return [(value, value) for value in values]

    def queryset(self, request: HttpRequest, queryset: QuerySet) -> QuerySet | None:
        value = self.value()
        if not value:
            return None
        return _filtered(queryset, str(self.parameter_name), value)


class ScopeFilter(ColumnFilter):
    """By scope."""

    title = _("scope")
    parameter_name = "scope"


class EndpointFilter(ColumnFilter):
    """By the name of the endpoint, also of one that is gone."""

    title = _("endpoint")
    parameter_name = "endpoint_name"


class UserFilter(admin.SimpleListFilter):
    """By user: the chosen one, and some who were asked lately."""

    title = _("user")
    parameter_name = "user"

    def lookups(self, request: HttpRequest, model_admin: Any) -> Any:
        rows = Approval.objects.filter(user__isnull=False).order_by("-created")
        recent = rows.values_list("user_id", "user_name")
        users = {str(pk): name for pk, name in recent[:_RECENT_ROWS]}
        offered = dict(islice(users.items(), 10))
        chosen = self.value()
        if chosen and chosen not in offered:
            offered[chosen] = users.get(chosen) or _name(chosen)
        return sorted(offered.items(), key=lambda choice: choice[1].lower())

    def queryset(self, request: HttpRequest, queryset: QuerySet) -> QuerySet | None:
        value = self.value()
        return queryset.filter(user=_user_pk(value)) if value else None


class TimeFilter(admin.SimpleListFilter):
    """By how long ago it was asked for."""

    title = _("time")
    parameter_name = "within"

    def lookups(self, request: HttpRequest, model_admin: Any) -> Any:
        return [(value, label) for value, (_period, label) in _TIMES.items()]

    def queryset(self, request: HttpRequest, queryset: QuerySet) -> QuerySet | None:
        value = self.value()
        if value not in _TIMES:
            return None
        return queryset.filter(created__gte=timezone.now() - _TIMES[value][0])


def _filtered(queryset: QuerySet, column: str, value: str) -> QuerySet:
    # PostgreSQL takes none.
    if "\0" in value:
        raise IncorrectLookupParameters
    return queryset.filter(**{column: value})


def _name(pk: str) -> str:
    user = get_user_model()._default_manager.filter(pk=_user_pk(pk)).first()
    return str(user.get_username()) if user else pk


def _user_pk(text: str) -> Any:
    """Return what ``text`` is as a primary key of users, and as no database refuses."""
    field: Any = get_user_model()._meta.pk
    while field.remote_field:
        field = field.target_field
    try:
        value = field.to_python(text)
    except ValidationError as error:
        raise IncorrectLookupParameters from error
    if isinstance(value, int):
        kind = field.get_internal_type()
        least, most = connections[router.db_for_read(Approval)].ops.integer_field_range(
            kind
        )
        fits = least <= value <= most
    else:
        fits = "\0" not in str(value)
    if not fits:
        raise IncorrectLookupParameters
    return value
