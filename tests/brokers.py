"""What carries approvals to workers, and the workers: real processes."""

import os
import signal
import socket
import subprocess
import sys
from contextlib import closing, suppress

import redis

from .servers import ROOT, end, surroundings, until

CELERY = "django_magiclink.dispatchers.celery.CeleryDispatcher"


def free_port():
    """Return a port of this machine that nobody listens on."""
    with closing(socket.create_server(("127.0.0.1", 0))) as listener:
        return listener.getsockname()[1]


class Redis:
    """A Redis without a disk; ``url`` is its address. A context manager."""

    def __init__(self):
        self.port = free_port()
        self.url = f"redis://127.0.0.1:{self.port}/0"

    def __enter__(self):
        self.up()
        return self

    def __exit__(self, *error):
        self.down()

    def up(self):
        """Let it run, also again after :meth:`down`."""
        command = ["redis-server", "--port", str(self.port), "--save", ""]
        self._process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
        self.client = redis.Redis(port=self.port)
        until(self._answers)

    def down(self):
        """End it, and lose what is in it."""
        self.client.close()
        end(self._process, signal.SIGTERM)

    def _answers(self):
        with suppress(redis.ConnectionError):
            return self.client.ping()


class Worker:
    """
    A process with workers; ``command`` runs it, and it logs ``ready`` once it does.

    A context manager. ``process`` is what runs; ``environment`` is added to the site's.
    """

    def __init__(self, folder, database, command, ready, **environment):
        self._log = folder / "worker.log"
        self._command, self._ready = command, ready
        self._environment = os.environ | surroundings(database) | environment
        self.process = None

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *error):
        self.stop()

    def start(self):
        """Start it, and return once it is ready."""
        with self._log.open("w") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", *self._command],
                cwd=ROOT,
                env=self._environment,
                stdout=log,
                stderr=log,
            )
        try:
            until(self._is_ready)
        except BaseException:
            self.stop(signal.SIGKILL)
            raise

    def stop(self, number=signal.SIGTERM):
        """End it, if it runs."""
        end(self.process, number)

    def said(self):
        """Return what it has logged since it was started."""
        return self._log.read_text()

    def _is_ready(self):
        if self.process.poll() is not None:
            raise RuntimeError(self.said())
        return self._ready in self.said()


def celery_worker(folder, database, broker, *options, **environment):
    """Return a Celery worker of the tests' site."""
    command = ["celery", "-A", "tests.worker", "worker", "--loglevel=INFO", *options]
    environment |= {"CELERY_BROKER_URL": broker}
    return Worker(folder, database, command, " ready.", **environment)
