"""The example project as it may be deployed, with a sandbox and people of the demo."""

import socket
import subprocess
import sys
from contextlib import ExitStack, suppress
from urllib.request import urlopen

from .brokers import CELERY, Redis
from .demo import Demo
from .servers import COMMANDS, end, until

DISPATCHERS = "django_magiclink.dispatchers"
THREAD = f"{DISPATCHERS}.thread.ThreadDispatcher"
TASKS = f"{DISPATCHERS}.tasks.TasksDispatcher"
APPLICATIONS = {"gunicorn": "tests.deployed:wsgi", "uvicorn": "tests.deployed:asgi"}
CELERY_WORKER = (
    *("celery", "--app=tests.deployed_settings:celery", "worker", "--pool=threads"),
    *("--concurrency=20", "--prefetch-multiplier=1"),
)
DB_WORKER = ("django", "db_worker", "--interval=0.2", "--no-startup-delay")
#: Who waits, what serves, and which workers there are.
DEPLOYMENTS = {
    "gunicorn": (THREAD, "gunicorn", []),
    "uvicorn": (THREAD, "uvicorn", []),
    "celery": (CELERY, "gunicorn", [CELERY_WORKER]),
    # Each takes one approval at a time.
    "tasks": (TASKS, "gunicorn", [DB_WORKER] * 3),
}


class Deployment(Demo):
    """
    The demo, whose ``site`` is served as the deployment of this name is.

    A context manager, as the demo is.
    """

    def __init__(self, folder, name):
        dispatcher, self._server, self._workers = DEPLOYMENTS[name]
        self._running = ExitStack()
        given = {
            "DJANGO_SETTINGS_MODULE": "tests.deployed_settings",
            "MAGICLINK_DISPATCHER": dispatcher,
            # Where gunicorn puts a socket of its own.
            "XDG_RUNTIME_DIR": str(folder),
        }
        if dispatcher == CELERY:
            given["CELERY_BROKER_URL"] = self._running.enter_context(Redis()).url
        super().__init__(folder, **given)

    def start(self):
        """Start it, and return once it answers."""
        super().start()
        with socket.create_server(("127.0.0.1", 0)) as listener:
            fd = listener.fileno()
            self.site = f"http://127.0.0.1:{listener.getsockname()[1]}/"
            options = {"fd": fd, "workers": 2, "threads": 4}
            options["application"] = APPLICATIONS[self._server]
            command = [part.format(**options) for part in COMMANDS[self._server]]
            self._start(*command, fd=fd)
        for worker in self._workers:
            self._start(*worker)
        until(self._answers)

    def stop(self, *number):
        """End all of it."""
        self._running.close()
        return super().stop(*number)

    def _start(self, *command, fd=None):
        with self.log.open("a") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", *command],
                pass_fds=[] if fd is None else [fd],
                stdout=log,
                stderr=log,
                **self._surroundings(),
            )
        self._running.callback(end, process, 15)

    def _answers(self):
        with suppress(OSError), urlopen(f"{self.site}login/") as answer:  # noqa: S310
            return answer.status == 200
