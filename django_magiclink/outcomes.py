"""What came of an approval, in the few words that an administrator asks for."""

from __future__ import annotations

from django.db.models import TextChoices
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from .status import GRANTED, UNDECIDED, Status

#: Stands for the state of what is undecided past its deadline.
OVERDUE = "overdue"


class Outcome(TextChoices):
    """What came of an approval, as an administrator asks."""

    ACCEPTED = "accepted", _("Accepted")
    DECLINED = "declined", _("Declined")
    NO_ANSWER = "no_answer", _("No answer")
    UNDELIVERED = "undelivered", _("Not delivered")
    FAILED = "failed", _("Failed")
    CANCELLED = "cancelled", _("Cancelled")
    EXPIRED = "expired", _("Expired")
    # Alone it is taken for the verb, also by catalogues of others.
    OPEN = "open", pgettext_lazy("outcome", "Open")


#: What each state comes to. None leads from one of these to another, but from OPEN, so
#: what is counted stays; only what is overdue can still be given up.
OUTCOMES: dict[str, Outcome] = {
    **dict.fromkeys(GRANTED, Outcome.ACCEPTED),
    **dict.fromkeys(UNDECIDED, Outcome.OPEN),
    Status.REJECTED: Outcome.DECLINED,
    Status.NO_ANSWER: Outcome.NO_ANSWER,
    Status.UNDELIVERED: Outcome.UNDELIVERED,
    Status.FAILED: Outcome.FAILED,
    Status.CANCELLED: Outcome.CANCELLED,
    Status.EXPIRED: Outcome.EXPIRED,
    OVERDUE: Outcome.EXPIRED,
}
