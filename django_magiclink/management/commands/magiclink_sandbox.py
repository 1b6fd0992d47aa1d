from __future__ import annotations

import errno
import signal
from argparse import ArgumentParser
from threading import Event
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from django_magiclink.conf import app_settings
from django_magiclink.sandbox import Sandbox

TEXT = """\
The Mideye sandbox runs. Ctrl-C ends it.

  URL      {url}
  API key  {key}
  Phones   {url}/
  A phone  {phone}

Settings for your project:

  MAGICLINK_SANDBOX = True
  MAGICLINK_SERVER_URL = "{url}"
  MAGICLINK_API_KEY = "{key}"
"""


class Command(BaseCommand):
    help = "Run a Mideye Server for development, with a phone in the browser."
    # It has to run before the settings that it prints are there to be checked.
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--port",
            type=int,
            default=8765,
            help="Port on 127.0.0.1; 0 takes a free one. The default is 8765.",
        )
        parser.add_argument(
            "--api-key",
            default="",
            help="Key to accept, so that it stays the same at the next start.",
        )
        parser.add_argument(
            "--phone",
            default="+46701234567",
            help="Number of the phone whose address is printed; any number works.",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        if not settings.DEBUG and not app_settings.SANDBOX:
            raise CommandError(
                "The sandbox is for development, and DEBUG is off. "
                "Set MAGICLINK_SANDBOX = True if this is not production."
            )
        sandbox = self._started(options["port"], options["api_key"])
        # SIGINT too: a shell lets what it starts in the background ignore it.
        before = {
            number: signal.signal(number, signal.default_int_handler)
            for number in (signal.SIGINT, signal.SIGTERM)
        }
        try:
            with sandbox:
                self._describe(sandbox, options["phone"])
                Event().wait()
        except KeyboardInterrupt:
            self.stdout.write("The sandbox has stopped.")
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def _started(self, port: int, api_key: str) -> Sandbox:
        try:
            sandbox = Sandbox(port, api_key=api_key)
            sandbox.start()
        except ValueError as error:
            raise CommandError(str(error)) from error
        except OSError as error:
            taken = error.errno == errno.EADDRINUSE
            problem = "is taken" if taken else f"cannot be used ({error.strerror})"
            raise CommandError(
                f"Port {port} {problem}. "
                "Choose another with --port, or take a free one with --port 0."
            ) from error
        return sandbox

    def _describe(self, sandbox: Sandbox, phone: str) -> None:
        text = TEXT.format(
            url=sandbox.url, key=sandbox.api_key, phone=sandbox.phone_url(phone)
        )
        self.stdout.write(text)
        self.stdout.flush()
