"""What a phone has answered, written into its approval: alone or with others."""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db import router, transaction
from django.db.models import Case, DateTimeField, Value, When
from django.utils import timezone
from django.views.decorators.debug import sensitive_variables

from .exceptions import Inactive, NoPhone, Refused
from .models import Approval, PhoneNumber
from .phones import hash_number
from .status import Status

logger = logging.getLogger("django_magiclink")

#: Seconds after the tap within which its code must be typed.
TYPE_WITHIN = 60

#: What one statement writes into several rows: their status, and columns with values.
_Change = tuple[Status, tuple[tuple[str, Any], ...]]


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What became of a call, and the columns that say so."""

    status: Status
    columns: dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class Recording:
    """
    A step that writes one outcome, and returns what its approval now is.

    That is ``None`` if it came too late.
    """

    approval: Approval
    outcome: Outcome

    def __call__(self) -> Status | None:
        return record([self])[0]

    @staticmethod
    def together(steps: Sequence[Recording]) -> list[Status | None]:
        """Do several: all of them, or none if it raises."""
        return record(steps)


@sensitive_variables("numbers")
def number_of(approval: Approval) -> str:
    """
    Return the number that was asked for, if it is still the user's.

    Raise a :exc:`~django_magiclink.exceptions.Refused` if it is not.
    """
    users = [] if approval.user is None else [approval.user]
    numbers = PhoneNumber.objects.of_all(users, approval.purpose)
    if refused := _refusal(approval, approval.user, numbers):
        raise refused
    return numbers[approval.user_id]


@sensitive_variables("number", "numbers")
def _refusal(
    approval: Approval, user: Any, numbers: dict[Any, str]
) -> type[Refused] | None:
    if user is None or not user.is_active:
        return Inactive
    number = numbers.get(user.pk)
    if number is None or hash_number(number) != approval.number_hash:
        # Whoever has that phone now may be somebody else.
        return NoPhone
    return None


def record(answers: Sequence[Recording]) -> list[Status | None]:
    """Write ``answers``; return what each approval now is, if it was in time."""
    accepted = [one for one in answers if one.outcome.status == Status.ACCEPTED]
    refusals = _refusals([answer.approval.pk for answer in accepted])
    now = timezone.now()
    alike: dict[_Change, list[Recording]] = defaultdict(list)
    for answer in answers:
        change = _change(answer, refusals.get(answer.approval.pk), now)
        alike[change].append(answer)
    done: dict[Any, Status] = {}
    with transaction.atomic(using=router.db_for_write(Approval)):
        for change, those in alike.items():
            done |= dict.fromkeys(_write(change, those), change[0])
        for answer in answers:
            if answer.approval.pk not in done:
                _record_late(answer)
    return [done.get(answer.approval.pk) for answer in answers]


@sensitive_variables("numbers")
def _refusals(pks: Collection[Any]) -> dict[Any, type[Refused]]:
    """Ask again what was true when these phones were asked: that was minutes ago."""
    rows = Approval.objects.primary().select_related("user")
    fresh = rows.only("user", "purpose", "number_hash").filter(pk__in=pks)
    whose = {approval: approval.user for approval in fresh} if pks else {}
    users = {user for user in whose.values() if user is not None}
    numbers = {
        purpose: PhoneNumber.objects.of_all(users, purpose)
        for purpose in {approval.purpose for approval in whose}
    }
    found = {}
    # No comprehension: its frame would show the numbers in an error report.
    for approval, user in whose.items():
        if refused := _refusal(approval, user, numbers[approval.purpose]):
            found[approval.pk] = refused
    return found


def _change(answer: Recording, refused: type[Refused] | None, now: datetime) -> _Change:
    status, columns = answer.outcome.status, dict(answer.outcome.columns)
    columns.pop("answered", None)
    if refused is not None:
        status, columns["error_kind"] = Status.FAILED, refused.reason
    elif status == Status.ACCEPTED and answer.approval.code_mode == "type":
        status = Status.CONFIRMING
        columns["deadline"] = now + timedelta(seconds=TYPE_WITHIN)
    return status, tuple(columns.items())


def _write(change: _Change, answers: Sequence[Recording]) -> Collection[Any]:
    status, columns = change[0], dict(change[1])
    times = {
        answer.approval.pk: answer.outcome.columns["answered"]
        for answer in answers
        if "answered" in answer.outcome.columns
    }
    if times:
        cases = [When(pk=pk, then=Value(time)) for pk, time in times.items()]
        columns["answered"] = Case(*cases, output_field=DateTimeField())
    pks = [answer.approval.pk for answer in answers]
    return Approval.objects.primary().advance_all(pks, status, **columns)


def _record_late(answer: Recording) -> None:
    pk, outcome = answer.approval.pk, answer.outcome
    logger.warning("Approval %s: a late %s is ignored.", pk, outcome.status.value)
    columns = outcome.columns | {"answered": timezone.now()}
    if not Approval.objects.advance(pk, Status.EXPIRED, **columns):
        # Cancelled meanwhile: the status stays, and why it was; the audit hears of the
        # answer.
        del columns["error_kind"]
        Approval.objects.filter(pk=pk).update(**columns)
