"""One approval in words: what happened to it when, and what went wrong."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.utils.html import format_html
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from ..models import Approval
from ..status import GRANTED, UNDECIDED, Status

_ANSWERS = {
    Status.REJECTED: gettext_lazy("Declined on the phone"),
    Status.NO_ANSWER: gettext_lazy("The phone was not answered in time"),
    Status.UNDELIVERED: gettext_lazy("Neither push nor SMS reached the phone"),
}
_ENDS = {
    Status.REVOKED: gettext_lazy("Revoked"),
    Status.FAILED: gettext_lazy("Failed"),
    Status.CANCELLED: gettext_lazy("Cancelled"),
    Status.EXPIRED: gettext_lazy("Expired"),
}
_ERRORS = {
    "invalid": gettext_lazy(
        "The number, the key or the endpoint's settings cannot be used. Nothing was "
        "sent."
    ),
    "dns": gettext_lazy("The server's name is unknown. Nothing was sent."),
    "connect": gettext_lazy("Nothing answers at the server's address."),
    "tls": gettext_lazy("The server's certificate is not trusted. Nothing was sent."),
    "timeout": gettext_lazy("The server did not answer in time."),
    "network": gettext_lazy("The connection to the server was lost."),
    "redirect": gettext_lazy("The server sent us elsewhere, which is not followed."),
    "too_large": gettext_lazy("The server's answer was too large."),
    "garbage": gettext_lazy("The server's answer could not be read."),
    "refused": gettext_lazy(
        "The server refused: the key, a parameter, or its rate limit."
    ),
    "unknown_code": gettext_lazy("The server answered with a code we do not know."),
    "http_status": gettext_lazy("It was accepted, but not with HTTP status 200."),
    "error": gettext_lazy("The call broke; the log says where."),
    "busy": gettext_lazy("Too many approvals were under way."),
    "dispatch": gettext_lazy("It could not be given to the background."),
    "restart": gettext_lazy(
        "The process that waited for the answer was ended, as in a deployment."
    ),
    "no_phone": gettext_lazy("The user's number had changed, or was gone."),
    "no_endpoint": gettext_lazy("There was no endpoint that could be used."),
    "inactive": gettext_lazy("The user was deactivated."),
    "withdrawn": gettext_lazy("Withdrawn: logout, deactivation, a report, or staff."),
    "code": gettext_lazy("Another code was typed than the phone showed."),
}

_LOOKS = dict.fromkeys(UNDECIDED, "open") | {
    Status.ACCEPTED: "good",
    Status.CONSUMED: "good",
    Status.REJECTED: "bad",
    Status.FAILED: "bad",
}


@dataclass(frozen=True, kw_only=True)
class Step:
    """One thing that happened to an approval."""

    label: str
    #: ``None`` where it was not kept.
    time: datetime | None
    #: Seconds since the step before.
    after: float | None = None


def steps(approval: Approval) -> list[Step]:
    """Return what happened to an approval, in order."""
    found = [
        (_("Requested"), approval.created),
        (_("Sent to the phone"), approval.sent),
        (_answer(approval), approval.answered),
        *_later(approval),
        (_("Reported as not asked for"), approval.reported),
    ]
    known = sorted((time, label) for label, time in found if label and time)
    timed = [
        Step(label=label, time=time, after=_seconds(before, time))
        for (time, label), before in zip(
            known, [None, *(time for time, _label in known)], strict=False
        )
    ]
    return timed + [Step(label=label, time=None) for label in _untimed(approval)]


def badge(approval: Approval) -> str:
    """Return the state as it reads now, in a word, with a colour beside it."""
    look = f"magiclink-state magiclink-state-{_LOOKS.get(approval.state, 'other')}"
    return format_html('<span class="{}">{}</span>', look, approval.state.label)


def error_text(kind: str) -> str:
    """Return what a kind of error means, in words."""
    return str(_ERRORS.get(kind, kind))


def _answer(approval: Approval) -> str:
    if approval.state in _ANSWERS:
        return str(_ANSWERS[approval.state])
    if approval.state in GRANTED or approval.error_kind == "code":
        return _("Accepted on the phone")
    if approval.state == Status.CONFIRMING:
        return _("Accepted on the phone; the page waits for the code")
    # What came too late or was of no use grants nothing, whatever it says.
    return _("Answered: %s") % (approval.answer_code or "-")


def _later(approval: Approval) -> list[tuple[str, datetime | None]]:
    typed = approval.code_mode == "type" and approval.status == Status.ACCEPTED
    moved, state = approval.moved, approval.status
    return [
        (_("Code typed"), moved if typed else None),
        (_("Used"), approval.consumed),
        (str(_ENDS[Status(state)]), moved) if state in _ENDS else ("", None),
        (_("Expired"), _overdue(approval)),
    ]


def _overdue(approval: Approval) -> datetime | None:
    is_overdue = approval.state == Status.EXPIRED and approval.status != Status.EXPIRED
    return approval.deadline if is_overdue else None


def _untimed(approval: Approval) -> list[str]:
    if approval.status in _ENDS and approval.moved is None:
        return [str(_ENDS[Status(approval.status)])]
    return []


def _seconds(since: Any, time: datetime) -> float | None:
    return max(0.0, (time - since).total_seconds()) if since else None
