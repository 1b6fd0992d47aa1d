"""The tests' site, with a gate that a test may close."""

import fcntl
import os

from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tests.settings")

_site = get_wsgi_application()


def application(environ, start_response):
    """Note that a request has come, and serve it as soon as the gate is open."""
    with open(os.environ["GATE"], "a") as gate:
        print(file=gate, flush=True)
        fcntl.flock(gate, fcntl.LOCK_SH)
    return _site(environ, start_response)
