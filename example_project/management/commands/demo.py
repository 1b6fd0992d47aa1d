"""The whole thing to try out, in one process: the site, a sandbox, people, money."""

import errno
import signal
from argparse import ArgumentTypeError
from contextlib import contextmanager

from django.conf import settings
from django.contrib.staticfiles.handlers import StaticFilesHandler
from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError
from django.core.servers.basehttp import ThreadedWSGIServer, WSGIRequestHandler
from django.core.wsgi import get_wsgi_application
from django.db import connections, transaction
from django.utils.crypto import get_random_string

from django_magiclink.models import ApiKey, Approval, Endpoint
from django_magiclink.sandbox import Sandbox
from example_project.people import PHONE, make_people

HOST = "127.0.0.1"
WELCOME = """\
Site      {site}
Phone     {phone}
Log in as anna (or admin, or bo who has no phone), password {password}
          (a new one each time the demo starts)

Open both pages side by side, and try:
  Payroll    Approve on the phone. The page is then open for one minute.
  Transfer   An amount with a typo rings no phone. Each payment wants its own approval.
  Decline    Pay something and decline it on the phone. Nothing is carried out, and
             the form is as you left it.
The other pages each ask in another way: Invoices (htmx), Payment file (a form with a
file), Orders (an API), Cards (a rule), Contact (a class); and for admin the Admin and
the Vault. docs/howto has the code of each.

Ctrl-C stops both.
"""


def port(value):
    """Return a port from the command line."""
    if value.isdecimal() and int(value) < 65536:
        return int(value)
    raise ArgumentTypeError("a port is a number from 0 to 65535.")


class Command(BaseCommand):
    help = "Run this site beside a sandbox that plays the Mideye Server and the phones."

    def add_arguments(self, parser):
        for option, default, what in (
            ("--port", 8000, "site"),
            ("--sandbox-port", 8001, "sandbox"),
        ):
            parser.add_argument(
                option,
                type=port,
                default=default,
                metavar="PORT",
                help=f"port of the {what}, {default} unless given; 0 takes a free one",
            )

    def handle(self, **options):
        if not (settings.DEBUG and settings.MAGICLINK_SANDBOX):
            raise CommandError(
                "The demo gives everybody the same password, so it needs DEBUG and "
                "MAGICLINK_SANDBOX."
            )
        try:
            _stop_on_signals()
            # Both listen before anything else is done, so a taken port costs nothing.
            with (
                _site(options["port"]) as site,
                _sandbox(options["sandbox_port"]) as sandbox,
            ):
                self._run(site, sandbox)
        except KeyboardInterrupt:
            self.stdout.write("Stopped.")

    def _run(self, site, sandbox):
        call_command("migrate", interactive=False, verbosity=0)
        password = _set_up(sandbox)
        address = f"http://{HOST}:{site.server_port}/"
        phone = sandbox.phone_url(PHONE)
        self.stdout.write(WELCOME.format(site=address, phone=phone, password=password))
        # Whoever reads this through a pipe waits for it.
        self.stdout.flush()
        site.serve_forever()


def _stop_on_signals():
    def stop(*args):
        # A second one ends the process at once, should this one take too long.
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, signal.SIG_DFL)
        raise KeyboardInterrupt

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, stop)


@contextmanager
def _taken(number, option):
    try:
        yield
    except OSError as error:
        taken = error.errno == errno.EADDRINUSE
        why = "is in use" if taken else f"cannot be used ({error.strerror})"
        raise CommandError(
            f"Port {number} {why}. "
            f"Choose another: manage.py demo {option} {(number + 80) % 65536}"
        ) from error


@contextmanager
def _site(number):
    with _taken(number, "--port"):
        server = ThreadedWSGIServer((HOST, number), WSGIRequestHandler)
    with server:
        server.set_app(StaticFilesHandler(get_wsgi_application()))
        yield server


@contextmanager
def _sandbox(number):
    sandbox = Sandbox(port=number)
    with _taken(number, "--sandbox-port"):
        sandbox.start()
    try:
        yield sandbox
    finally:
        sandbox.stop()


def _set_up(sandbox):
    password = get_random_string(12)
    with transaction.atomic():
        _make_endpoint(sandbox)
        make_people(password)
    # This thread only accepts connections from here on.
    connections.close_all()
    return password


def _make_endpoint(sandbox):
    running = {"base_url": sandbox.url, "is_default": True, "enabled": True}
    # Words that the phone then shows in the user's language.
    buttons = {"accept_button_text": "Accept", "reject_button_text": "Reject"}
    endpoint, _created = Endpoint.objects.update_or_create(
        name="Sandbox", defaults=running, create_defaults=running | buttons
    )
    # A new sandbox knows none of the old one's keys.
    endpoint.keys.all().delete()
    ApiKey(endpoint=endpoint, name="Demo").enter(sandbox.api_key)
    # No phone rings at a sandbox that is new, whatever was ringing at the last one.
    Approval.objects.exclude(live_slot=None).update(live_slot=None)
