"""Which phones and users are locked now, for those who look after them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from django.db.models import Q

from .conf import app_settings
from .limits import Prompt, bucket_of, locks_of, value_of
from .models import Approval
from .spans import SETTLED
from .status import GRANTED

_TOLD = ("pk", "purpose", "masked_number", "user_name")


class Lock(NamedTuple):
    """A phone, or a user, that is not asked before ``until``."""

    until: datetime
    #: The name of the limit, or ``"reported"``.
    limit: str
    user_name: str
    #: Masked, and empty if it is the user who is locked, on whatever phone.
    phone: str


class _Row(NamedTuple):
    prompt: Prompt
    purpose: str
    masked_number: str
    user_name: str


def in_force(now: datetime) -> list[Lock]:
    """Return the locks that hold, those that hold longest first."""
    groups: dict[tuple[str, str, Any], list[_Row]] = defaultdict(list)
    for row in _rows(now):
        bucket = bucket_of(row.purpose)
        groups[bucket, "number", row.prompt.number_hash].append(row)
        groups[bucket, "user", row.prompt.user_id].append(row)
    return sorted(set(_without_repeats(groups, now)), reverse=True)


def _without_repeats(
    groups: dict[tuple[str, str, Any], list[_Row]], now: datetime
) -> Iterator[Lock]:
    """Yield a lock of a user only if it is not that of their one phone already."""
    told: set[tuple[Any, ...]] = set()
    # Phones come first.
    for (bucket, kind, key), rows in sorted(
        groups.items(), key=lambda item: item[0][1]
    ):
        reached = list(locks_of([row.prompt for row in rows]))
        if not key or not reached:
            continue
        until, limit = max(reached)
        known = {(bucket, row.prompt.user_id, until, limit) for row in rows}
        if until <= now or (kind == "user" and known & told):
            continue
        told |= known
        newest = rows[0]
        phone = newest.masked_number if kind == "number" else ""
        yield Lock(until, limit, newest.user_name, phone)


def _rows(now: datetime) -> list[_Row]:
    """Return the prompts that can make a lock which holds now, the newest first."""
    seconds = value_of("lock_seconds")
    if seconds is None:
        return []
    period = timedelta(seconds=seconds)
    # The first of those that make one may be so old, and had so long to end.
    recent = Q(created__gte=now - 2 * period - timedelta(seconds=SETTLED))
    wanted = [recent]
    if "lock" in app_settings.ON_REPORT:
        wanted.append(Q(reported__gte=now - period))
    found = {}
    for each in wanted:
        rows = Approval.objects.primary().filter(each, sent__isnull=False)
        # In no order: to give it, SQLite would read all rows for the few reported ones.
        rows = rows.exclude(status__in=GRANTED).order_by()
        for told in rows.values_list(*_TOLD, *Prompt._fields):
            pk, purpose, number, name, *prompt = told
            found[pk] = _Row(Prompt(*prompt), purpose, number, name)
    return sorted(found.values(), key=lambda row: row.prompt.sent, reverse=True)
