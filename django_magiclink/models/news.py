"""What is told of an approval once its new status is committed, and to whom."""

from __future__ import annotations

import logging
import uuid
from collections.abc import Sequence
from typing import Any

from django.db import DatabaseError, connections

from ..signals import approval_changed
from ..status import UNANSWERED, Status, sources

logger = logging.getLogger("django_magiclink")

#: Where PostgreSQL tells the processes in which pages wait.
CHANNEL = "django_magiclink"


def tell(
    sender: Any, pks: Sequence[uuid.UUID], status: Status, kind: str, by: Any
) -> None:
    """Tell the site's own receivers, and the log."""
    for pk in pks:
        logger.info("Approval %s is %s, error %s.", pk, status.value, kind)
        approval_changed.send_robust(sender, pk=pk, status=status, by=by)


def wake(alias: str, pks: Sequence[uuid.UUID], status: Status) -> None:
    """Tell the pages that wait for the phones of ``pks``, if they may still do so."""
    if status in UNANSWERED or not sources(status) & UNANSWERED:
        return
    if connections[alias].vendor != "postgresql":
        return
    try:
        notify(alias, *map(str, pks))
    except DatabaseError as error:
        # They will look by themselves.
        logger.warning("Waiting pages are not told: %s", type(error).__name__)


def notify(alias: str, *payloads: str) -> None:
    """Say ``payloads`` to whoever listens at the database ``alias``."""
    with connections[alias].cursor() as cursor:
        cursor.execute(
            "SELECT pg_notify(%s, payload) FROM unnest(%s::text[]) AS payload",
            [CHANNEL, list(payloads)],
        )
