"""The states of an approval, and which may follow which."""

from __future__ import annotations

from django.db.models import TextChoices
from django.utils.translation import gettext_lazy as _


class Status(TextChoices):
    """Where an approval stands."""

    PENDING = "pending", _("Pending")
    SENT = "sent", _("Sent")
    CONFIRMING = "confirming", _("Confirming")
    ACCEPTED = "accepted", _("Accepted")
    CONSUMED = "consumed", _("Used")
    REVOKED = "revoked", _("Revoked")
    REJECTED = "rejected", _("Declined")
    NO_ANSWER = "no_answer", _("No answer")
    UNDELIVERED = "undelivered", _("Not delivered")
    FAILED = "failed", _("Failed")
    CANCELLED = "cancelled", _("Cancelled")
    EXPIRED = "expired", _("Expired")


_ENDED = {Status.FAILED, Status.CANCELLED, Status.EXPIRED}

#: What may follow each state. A state that is not a key here never changes again.
TRANSITIONS: dict[Status, set[Status]] = {
    Status.PENDING: {Status.SENT} | _ENDED,
    Status.SENT: {
        Status.CONFIRMING,
        Status.ACCEPTED,
        Status.REJECTED,
        Status.NO_ANSWER,
        Status.UNDELIVERED,
    }
    | _ENDED,
    Status.CONFIRMING: {Status.ACCEPTED} | _ENDED,
    Status.ACCEPTED: {Status.CONSUMED, Status.REVOKED},
}

#: The phone has said yes, whatever became of that later.
GRANTED = frozenset({Status.ACCEPTED, Status.CONSUMED, Status.REVOKED})

#: Nobody knows the outcome yet: the only states in which a page goes on waiting.
UNDECIDED = frozenset({Status.PENDING, Status.SENT, Status.CONFIRMING})


#: The phone has not answered yet. A page that waits for it may be told when it has.
UNANSWERED = frozenset({Status.PENDING, Status.SENT})


def sources(target: Status) -> set[Status]:
    """Return the states that ``target`` may follow."""
    return {state for state, following in TRANSITIONS.items() if target in following}
