"""Asking for an approval: whom, where, whether they may be asked now, and once."""

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

from . import limits
from .conf import app_settings
from .exceptions import (
    Busy,
    DecryptionError,
    Expired,
    Inactive,
    Limited,
    NoEndpoint,
    Refused,
)
from .models import Approval, Endpoint, PhoneNumber
from .models.approval import START_WITHIN
from .phones import hash_number, mask
from .purposes import STEP_UP
from .signals import approval_refused, approval_requested
from .status import UNDECIDED, Status
from .wanted import Wanted

logger = logging.getLogger("django_magiclink")


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
    origin = {"dispatcher": dispatcher, "address": address, "user_agent": user_agent}
    try:
        return _join_or_insert(wanted, user, dispatch, origin)
    except Refused as refusal:
        _tell_refusal(wanted, user, refusal, address)
        raise


def ready_endpoint(name: str, purpose: str = STEP_UP) -> Endpoint:
    """Return the endpoint if a call could be made, else raise ``NoEndpoint``."""
    endpoint = Endpoint.objects.named(name)
    try:
        endpoint.client(endpoint.key(purpose)).check()
    except (DecryptionError, ImproperlyConfigured, ValueError) as error:
        logger.error("Endpoint %r cannot be used: %s", endpoint.name, error)
        raise NoEndpoint from error
    return endpoint


@sensitive_variables("number")
def _join_or_insert(
    wanted: Wanted,
    user: Any,
    dispatch: Callable[[uuid.UUID], None],
    origin: dict[str, str],
) -> tuple[Approval, bool]:
    if not user.is_active:
        raise Inactive
    # What is open was asked for by the same phone and endpoint, or would have ended.
    if joined := _open(wanted):
        return joined, True
    number = PhoneNumber.objects.of(user, wanted.purpose)
    slot = hash_number(number)
    if wanted.number_hash not in ("", slot):
        # The number has changed since the page named it, in another tab maybe.
        raise Expired
    endpoint = ready_endpoint(wanted.endpoint, wanted.purpose)
    timeout = wanted.timeout or endpoint.timeout or app_settings.TIMEOUT
    columns = origin | {
        "user": user,
        "user_name": str(user.get_username() or "")[:150],
        "endpoint": endpoint if endpoint.pk else None,
        "endpoint_name": endpoint.name,
        "timeout": limits.longest_wait(wanted.purpose, timeout),
        "masked_number": mask(number),
        "number_hash": slot,
        "live_slot": slot,
    }
    for _attempt in range(2):
        Approval.objects.free_slot(slot)
        if inserted := _insert(wanted, dispatch, columns):
            return inserted, False
        if joined := _open(wanted):
            return joined, True
    raise Limited(_seconds_left(slot))


def _open(wanted: Wanted) -> Approval | None:
    waiting = Q(status__in=UNDECIDED, deadline__gte=timezone.now())
    rows = wanted.rows().filter(waiting | wanted.granting(), text=wanted.text)
    return rows.first()


def _insert(
    wanted: Wanted, dispatch: Callable[[uuid.UUID], None], columns: dict[str, Any]
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
                code_mode=wanted.code,
                language=translation.get_language() or "",
                session_hash=wanted.session_hash,
                binding=wanted.binding,
                created=now,
                start_by=start_by,
                deadline=start_by,
                live_until=start_by,
                **columns,
            )
            # After the insert, so that nobody else counts for the same number now.
            limits.check(approval)
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


def _tell_refusal(wanted: Wanted, user: Any, refusal: Refused, address: str) -> None:
    limit = getattr(refusal, "limit", "")
    logger.info(
        "User %s is refused scope %s: %s.",
        user.pk,
        wanted.scope,
        f"{refusal.reason}, {limit}" if limit else refusal.reason,
    )
    approval_refused.send_robust(
        Approval,
        user=user,
        scope=wanted.scope,
        endpoint=wanted.endpoint,
        address=address,
        session_hash=wanted.session_hash,
        reason=refusal.reason,
        limit=limit,
        retry_after=getattr(refusal, "retry_after", None),
    )
