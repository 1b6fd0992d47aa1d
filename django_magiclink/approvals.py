"""The life of an approval, from the question to its one use: what the rest calls."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

from django.core.exceptions import ImproperlyConfigured
from django.db import router, transaction
from django.db.models import Q
from django.utils import timezone
from django.utils.crypto import constant_time_compare

from . import notices
from .asking import ready_endpoint, request
from .calls import perform
from .endings import (
    asked_elsewhere,
    cancel,
    expire,
    interrupt,
    report,
    revoke,
    revoke_endpoint,
)
from .models import Approval
from .status import Status
from .wanted import Sought, Wanted

__all__ = [
    "cancel",
    "committing",
    "confirm",
    "consume",
    "asked_elsewhere",
    "expire",
    "find",
    "interrupt",
    "latest",
    "perform",
    "ready_endpoint",
    "report",
    "request",
    "revoke",
    "revoke_endpoint",
]

#: Seconds for which a page still tells how the last approval ended.
RECENT = 900


def find(sought: Sought, approval_id: str = "") -> uuid.UUID | None:
    """
    Return the approval that lets the request pass, the newest if there are several.

    ``approval_id`` prefers one of them. One that does not fit is ignored.
    """
    found = Approval.objects.accepted(sought.binding, sought.since)
    preferred = [pk for pk in found if str(pk) == approval_id]
    return next(iter(preferred or found), None)


def consume(sought: Sought, approval_id: str = "") -> uuid.UUID | None:
    """
    Use an accepted approval up and return it, or ``None`` if there is none.

    That is committed before this returns, so a view that fails later cannot bring it
    back. Raise :exc:`~django.core.exceptions.ImproperlyConfigured` inside a
    transaction, where it could not be.
    """
    pk = find(sought, approval_id)
    if pk is None:
        return None
    with committing():
        fresh = sought.granting()
        used = Approval.objects.advance(pk, Status.CONSUMED, where=fresh)
    return pk if used else None


@contextmanager
def committing() -> Iterator[None]:
    """
    Commit the use of an approval before the block is left.

    Raise :exc:`~django.core.exceptions.ImproperlyConfigured` inside a transaction.
    """
    alias = router.db_for_write(Approval)
    connection = transaction.get_connection(alias)
    try:
        if not (connection.in_atomic_block or connection.get_autocommit()):
            # A transaction that is managed by hand, which atomic() would not see.
            raise RuntimeError
        with transaction.atomic(using=alias, durable=True):
            yield
    except RuntimeError as error:
        raise ImproperlyConfigured(
            "An approval with max_age=0 cannot be used inside a transaction, which "
            "might roll its use back. Put @transaction.non_atomic_requests on the "
            "view, or ask for the approval before transaction.atomic()."
        ) from error


def latest(wanted: Wanted) -> Approval | None:
    """Return the newest approval of this binding in the last 15 minutes."""
    since = timezone.now() - timedelta(seconds=RECENT)
    rows = wanted.rows().filter(text=wanted.text, created__gte=since)
    return rows.first()


def confirm(pk: uuid.UUID, code: str) -> bool:
    """
    Accept an approval for which ``code`` was typed, and tell whether this call did it.

    There is one try: another code than the phone's fails it.
    """
    approval = Approval.objects.primary().select_related("user").get(pk=pk)
    right = constant_time_compare(code, approval.code)
    status = Status.ACCEPTED if right else Status.FAILED
    changes = {} if right else {"error_kind": "code"}
    typing = Q(status=Status.CONFIRMING)
    moved = Approval.objects.advance(pk, status, where=typing, **changes)
    if moved:
        notices.of_outcome(approval, status)
    return moved and right
