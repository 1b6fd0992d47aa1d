"""Logging in with what a phone has approved, and nothing else."""

from __future__ import annotations

from typing import Any

from asgiref.sync import sync_to_async
from django.contrib.auth.backends import ModelBackend
from django.http import HttpRequest

from . import approvals
from .exceptions import Refused
from .models import Approval
from .phone_login.attempts import Attempt
from .recording import number_of
from .status import Status


class MagicLinkBackend(ModelBackend):
    """
    Log in whoever's phone has accepted, by the pages of ``phone_login.urls``.

    That is one factor: a guard asks the phone again, and the second step of a login
    asks for the password.
    """

    #: Neither a bypass of the phone nor a second step of a login is for such a session.
    is_phone_alone = True

    def authenticate(  # type: ignore[override]
        self, request: HttpRequest | None, attempt: Attempt | None = None
    ) -> Any:
        """Return whose phone has accepted ``attempt``, which is used up by that."""
        approval = attempt.approval() if attempt else None
        if attempt is None or approval is None or not self._counts(approval):
            return None
        # A new password since then makes another binding, which has no approval.
        used = approvals.consume(attempt.wanted(approval.user), str(approval.pk))
        return approval.user if used == approval.pk else None

    async def aauthenticate(  # type: ignore[override]
        self, request: HttpRequest | None, attempt: Attempt | None = None
    ) -> Any:
        """Do the same: no password counts here, either."""
        return await sync_to_async(self.authenticate)(request, attempt)

    def user_can_authenticate(self, user: Any) -> bool:
        """
        Tell whether ``user`` may log in with the phone alone: no staff, by default.

        That holds for each request, too: whoever becomes staff is logged out.
        """
        strong = getattr(user, "is_staff", False) or getattr(
            user, "is_superuser", False
        )
        return not strong and super().user_can_authenticate(user)

    def _counts(self, approval: Approval) -> bool:
        user: Any = approval.user
        if approval.state != Status.ACCEPTED or not self.user_can_authenticate(user):
            return False
        try:
            number_of(approval)
        except Refused:
            return False
        return True
