"""A pytest plugin: a test database for each process, as they are forked here."""

import os
import tempfile

from django.conf import settings


def pytest_sessionstart():
    # The settings were imported before the fork, so all have the parent's file.
    name = os.path.join(tempfile.gettempdir(), f"magiclink-{os.getpid()}.db")
    settings.DATABASES["default"]["TEST"]["NAME"] = name
