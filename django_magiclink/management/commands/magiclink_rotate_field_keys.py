from __future__ import annotations

from typing import Any

from django.core.exceptions import ImproperlyConfigured
from django.core.management.base import BaseCommand, CommandError

from django_magiclink.exceptions import DecryptionError
from django_magiclink.models import ApiKey


class Command(BaseCommand):
    help = (
        "Encrypt all stored API keys anew with the first of MAGICLINK_FIELD_KEYS, so "
        "that the others can be taken out of it."
    )

    def handle(self, *args: Any, **options: Any) -> None:
        unreadable = []
        done = 0
        for key in ApiKey.objects.order_by("created"):
            try:
                key.rotate()
            except DecryptionError:
                unreadable.append(f"{key} of {key.endpoint}")
            except ImproperlyConfigured as error:
                raise CommandError(str(error)) from error
            else:
                done += 1
        self.stdout.write(f"Encrypted with the first field key: {done}.")
        if unreadable:
            raise CommandError(
                f"Cannot be read with any field key: {', '.join(unreadable)}. Put the "
                "field key back they were encrypted with, or delete them."
            )
