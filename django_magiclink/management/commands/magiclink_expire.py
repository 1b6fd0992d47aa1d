from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand

from ... import approvals


class Command(BaseCommand):
    help = (
        "Mark the approvals that nobody finished in time. Housekeeping: "
        "they read as expired without it."
    )

    def handle(self, *args: Any, **options: Any) -> None:
        self.stdout.write(f"{approvals.expire()} approvals have expired.")
