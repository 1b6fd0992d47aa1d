from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from ... import retention


class Command(BaseCommand):
    help = (
        "Delete approvals older than MAGICLINK_RETENTION_DAYS, in small steps. What is "
        "still asked, and what may still open something, stays."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--days", type=int, help="instead of MAGICLINK_RETENTION_DAYS"
        )
        parser.add_argument(
            "--batch",
            type=int,
            default=retention.BATCH,
            help="rows in one transaction (%(default)s)",
        )
        parser.add_argument(
            "--grants",
            type=int,
            default=retention.GRANTS,
            help="days for which an accepted approval may open something (%(default)s)",
        )
        parser.add_argument(
            "--dry-run", action="store_true", help="only say how many there are"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        days, grants = options["days"], options["grants"]
        try:
            if options["dry_run"]:
                due = retention.due(days, grants)
                self.stdout.write(f"{due} approvals would be deleted.")
            else:
                deleted = retention.purge(days, options["batch"], grants)
                self.stdout.write(f"{deleted} approvals were deleted.")
        except ValueError as error:
            raise CommandError(str(error)) from error
