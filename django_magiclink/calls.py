"""The one blocking call: claim the approval, ask the phone, record the answer."""

from __future__ import annotations

import logging
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial
from typing import Any

from django.utils import timezone, translation
from django.views.decorators.debug import sensitive_variables

from . import notices
from .client import GRACE, MideyeClient, Texts
from .exceptions import (
    CallError,
    Inactive,
    NoPhone,
    NotSent,
    Refused,
)
from .models import ApiKey, Approval, Endpoint, PhoneNumber
from .phones import hash_number
from .status import Status

logger = logging.getLogger("django_magiclink")

#: Seconds after the tap within which its code must be typed.
TYPE_WITHIN = 60


@dataclass(frozen=True, kw_only=True)
class _Call:
    key: ApiKey | None
    client: MideyeClient
    number: str = field(repr=False)
    timeout: int
    texts: Texts


@dataclass(frozen=True, kw_only=True)
class _Outcome:
    status: Status
    #: Whether the phone can no longer be answered, so that another may be asked.
    over: bool
    columns: dict[str, Any]


def perform(
    pk: uuid.UUID, run: Callable[[Callable[[], Any]], Any] = lambda step: step()
) -> None:
    """
    Send one approval to the phone, wait for the answer and record it.

    Blocks for as long as the phone may ring. Each database step goes through ``run``,
    so that a process with many waits can give them one connection; none is held
    between. A second delivery of the same job does nothing.
    """
    call = run(partial(_claim, pk))
    if call is not None:
        outcome = _ask(call)
        status = run(partial(_record, pk, outcome))
        # A step of its own: no other answer waits for what can wait.
        run(partial(_follow, pk, call.key, outcome, status))


def _load(pk: uuid.UUID) -> Approval:
    return Approval.objects.primary().select_related("user").get(pk=pk)


def _claim(pk: uuid.UUID) -> _Call | None:
    approval = _load(pk)
    until = timezone.now() + timedelta(seconds=approval.timeout + GRACE)
    if not Approval.objects.advance(pk, Status.SENT, deadline=until, live_until=until):
        return None
    try:
        return _prepare(approval)
    except Exception as error:
        logger.error("Approval %s is not sent: %s", pk, type(error).__name__)
        kind = error.reason if isinstance(error, Refused) else "no_endpoint"
        _give_up(pk, kind)
        return None


def _give_up(pk: uuid.UUID, kind: str) -> None:
    # It was never sent after all, so that no limit counts it.
    Approval.objects.advance(
        pk, Status.FAILED, error_kind=kind, live_slot=None, sent=None
    )


@sensitive_variables("number")
def _number(approval: Approval) -> str:
    """Return the number that was asked for, if it is still the user's."""
    if approval.user is None or not approval.user.is_active:
        raise Inactive
    number = PhoneNumber.objects.of(approval.user, approval.purpose)
    if hash_number(number) != approval.number_hash:
        raise NoPhone
    return number


@sensitive_variables("number")
def _prepare(approval: Approval) -> _Call:
    number = _number(approval)
    endpoint = Endpoint.objects.of_approval(approval.endpoint_id)
    key = endpoint.key(approval.purpose)
    with translation.override(approval.language or None):
        texts = endpoint.texts(approval.text, approval.code, approval.code_mode)
    return _Call(
        key=key,
        client=endpoint.client(key),
        number=number,
        timeout=approval.timeout,
        texts=texts,
    )


def _ask(call: _Call) -> _Outcome:
    try:
        answer = call.client.authenticate(
            call.number, timeout=call.timeout, texts=call.texts
        )
    except NotSent as error:
        return _failed(error.kind, over=True, sent=None)
    except CallError as error:
        return _failed(error.kind, over=False)
    except Exception as error:
        # Only the type: whatever broke may have the number in its text.
        logger.error("The call broke: %s", type(error).__name__)
        return _failed("error", over=False)
    columns = {
        "answer_code": answer.code,
        "http_status": answer.http_status,
        "error_kind": answer.error_kind,
    }
    if answer.documented:
        columns["answered"] = timezone.now()
    return _Outcome(status=answer.status, over=answer.documented, columns=columns)


def _failed(kind: str, *, over: bool, **columns: Any) -> _Outcome:
    columns |= {"answer_code": "", "http_status": None, "error_kind": kind}
    return _Outcome(status=Status.FAILED, over=over, columns=columns)


def _record(pk: uuid.UUID, outcome: _Outcome) -> Status | None:
    """Write the answer, and return what the approval now is, if it came in time."""
    status, columns = outcome.status, dict(outcome.columns)
    if outcome.over:
        columns["live_slot"] = None
    if status == Status.ACCEPTED:
        status, changes = _accepted(_load(pk))
        columns |= changes
    if Approval.objects.advance(pk, status, **columns):
        return status
    _record_late(pk, outcome)
    return None


def _follow(
    pk: uuid.UUID, key: ApiKey | None, outcome: _Outcome, status: Status | None
) -> None:
    if key is not None:
        key.note_use(outcome.columns["answer_code"] or outcome.columns["error_kind"])
    if status is not None:
        notices.of_outcome(_load(pk), status)


def _accepted(approval: Approval) -> tuple[Status, dict[str, Any]]:
    try:
        _number(approval)
    except Refused as refusal:
        # Whoever has that phone now may be somebody else.
        return Status.FAILED, {"error_kind": refusal.reason}
    if approval.code_mode != "type":
        return Status.ACCEPTED, {}
    until = timezone.now() + timedelta(seconds=TYPE_WITHIN)
    return Status.CONFIRMING, {"deadline": until}


def _record_late(pk: uuid.UUID, outcome: _Outcome) -> None:
    logger.warning("Approval %s: a late %s is ignored.", pk, outcome.status.value)
    columns = outcome.columns | {"answered": timezone.now()}
    if outcome.over:
        columns["live_slot"] = None
    if not Approval.objects.advance(pk, Status.EXPIRED, **columns):
        # Cancelled meanwhile: the status stays, and why it was; the audit hears of the
        # answer.
        del columns["error_kind"]
        Approval.objects.filter(pk=pk).update(**columns)
