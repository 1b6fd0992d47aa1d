"""The example project, run as its users run it: ``manage.py demo``."""

import json
import os
import re
import signal
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from threading import Timer

from django_magiclink.conf import DEFAULT_LIMITS

ROOT = Path(__file__).parent.parent
MANAGE = [sys.executable, "manage.py"]
#: Seconds after which a demo that says nothing is given up.
PATIENCE = 60


class Demo:
    """
    ``manage.py demo`` on free ports, with its database in ``folder``; ``environment``
    is added to this process's own.

    A context manager that starts and stops it, any number of times. While it runs,
    ``site`` and ``phone`` are the addresses it printed, and ``password`` is the one of
    its users anna, bo and admin.
    """

    def __init__(self, folder, **environment):
        self.environment = environment
        self.database = folder / "demo.sqlite3"
        self.log = folder / "demo.log"
        self.process = None

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *error):
        self.stop()

    def start(self):
        """Start it, and return once it has said where it is."""
        command = [*MANAGE, "demo", "--port=0", "--sandbox-port=0"]
        with self.log.open("a") as log:
            self.process = subprocess.Popen(
                command, stdout=subprocess.PIPE, stderr=log, **self._surroundings()
            )
        watchdog = Timer(PATIENCE, self.process.kill)
        watchdog.start()
        self.output = ""
        # An empty line is the end of a demo that failed.
        while "Ctrl-C" not in self.output and (line := self.process.stdout.readline()):
            self.output += line
        watchdog.cancel()
        try:
            self.site = self._printed(r"^Site +(\S+)$")
            self.phone = self._printed(r"^Phone +(\S+)$")
            self.password = self._printed(r"^Log in as anna\b.*, password (\S+)$")
        except LookupError:
            self.stop(signal.SIGKILL)
            raise

    def stop(self, number=signal.SIGINT):
        """End it, if it runs, and return its exit code."""
        process, self.process = self.process, None
        if process is None:
            return None
        process.send_signal(number)
        try:
            self.output += process.communicate(timeout=PATIENCE)[0]
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()
            raise
        return process.returncode

    def is_untouched(self):
        """Tell whether its database has no table; Django's own checks may open it."""
        with closing(sqlite3.connect(self.database)) as database:
            return not database.execute("SELECT * FROM sqlite_master").fetchall()

    def run(self, *arguments, **environment):
        """Run a command of ``manage.py`` beside it, to its end."""
        return subprocess.run(
            [*MANAGE, *arguments],
            capture_output=True,
            timeout=PATIENCE,
            **self._surroundings(**environment),
        )

    def phone_of(self, number):
        """Return the address of another phone in the sandbox."""
        return f"{self.phone.rpartition('/')[0]}/{number}"

    def _surroundings(self, **environment):
        given = {
            # The tests have settings of their own.
            "DJANGO_SETTINGS_MODULE": "example_project.settings",
            "DATABASE_URL": f"sqlite:///{self.database}",
            # Each test asks the same phones.
            "MAGICLINK_LIMITS": json.dumps(dict.fromkeys(DEFAULT_LIMITS)),
        }
        given |= self.environment | environment
        return {"cwd": ROOT, "env": os.environ | given, "text": True}

    def _printed(self, pattern):
        found = re.search(pattern, self.output, re.MULTILINE)
        if not found:
            raise LookupError(f"{self.output}\n{self.log.read_text()}")
        return found[1]
