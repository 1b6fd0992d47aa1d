"""What the user of an approval should hear of by another way than its page."""

from __future__ import annotations

import logging
from functools import partial
from typing import Any

from django.db import router, transaction

from . import limits
from .models import Approval, PhoneNumber
from .signals import security_notice
from .status import Status

logger = logging.getLogger("django_magiclink")


def of_outcome(approval: Approval, outcome: Status) -> None:
    """Tell if the phone is locked now, or was accepted after several failures."""
    user = approval.user
    if user is None:
        return
    if outcome == Status.ACCEPTED:
        if failures := limits.failures_before(approval):
            # Receivers see it as it now is: it was loaded before it was answered.
            approval.refresh_from_db()
            details = {"approval": approval, "failures": failures}
            give(user, "accepted_after_failures", **details)
    elif until := limits.locked_until(approval):
        give(user, "locked", until=until)


def of_phone(user: Any, by: Any) -> None:
    """Tell that another number counts for ``user``, and who made it so."""
    row = PhoneNumber.objects.filter(user=user).first()
    logger.warning("The phone of user %s was changed by user %s.", user.pk, by.pk)
    give(user, "phone_changed", number=str(row or ""), by=by)


def give(user: Any, kind: str, **details: Any) -> None:
    """Send the signal, once what it is about is committed."""
    send = partial(
        security_notice.send_robust, Approval, user=user, kind=kind, details=details
    )
    transaction.on_commit(send, using=router.db_for_write(Approval))
