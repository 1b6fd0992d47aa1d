from __future__ import annotations

import sys
from argparse import ArgumentParser
from datetime import date
from getpass import getpass
from typing import Any

from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError
from django.db import router, transaction
from django.utils.translation import override
from django.views.decorators.debug import sensitive_variables

from django_magiclink import keys
from django_magiclink.models import ApiKey, Endpoint
from django_magiclink.models.api_key import today


class Command(BaseCommand):
    help = "Enter a key for an endpoint and put it to use; the one before is kept."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--endpoint",
            default="default",
            help='Name of the endpoint; without it, or as "default", the default one.',
        )
        parser.add_argument(
            "--stdin",
            action="store_true",
            help="Read the key from the standard input, not from the terminal.",
        )
        parser.add_argument(
            "--name",
            default="Command line",
            help="Friendly name of the key, as in Mideye's own interface.",
        )
        parser.add_argument(
            "--expires-on",
            type=date.fromisoformat,
            metavar="YYYY-MM-DD",
            help="The last day on which the key is valid.",
        )

    @sensitive_variables("secret")
    def handle(self, *args: Any, **options: Any) -> None:
        endpoint = _endpoint(options["endpoint"])
        # Never an argument: those stand in the shell's history and the process list.
        secret = sys.stdin.readline() if options["stdin"] else getpass("API key: ")
        secret = secret.strip()
        try:
            with override(None):
                keys.validate(secret)
        except ValidationError as error:
            raise CommandError(" ".join(error.messages)) from error
        expires_on = options["expires_on"]
        if expires_on is not None and expires_on < today():
            raise CommandError("That key has expired: nothing was changed.")
        with transaction.atomic(using=router.db_for_write(ApiKey)):
            key = keys.stage(
                endpoint,
                secret,
                name=options["name"][:64],
                expires_on=expires_on,
                user=None,
            )
            keys.use(key, None)
        self.stdout.write(f"The key {key} of the endpoint {endpoint} is in use.")


def _endpoint(name: str) -> Endpoint:
    named = Endpoint.objects.filter(name=name).first()
    if named is None and name == "default":
        named = Endpoint.objects.filter(is_default=True).first()
    if named is None:
        names = Endpoint.objects.order_by("name").values_list("name", flat=True)
        known = ", ".join(names) or "none, so add one in the admin"
        raise CommandError(f"There is no such endpoint. There are: {known}.")
    return named
