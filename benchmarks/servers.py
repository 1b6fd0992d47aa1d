"""The sites as processes of their own: gunicorn for WSGI, uvicorn for ASGI."""

import os
import shutil
import socket
import subprocess
import sys
import time
from pathlib import Path

import requests

ROOT = Path(__file__).parent.parent
#: Seconds after which something that does not come to be is given up.
PATIENCE = 30
_COMMANDS = {
    "WSGI": (
        *("gunicorn", "benchmarks.sites.wsgi:application"),
        *("--bind=fd://{fd}", "--workers=1", "--threads=8"),
    ),
    "ASGI": (
        *("uvicorn", "benchmarks.sites.asgi:application"),
        *("--fd={fd}", "--lifespan=off", "--no-access-log", "--no-server-header"),
    ),
}


def until(condition, patience=PATIENCE):
    """Return what ``condition`` returns, once that is true."""
    end = time.monotonic() + patience
    while not (found := condition()):
        if time.monotonic() > end:
            raise TimeoutError(f"It did not come to be within {patience} s.")
        time.sleep(0.05)
    return found


class Site:
    """
    One guard behind one server, with all it keeps in a folder of its own.

    A context manager; ``url`` is its address. ``guard`` is one of decorator,
    middleware, allauth and planted, ``server`` is WSGI or ASGI.
    """

    def __init__(self, guard, server, sandbox, work):
        self.guard = guard
        self.server = server
        self.folder = work / f"{guard}-{server}"
        self.sandbox = sandbox
        self._template = work / f"{'allauth' if guard == 'allauth' else 'ours'}.sqlite3"
        self._environment = os.environ | {
            "DJANGO_SETTINGS_MODULE": "benchmarks.sites.resume",
            "BENCHMARK_FOLDER": str(self.folder),
            "GUARD": guard,
            "MIDEYE_URL": sandbox.url,
            "MIDEYE_API_KEY": sandbox.api_key,
            "TMPDIR": str(self.folder / "tmp"),
            # Where gunicorn puts a socket of its own.
            "XDG_RUNTIME_DIR": str(self.folder),
        }

    def __enter__(self):
        (self.folder / "tmp").mkdir(parents=True)
        self._migrate()
        with (
            socket.create_server(("127.0.0.1", 0), backlog=128) as listener,
            self._log.open("w") as log,
        ):
            descriptor = listener.fileno()
            self.url = f"http://127.0.0.1:{listener.getsockname()[1]}"
            command = [part.format(fd=descriptor) for part in _COMMANDS[self.server]]
            self._process = subprocess.Popen(  # noqa: S603
                [sys.executable, "-m", *command],
                cwd=ROOT,
                env=self._environment,
                pass_fds=[descriptor],
                stdout=log,
                stderr=log,
            )
        try:
            until(self._answers)
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *error):
        self._process.terminate()
        try:
            self._process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def _migrate(self):
        database = self.folder / "db.sqlite3"
        if not self._template.exists():
            command = [sys.executable, "-m", "django", "migrate", "--verbosity=0"]
            subprocess.run(  # noqa: S603
                command, check=True, cwd=ROOT, env=self._environment
            )
            shutil.copy(database, self._template)
        shutil.copy(self._template, database)

    @property
    def _log(self):
        return self.folder / "log"

    def _answers(self):
        if self._process.poll() is not None:
            raise RuntimeError(self._log.read_text())
        try:
            return requests.get(f"{self.url}/static/", timeout=PATIENCE).status_code
        except requests.ConnectionError:
            return None
