"""The tests' site, with a gate that a test may close."""

import fcntl
import os

from django.core.wsgi import get_wsgi_application
from django.urls import get_resolver

from django_magiclink.dispatchers import get_dispatcher, writer

from . import worker

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tests.settings")

_site = get_wsgi_application()
# As Celery wants it imported by the project's own package.
worker.app.set_current()
# Here, so that not every worker has to: it takes longer than a hundred requests.
get_resolver().url_patterns  # noqa: B018
# As an app may that starts its threads early: gunicorn forks the workers later.
getattr(get_dispatcher(), "_of_this_process", bool)()
writer.run(bool)


def application(environ, start_response):
    """Note that a request has come, and serve it as soon as the gate is open."""
    with open(os.environ["GATE"], "a") as gate:
        print(environ["REQUEST_METHOD"], os.getpid(), file=gate, flush=True)
        fcntl.flock(gate, fcntl.LOCK_SH)
    return _site(environ, start_response)
