"""What some tests need of the machine, and what to say where it is missing."""

import os
import shutil
import subprocess
import sys
from glob import glob
from pathlib import Path

import pytest

#: Set in CI: what is missing then fails.
ALL = os.environ.get("MAGICLINK_TEST_ALL") == "1"


def chromium():
    """The path of a Chromium or Chrome."""
    # The first has no window to draw and takes half of the time.
    names = "chromium-headless-shell chromium chromium-browser google-chrome chrome"
    return next(filter(None, map(shutil.which, names.split())), None)


def postgres():
    """The directory with PostgreSQL's server programs."""
    places = [*glob("/usr/lib/postgresql/*/bin"), *os.get_exec_path()]
    for place in sorted(places, reverse=True):
        if (Path(place) / "initdb").exists() and (Path(place) / "postgres").exists():
            return place
    return None


def redis():
    """The path of Redis's server."""
    return shutil.which("redis-server")


def npx():
    """The path of npx, which runs packages of the npm registry."""
    return shutil.which("npx")


def gettext():
    """The path of GNU gettext's extraction, which Django's makemessages runs."""
    return shutil.which("xgettext")


def newer_python():
    """A Python that Django 6 runs on: this one, or another on PATH."""
    if sys.version_info >= (3, 12):
        return sys.executable
    for minor in (13, 12):
        path = shutil.which(f"python3.{minor}")
        # A shim of pyenv may be there and lead nowhere.
        if path and subprocess.run([path, "-V"], capture_output=True).returncode == 0:
            return path
    return None


#: What a test may need: where it is, and how to have it.
NEEDS = {
    "chromium": (chromium, "install Chromium, such as Debian's package chromium"),
    "postgres": (postgres, "install PostgreSQL's server, such as package postgresql"),
    "redis": (redis, "install Redis's server, such as package redis-server"),
    "gettext": (gettext, "install GNU gettext, such as Debian's package gettext"),
    "npx": (npx, "install npm, such as Debian's package npm"),
    "newer_python": (newer_python, "put Python 3.12 or 3.13 on PATH as python3.13"),
}

_left_out = {}


def pytest_configure(config):
    config.addinivalue_line("markers", "needs(*names): what the machine must have.")


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item):
    for marker in item.iter_markers("needs"):
        for name in marker.args:
            find, remedy = NEEDS[name]
            if find() is None:
                if ALL:
                    pytest.fail(f"There is no {name}: {remedy}.")
                _left_out.setdefault(name, []).append(item.nodeid)
                pytest.skip(f"needs {name}")


def pytest_terminal_summary(terminalreporter):
    for name, tests in _left_out.items():
        remedy = NEEDS[name][1]
        terminalreporter.line(f"{len(tests)} tests left out. To run them, {remedy}.")
