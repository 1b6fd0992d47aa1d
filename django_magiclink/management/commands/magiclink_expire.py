from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand

from ... import retention


class Command(BaseCommand):
    help = (
        "Mark the approvals that nobody finished in time. Housekeeping: "
        "they read as expired without it. It also counts what is settled for the "
        "dashboard, which whoever looks first would wait for."
    )

    def handle(self, *args: Any, **options: Any) -> None:
        self.stdout.write(f"{retention.tidy()} approvals have expired.")
