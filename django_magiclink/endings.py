"""How approvals end before their time: given up, withdrawn, overdue, reported."""

from __future__ import annotations

import logging
import uuid
from collections.abc import Iterable
from datetime import timedelta
from functools import partial
from typing import Any

from django.db import router, transaction
from django.db.models import Q, QuerySet
from django.http import HttpRequest
from django.utils import timezone

from . import notices, purposes
from .binding import session_hash
from .conf import app_settings
from .models import Approval, Endpoint
from .sessions import end_other_sessions
from .signals import approval_reported
from .status import UNDECIDED, Status

logger = logging.getLogger("django_magiclink")

#: Seconds for which the user is asked about a prompt that may not have been theirs.
DOUBT = 86400


def cancel(pk: uuid.UUID, kind: str = "", by: Any = None) -> bool:
    """
    Give an undecided approval up, and tell whether this call did it.

    The phone cannot be told: once the call has left, its prompt holds the number until
    it is answered there or its time is up. What it answers then grants nothing.
    ``kind`` is kept as the ``error_kind``: empty if the user has cancelled.
    """
    end = partial(Approval.objects.advance, pk, Status.CANCELLED, by=by)
    unsent = Q(status=Status.PENDING)
    return end(where=unsent, live_slot=None, error_kind=kind) or end(error_kind=kind)


def revoke(user: Any, session: str | None = None, by: Any = None) -> int:
    """
    End every grant of ``user`` and give up what is still asked; return how many.

    With ``session``, the hash of one, only those of that session, and of a login with
    the phone alone that has none yet. ``by`` is the user who does it, for the audit.
    """
    whose = Q(user=user)
    if session is not None:
        whose = Q(session_hash=session) | whose & Q(purpose=purposes.PASSWORDLESS)
    return _end(whose, by)


def revoke_endpoint(endpoint: Endpoint) -> int:
    """End every grant that came by ``endpoint``, and give up what is still asked."""
    return _end(Q(endpoint=endpoint))


def asked_elsewhere(request: HttpRequest) -> Approval | None:
    """Return what the phone was asked last, in vain, for another session."""
    rows = _doubtful().filter(user=request.user.pk)
    return rows.exclude(session_hash=session_hash(request.session)).first()


def report(approval: Approval, request: HttpRequest) -> bool:
    """
    Note that the user had not asked for this, and tell whether that is news.

    All that the user was granted ends, in this session too: whoever has the password
    may report as well, and gains nothing by it. ``MAGICLINK_ON_REPORT`` says what else.
    """
    alias = router.db_for_write(Approval)
    with transaction.atomic(using=alias):
        noted = _doubtful().filter(pk=approval.pk).update(reported=timezone.now())
        if not noted:
            return False
        revoke(approval.user_id)
        if "sessions" in app_settings.ON_REPORT:
            end_other_sessions(request.session)
    logger.warning(
        "Approval %s was not asked for by user %s.", approval.pk, approval.user_id
    )
    approval_reported.send_robust(Approval, approval=approval, request=request)
    notices.give(approval.user, "reported", approval=approval)
    return True


def _doubtful() -> QuerySet[Approval]:
    """What was declined, or rang and was cancelled, and nobody has reported yet."""
    rang = Q(status=Status.REJECTED) | Q(status=Status.CANCELLED, sent__isnull=False)
    since = timezone.now() - timedelta(seconds=DOUBT)
    rows = Approval.objects.primary().filter(rang, created__gte=since)
    return rows.filter(reported=None)


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


def interrupt(pks: Iterable[uuid.UUID]) -> None:
    """
    Mark what a process that ends was waiting for, so that its users need not wait on.

    A phone that rings keeps its number taken, and its answer grants nothing.
    """
    for pk in pks:
        end = partial(Approval.objects.advance, pk, Status.FAILED, error_kind="restart")
        unsent, sent = Q(status=Status.PENDING), Q(status=Status.SENT)
        end(where=unsent, live_slot=None) or end(where=sent)


def _end(whose: Q, by: Any = None) -> int:
    live = Approval.objects.primary().filter(
        whose, status__in=[*UNDECIDED, Status.ACCEPTED]
    )
    return sum(
        # The answer may come between the two looks, so the first is had again.
        Approval.objects.advance(pk, Status.REVOKED, by=by)
        or cancel(pk, "withdrawn", by)
        or Approval.objects.advance(pk, Status.REVOKED, by=by)
        for pk in list(live.values_list("pk", flat=True))
    )
