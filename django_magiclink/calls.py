"""The one blocking call: claim the approval, ask the phone, record the answer."""

from __future__ import annotations

import logging
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial
from typing import Any, Protocol

from django.utils import timezone, translation
from django.views.decorators.debug import sensitive_variables

from . import notices
from .client import GRACE, MideyeClient, Texts
from .exceptions import CallError, NotSent, Refused
from .models import ApiKey, Approval, Endpoint
from .recording import Outcome, Recording, number_of
from .status import Status

logger = logging.getLogger("django_magiclink")


class Run(Protocol):
    """Does a step in the database, and returns or raises what it does."""

    def __call__(self, step: Callable[[], Any], *, later: bool = False) -> Any:
        """With ``later``, what nobody waits for: others may be done before."""


def _here(step: Callable[[], Any], *, later: bool = False) -> Any:
    return step()


@dataclass(frozen=True, kw_only=True)
class _Call:
    approval: Approval
    key: ApiKey | None
    client: MideyeClient
    number: str = field(repr=False)
    timeout: int
    texts: Texts


def perform(pk: uuid.UUID, run: Run = _here) -> None:
    """
    Send one approval to the phone, wait for the answer and record it.

    Blocks for as long as the phone may ring. Each database step goes through ``run``,
    so that a process with many waits can give them one connection; none is held
    between. A second delivery of the same job does nothing.
    """
    call = run(partial(_claim, pk))
    if call is not None:
        outcome = _ask(call)
        status = run(Recording(approval=call.approval, outcome=outcome))
        run(partial(_follow, call, outcome, status), later=True)


def _claim(pk: uuid.UUID) -> _Call | None:
    rows = Approval.objects.primary().select_related("user")
    approval = rows.get(pk=pk)
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
def _prepare(approval: Approval) -> _Call:
    number = number_of(approval)
    endpoint = Endpoint.objects.of_approval(approval.endpoint_id)
    key = endpoint.key(approval.purpose)
    with translation.override(approval.language or None):
        texts = endpoint.texts(approval.text, approval.code, approval.code_mode)
    return _Call(
        approval=approval,
        key=key,
        client=endpoint.client(key),
        number=number,
        timeout=approval.timeout,
        texts=texts,
    )


def _ask(call: _Call) -> Outcome:
    try:
        answer = call.client.authenticate(
            call.number, timeout=call.timeout, texts=call.texts
        )
    except NotSent as error:
        return _failed(error.kind, live_slot=None, sent=None)
    except CallError as error:
        return _failed(error.kind)
    except Exception as error:
        # Only the type: whatever broke may have the number in its text.
        logger.error("The call broke: %s", type(error).__name__)
        return _failed("error")
    columns: dict[str, Any] = {
        "answer_code": answer.code,
        "http_status": answer.http_status,
        "error_kind": answer.error_kind,
    }
    if answer.documented:
        # The phone can no longer be answered, so another may be asked.
        columns |= {"answered": timezone.now(), "live_slot": None}
    return Outcome(status=answer.status, columns=columns)


def _failed(kind: str, **columns: Any) -> Outcome:
    columns |= {"answer_code": "", "http_status": None, "error_kind": kind}
    return Outcome(status=Status.FAILED, columns=columns)


def _follow(call: _Call, outcome: Outcome, status: Status | None) -> None:
    if call.key is not None:
        columns = outcome.columns
        call.key.note_use(columns["answer_code"] or columns["error_kind"])
    if status is not None:
        notices.of_outcome(call.approval, status)
