"""The life of an approval, from the question to its one use."""

from __future__ import annotations

import logging
import secrets
import uuid
from collections.abc import Callable
from datetime import timedelta
from functools import partial
from typing import Any

from django.core.exceptions import ImproperlyConfigured
from django.db import IntegrityError, router, transaction
from django.db.models import Q
from django.utils import timezone, translation
from django.views.decorators.debug import sensitive_variables

from .calls import perform
from .conf import app_settings
from .exceptions import (
    Busy,
    DecryptionError,
    Inactive,
    Limited,
    NoEndpoint,
)
from .models import Approval, Endpoint, PhoneNumber
from .models.approval import START_WITHIN
from .phones import hash_number, mask
from .signals import approval_requested
from .status import UNDECIDED, Status
from .wanted import Sought, Wanted

__all__ = [
    "cancel",
    "consume",
    "expire",
    "find",
    "latest",
    "perform",
    "ready_endpoint",
    "request",
    "revoke",
]

logger = logging.getLogger("django_magiclink")

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
    alias = router.db_for_write(Approval)
    connection = transaction.get_connection(alias)
    try:
        if not (connection.in_atomic_block or connection.get_autocommit()):
            raise RuntimeError("A transaction is managed by hand.")
        with transaction.atomic(using=alias, durable=True):
            fresh = sought.granting()
            used = Approval.objects.advance(pk, Status.CONSUMED, where=fresh)
    except RuntimeError as error:
        raise ImproperlyConfigured(
            "An approval with max_age=0 cannot be used inside a transaction, which "
            "might roll its use back. Put @transaction.non_atomic_requests on the "
            "view, or ask for the approval before transaction.atomic()."
        ) from error
    return pk if used else None


def latest(wanted: Wanted) -> Approval | None:
    """Return the newest approval of this binding in the last 15 minutes."""
    since = timezone.now() - timedelta(seconds=RECENT)
    rows = wanted.rows().filter(text=wanted.text, created__gte=since)
    return rows.first()


@sensitive_variables("number")
def request(
    wanted: Wanted,
    *,
    user: Any,
    dispatch: Callable[[uuid.UUID], None],
    dispatcher: str = "",
    address: str = "",
    user_agent: str = "",
) -> tuple[Approval, bool]:
    """
    Ask for an approval; return it, and whether it joined one that is open already.

    ``dispatch`` is called with its id once the row is committed. Raise a
    :exc:`~django_magiclink.exceptions.Refused` where no phone may be asked.
    """
    if not user.is_active:
        raise Inactive
    number = PhoneNumber.objects.of(user)
    endpoint = ready_endpoint(wanted.endpoint)
    slot = hash_number(number)
    insert = partial(
        _insert,
        wanted,
        dispatch,
        user=user,
        user_name=str(user.get_username() or "")[:150],
        endpoint=endpoint if endpoint.pk else None,
        endpoint_name=endpoint.name,
        timeout=wanted.timeout or endpoint.timeout or app_settings.TIMEOUT,
        masked_number=mask(number),
        number_hash=slot,
        live_slot=slot,
        dispatcher=dispatcher,
        address=address,
        user_agent=user_agent,
    )
    for _attempt in range(2):
        joined = _open(wanted)
        if joined is not None:
            return joined, True
        Approval.objects.free_slot(slot)
        inserted = insert()
        if inserted is not None:
            return inserted, False
    joined = _open(wanted)
    if joined is not None:
        return joined, True
    raise Limited(_seconds_left(slot))


def ready_endpoint(name: str) -> Endpoint:
    """Return the endpoint if a call could be made, else raise ``NoEndpoint``."""
    endpoint = Endpoint.objects.named(name)
    try:
        endpoint.client().check()
    except (DecryptionError, ImproperlyConfigured, ValueError) as error:
        logger.error("Endpoint %r cannot be used: %s", endpoint.name, error)
        raise NoEndpoint from error
    return endpoint


def _open(wanted: Wanted) -> Approval | None:
    waiting = Q(status__in=UNDECIDED, deadline__gte=timezone.now())
    rows = wanted.rows().filter(waiting | wanted.granting(), text=wanted.text)
    return rows.first()


def _insert(
    wanted: Wanted, dispatch: Callable[[uuid.UUID], None], **columns: Any
) -> Approval | None:
    now = timezone.now()
    start_by = now + timedelta(seconds=START_WITHIN)
    alias = router.db_for_write(Approval)
    try:
        with transaction.atomic(using=alias):
            approval = Approval.objects.using(alias).create(
                scope=wanted.scope,
                purpose=wanted.purpose,
                text=wanted.text,
                code=str(10 + secrets.randbelow(90)) if wanted.code else "",
                language=translation.get_language() or "",
                session_hash=wanted.session_hash,
                binding=wanted.binding,
                created=now,
                start_by=start_by,
                deadline=start_by,
                live_until=start_by,
                **columns,
            )
    except IntegrityError:
        return None
    transaction.on_commit(partial(_start, approval, dispatch), using=alias)
    return approval


def _start(approval: Approval, dispatch: Callable[[uuid.UUID], None]) -> None:
    logger.info(
        "Approval %s of scope %s is requested by user %s.",
        approval.pk,
        approval.scope,
        approval.user_id,
    )
    approval_requested.send_robust(Approval, approval=approval)
    try:
        dispatch(approval.pk)
    except Exception as error:
        # Whatever it is, nobody will send this one: the page is told at once. One that
        # was sent already keeps its slot, as the phone is ringing.
        kind = "busy" if isinstance(error, Busy) else "dispatch"
        logger.error("Approval %s: %s", approval.pk, type(error).__name__)
        Approval.objects.advance(
            approval.pk,
            Status.FAILED,
            where=Q(status=Status.PENDING),
            error_kind=kind,
            live_slot=None,
        )


def _seconds_left(slot: str) -> int:
    live_until = (
        Approval.objects.primary()
        .filter(live_slot=slot)
        .values_list("live_until", flat=True)
        .first()
    )
    left = (live_until - timezone.now()).total_seconds() if live_until else 1
    return max(1, round(left))


def cancel(pk: uuid.UUID) -> bool:
    """
    Give an undecided approval up, and tell whether this call did it.

    The phone cannot be told: once the call has left, its prompt holds the number until
    it is answered there or its time is up. What it answers then grants nothing.
    """
    unsent = Q(status=Status.PENDING)
    return Approval.objects.advance(
        pk, Status.CANCELLED, where=unsent, live_slot=None
    ) or Approval.objects.advance(pk, Status.CANCELLED)


def revoke(user: Any, session_hash: str | None = None) -> int:
    """
    End every grant of ``user`` and give up what is still asked; return how many.

    With ``session_hash`` only those of that session.
    """
    mine = Q(user=user) if session_hash is None else Q(session_hash=session_hash)
    live = Approval.objects.primary().filter(
        mine, status__in=[*UNDECIDED, Status.ACCEPTED]
    )
    return sum(
        # The answer may come between the two looks, so the first is had again.
        Approval.objects.advance(pk, Status.REVOKED)
        or cancel(pk)
        or Approval.objects.advance(pk, Status.REVOKED)
        for pk in list(live.values_list("pk", flat=True))
    )


def expire() -> int:
    """
    Mark what nobody finished before its deadline; return how many.

    Housekeeping only: such a row reads as expired without it.
    """
    overdue = Q(deadline__lt=timezone.now())
    rows = Approval.objects.primary().filter(overdue, status__in=UNDECIDED)
    return sum(
        Approval.objects.advance(pk, Status.EXPIRED, where=overdue)
        for pk in list(rows.values_list("pk", flat=True))
    )
