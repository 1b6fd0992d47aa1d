"""
The processes whose waits ``pending`` measures, and how each gets its approvals.

Run as a program, it is the one whose threads wait.
"""

import os
import sys
import threading
import uuid
from contextlib import contextmanager

import django

from tests.brokers import Worker, celery_worker

SETTINGS = "benchmarks.sites.waits"
_QUEUE = "approvals"


class Threads:
    """A process with ThreadDispatcher, or with threads that know of no writer."""

    most = 1000

    def __init__(self, name, is_peer):
        self.name, self.is_peer = name, is_peer

    @contextmanager
    def worker(self, folder, database, broker, environment):
        """Run it while the block does; the result has its ``process``."""
        self._client = broker.client
        command = ["benchmarks.pending_ways", broker.url, self.name]
        with Worker(folder, database, command, " ready.", **environment) as worker:
            yield worker

    def dispatch(self, pks):
        """Hand these approvals over."""
        self._client.rpush(_QUEUE, *map(str, pks))


class Celery:
    """A Celery worker process with such a pool."""

    is_peer = False

    def __init__(self, pool, most):
        self.name, self._pool, self.most = f"Celery {pool}", pool, most

    @contextmanager
    def worker(self, folder, database, broker, environment):
        """Run it while the block does; the result has its ``process``."""
        options = (f"--pool={self._pool}", f"--concurrency={self.most}")
        with celery_worker(
            folder, database, broker.url, *options, **environment
        ) as worker:
            yield worker

    def dispatch(self, pks):
        """Hand these approvals over."""
        from django_magiclink.dispatchers.celery import CeleryDispatcher

        dispatcher = CeleryDispatcher()
        for pk in pks:
            dispatcher.dispatch(pk)


THREAD, PEER = "thread", "thread, a connection each"
WAYS = (
    Threads(THREAD, False),
    Threads(PEER, True),
    Celery("threads", 1000),
    Celery("gevent", 10_000),
)


def _each_for_itself(pk):
    from django_magiclink.approvals import perform

    threading.Thread(target=perform, args=[pk], daemon=True).start()


def _wait_in_threads(url, name):
    import redis

    from django_magiclink.dispatchers.thread import ThreadDispatcher

    client = redis.Redis.from_url(url)
    dispatch = _each_for_itself if name == PEER else ThreadDispatcher().dispatch
    print(" ready.", flush=True)
    while True:
        # Not for ever: the client gives up a connection on which nothing comes.
        if found := client.blpop([_QUEUE], timeout=1):
            dispatch(uuid.UUID(found[1].decode()))


if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", SETTINGS)
    django.setup()
    _wait_in_threads(*sys.argv[1:])
