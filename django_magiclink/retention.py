"""How long approvals are kept, and the deletion of older ones in small steps."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from time import perf_counter, sleep

from django.db import connections, router, transaction
from django.db.models import Q, QuerySet
from django.utils import timezone

from .approvals import expire
from .conf import app_settings
from .limits import reach
from .models import Approval, Bypass
from .signals import approvals_purged
from .statistics import settle
from .status import GRANTED, UNDECIDED, Status
from .tallies import seal

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
    within ``grants`` days and not used up: a guard may let it pass. So does what a lock
    may come of. Of those only what is personal is blanked. Each batch is a transaction
    of its own, so this may be killed at any time, started again, and run twice at once.
    """
    if batch < 1:
        raise ValueError("A batch has one row at least.")
    before = _before(days)
    old, live = _deletable(before, grants), _kept(before, grants)
    # The dashboard goes on counting what is deleted.
    settle(timezone.now())
    seal(before)
    _forget_bypasses(before)
    done = {"deleted": 0, "blanked": 0}
    try:
        for name, rows, act in ("deleted", old, _delete), ("blanked", live, _blank):
            for count in _in_batches(rows, batch, act):
                done[name] += count
    finally:
        _tell(before, **done)
    return done["deleted"]


def _forget_bypasses(before: datetime) -> None:
    # Few, as people allow them: one batch, and no transaction around one statement.
    alias = router.db_for_write(Bypass)
    Bypass.objects.filter(until__lt=before)._raw_delete(alias)


def tidy() -> int:
    """
    Mark what nobody finished before its deadline; return how many.

    What is settled is counted for the dashboard too, so that nobody waits for it there.
    """
    expired = expire()
    settle(timezone.now())
    return expired


def due(days: int | None = None, grants: int = GRANTS) -> int:
    """Return how many approvals :func:`purge` would delete now."""
    return _deletable(_before(days), grants).count()


def _before(days: int | None) -> datetime:
    days = app_settings.RETENTION_DAYS if days is None else days
    if days < 1:
        raise ValueError("Approvals are kept for a day at least.")
    return _ago(days)


def _ago(days: int) -> datetime:
    try:
        return timezone.now() - timedelta(days=days)
    except OverflowError as error:
        raise ValueError("There is no time so long ago.") from error


def _tell(before: datetime, deleted: int, blanked: int) -> None:
    logger.info(
        "%d approvals from before %s were deleted, and %d blanked.",
        deleted,
        before.isoformat(timespec="seconds"),
        blanked,
    )
    approvals_purged.send_robust(Approval, rows=deleted, before=before)


def _deletable(before: datetime, grants: int) -> QuerySet[Approval]:
    old = Approval.objects.primary().filter(created__lt=before)
    doubt = timezone.now() - _CLOCK
    live = (
        Q(status__in=UNDECIDED, deadline__gte=doubt)
        | Q(live_slot__isnull=False, live_until__gte=doubt)
        | _granting(grants)
        | _locking()
    )
    return old.exclude(live)


def _kept(before: datetime, grants: int) -> QuerySet[Approval]:
    kept = _granting(grants) | _locking()
    rows = Approval.objects.primary().filter(kept, created__lt=before)
    return rows.exclude(**_BLANK)


def _granting(grants: int) -> Q:
    if grants < 0:
        raise ValueError("The days of grants are no less than 0.")
    since = _ago(grants + _CLOCK.days)
    # Not "answered", which is empty in rows that another hand has written.
    # Without its user it grants nothing.
    return Q(status=Status.ACCEPTED, created__gte=since, user__isnull=False)


def _locking() -> Q:
    """What a purge would lift a lock by, or make one weaker that is yet to come."""
    since = timezone.now() - reach() - _CLOCK
    return Q(created__gte=since, sent__isnull=False) & ~Q(status__in=GRANTED)


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
