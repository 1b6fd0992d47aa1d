"""The approval that a guard looks for."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from django.db.models import Q, QuerySet
from django.utils import timezone

from .models import Approval
from .status import Status

#: Seconds within which an accepted single use must be used.
USE_WITHIN = 300


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """The approval that a guard wants: what it must match, and how to ask for it."""

    purpose: str
    scope: str
    max_age: int | str
    endpoint: str
    timeout: int | None
    code: str
    text: str
    binding: str
    session_hash: str

    def rows(self) -> QuerySet[Approval]:
        """The approvals of this binding."""
        return Approval.objects.primary().filter(binding=self.binding)

    def granting(self) -> Q:
        """What makes one of them let a request pass now."""
        accepted = Q(status=Status.ACCEPTED)
        if self.max_age == "session":
            return accepted
        age = timedelta(seconds=int(self.max_age) or USE_WITHIN)
        return accepted & Q(answered__gte=timezone.now() - age)
