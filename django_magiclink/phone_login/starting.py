"""Beginning an attempt: a phone is asked if one may be, and no answer tells which."""

from __future__ import annotations

import logging
from dataclasses import replace
from datetime import timedelta
from typing import Any

from django.http import HttpRequest
from django.utils import timezone
from django.views.decorators.debug import sensitive_variables

from .. import notices
from ..exceptions import Limited, Refused
from ..identities import client_address
from ..views import start_approval
from . import budget
from .asker import describe
from .attempts import Attempt
from .pace import even
from .people import find

logger = logging.getLogger("django_magiclink")


@sensitive_variables()
def begin(request: HttpRequest, name: str, backend: Any) -> Attempt:
    """Return the attempt of whoever ``name`` is, and ask that phone if it may be."""
    earlier = Attempt.read(request)
    if earlier is not None and earlier.is_for(name):
        # Sent twice, or by a reload: the phone rings once, and one page is as another.
        return earlier
    attempt = Attempt.of(name)
    if not budget.take(client_address(request)):
        # For every name alike, so this takes no time that would have to be hidden.
        logger.info("An address has begun too many logins.")
        return attempt
    with even():
        return _asked(request, attempt, name, backend)


@sensitive_variables()
def _asked(request: HttpRequest, attempt: Attempt, name: str, backend: Any) -> Attempt:
    user: Any = None
    try:
        user = find(name)
        if user is None or not backend.user_can_authenticate(user):
            logger.info("Nobody can log in by the name that was given.")
            return attempt
        wanted = attempt.wanted(user, describe(request))
        approval, _joined = start_approval(request, wanted, user)
    except Refused as refusal:
        # It is told in the log, and looks here like a phone that nobody answers.
        _tell(user, refusal)
        return attempt
    except Exception as error:
        # A 500 would say that there is such a user.
        logger.error("No phone was asked: %s", type(error).__name__)
        return attempt
    code = approval.shown_code or attempt.code
    return replace(attempt, pk=approval.pk, code=code)


def _tell(user: Any, refusal: Refused) -> None:
    # Whoever it was that made the phone ring so often, its owner cannot log in so.
    if not isinstance(refusal, Limited) or refusal.limit != "per_day":
        return
    if budget.is_first_today("logins_limited", user.pk):
        until = timezone.now() + timedelta(seconds=refusal.retry_after)
        notices.give(user, "logins_limited", until=until)
