"""The caller waits: for tests and commands."""

from __future__ import annotations

import uuid

from django.conf import settings
from django.core.checks import CheckMessage, Error

from .. import approvals
from .base import BaseDispatcher


class ImmediateDispatcher(BaseDispatcher):
    """Runs the call where it is dispatched, for as long as the phone rings."""

    def dispatch(self, pk: uuid.UUID) -> None:
        approvals.perform(pk)

    def check(self) -> list[CheckMessage]:
        if settings.DEBUG:
            return []
        return [
            Error(
                "ImmediateDispatcher blocks a web worker for as long as a phone rings.",
                hint="Set MAGICLINK_DISPATCHER to a dispatcher that works in the "
                "background, such as "
                "'django_magiclink.dispatchers.thread.ThreadDispatcher'.",
                id="django_magiclink.E021",
            )
        ]
