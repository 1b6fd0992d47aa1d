"""What a move to a status needs of the row, and writes into it besides."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.db.models import Q
from django.db.models.functions import Coalesce

from ..status import Status

#: The phone's part is over: the server answered with one of its documented codes.
_ANSWERED = {
    Status.CONFIRMING,
    Status.ACCEPTED,
    Status.REJECTED,
    Status.NO_ANSWER,
    Status.UNDELIVERED,
}


def moving_to(target: Status, now: datetime) -> tuple[Q, dict[str, Any]]:
    """Return what must be true of a row that moves to ``target``, and its new times."""
    guard = {
        Status.SENT: Q(start_by__gte=now),
        Status.CONFIRMING: Q(deadline__gte=now),
        # A tap alone does not do where a code must be typed.
        Status.ACCEPTED: Q(deadline__gte=now)
        & (Q(status=Status.CONFIRMING) | ~Q(code_mode="type")),
    }.get(target, Q())
    stamps: dict[str, Any] = {"moved": now}
    if target == Status.SENT:
        stamps["sent"] = now
    elif target == Status.CONSUMED:
        stamps["consumed"] = now
    elif target in _ANSWERED:
        # Age counts from the tap, which comes before a typed code.
        stamps |= {"answered": Coalesce("answered", now), "live_slot": None}
    return guard, stamps
