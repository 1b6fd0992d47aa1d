"""How long approvals are kept, and the deletion of older ones in small steps."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from time import perf_counter, sleep

from django.db import connections, transaction
from django.db.models import Q, QuerySet
from django.utils import timezone

from .approvals import expire
from .conf import app_settings
from .models import Approval
from .signals import approvals_purged
from .statistics import gather
from .status import UNDECIDED, Status
from .tallies import forget

logger = logging.getLogger("django_magiclink")

#: Rows in one transaction: few enough that nobody waits for it.
BATCH = 1000

#: Days for which an accepted approval may still open something: a window is a year at
#: most. How long the guard's was, its row does not say.
GRANTS = 366

#: A machine's clock may be wrong; by so much it may be without a live row's harm.
_CLOCK = timedelta(days=1)

_BLANK = dict.fromkeys(Approval.PERSONAL, "")


def purge(days: int | None = None, batch: int = BATCH, grants: int = GRANTS) -> int:
    """
    Delete what is older than ``MAGICLINK_RETENTION_DAYS`` or ``days``; return how many.

    What is still asked or still holds a phone stays, and so does what was accepted
    within ``grants`` days and not used up: a guard may let it pass. Of that only what
    is personal is blanked. Each batch is a transaction of its own, so this may be
    killed at any time, started again, and run twice at once.
    """
    before = _before(days)
    deleted = blanked = 0
    try:
        for count in _in_batches(_deletable(before, grants), batch, _delete):
            deleted += count
        for count in _in_batches(_kept(before, grants), batch, _blank):
            blanked += count
        forget(before)
    finally:
        logger.info(
            "%d approvals from before %s were deleted, and %d blanked.",
            deleted,
            before.isoformat(timespec="seconds"),
            blanked,
        )
        approvals_purged.send_robust(Approval, rows=deleted, before=before)
    return deleted


def tidy() -> int:
    """
    Mark what nobody finished before its deadline; return how many.

    What is settled is counted for the dashboard too, so that nobody waits for it there.
    """
    expired = expire()
    gather("30d", timezone.now())
    return expired


def due(days: int | None = None, grants: int = GRANTS) -> int:
    """Return how many approvals :func:`purge` would delete now."""
    return _deletable(_before(days), grants).count()


def _before(days: int | None) -> datetime:
    days = app_settings.RETENTION_DAYS if days is None else days
    if days < 1:
        raise ValueError("Approvals are kept for a day at least.")
    return timezone.now() - timedelta(days=days)


def _deletable(before: datetime, grants: int) -> QuerySet[Approval]:
    old = Approval.objects.primary().filter(created__lt=before)
    doubt = timezone.now() - _CLOCK
    live = (
        Q(status__in=UNDECIDED, deadline__gte=doubt)
        | Q(live_slot__isnull=False, live_until__gte=doubt)
        | _granting(grants)
    )
    return old.exclude(live)


def _kept(before: datetime, grants: int) -> QuerySet[Approval]:
    rows = Approval.objects.primary().filter(_granting(grants), created__lt=before)
    return rows.exclude(**_BLANK)


def _granting(grants: int) -> Q:
    since = timezone.now() - timedelta(days=grants) - _CLOCK
    # Not "answered", which is empty in rows that another hand has written.
    return Q(status=Status.ACCEPTED, created__gte=since)


def _in_batches(
    rows: QuerySet[Approval], batch: int, act: Callable[[QuerySet[Approval]], int]
) -> Iterator[int]:
    """Yield how many rows each call of ``act`` has changed, from the oldest on."""
    since: datetime | None = None
    while True:
        began = perf_counter()
        with transaction.atomic(using=rows.db):
            # What is gone already need not be passed over again and again.
            rest = rows.filter(created__gte=since) if since else rows
            chosen = _locked(rest.order_by("created"))[:batch]
            found = list(chosen.values_list("pk", "created"))
            changed = act(rows.filter(pk__in=[pk for pk, _created in found]))
        if not changed:
            # Nothing is left, or another purge was here first and goes on.
            return
        yield changed
        since = found[-1][1]
        # Where a batch locks all, as in SQLite, others need their turn: who waits only
        # looks now and then whether it is free, and would never find it so.
        shares = connections[rows.db].features.has_select_for_update
        sleep(0 if shares else perf_counter() - began)


def _locked(rows: QuerySet[Approval]) -> QuerySet[Approval]:
    # Two at once then share the work, rather than wait for each other.
    features = connections[rows.db].features
    skip_locked = features.has_select_for_update_skip_locked
    return rows.select_for_update(skip_locked=skip_locked)


def _delete(rows: QuerySet[Approval]) -> int:
    return rows.delete()[0]


def _blank(rows: QuerySet[Approval]) -> int:
    return rows.update(**_BLANK)
