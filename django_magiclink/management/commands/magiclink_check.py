from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils.translation import override

from django_magiclink import health
from django_magiclink.models import ApiKey
from django_magiclink.signals import key_expiring


class Command(BaseCommand):
    help = (
        "Say which endpoints and keys need somebody, and end with status 1 if any do. "
        "Nothing is sent; for a schedule, so that no key expires unseen."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--days",
            type=int,
            default=health.WARN_DAYS,
            help="Days before its expiry from which a key is reported; "
            f"{health.WARN_DAYS} unless given.",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        endpoints = health.endpoints()
        for endpoint in endpoints:
            key = health.key_in_use(endpoint) if endpoint.enabled else None
            left = health.days_left(key) if key else None
            if left is not None and left <= options["days"]:
                key_expiring.send_robust(ApiKey, endpoint=endpoint, key=key, days=left)
        found = health.unwell(endpoints, options["days"])
        if found:
            # Only this is English: what receivers have written is for other readers.
            with override(None):
                said = [health.describe(*each) for each in found]
            raise CommandError("\n".join(said))
        self.stdout.write(f"Endpoints: {len(endpoints)}. Nothing to do.")
