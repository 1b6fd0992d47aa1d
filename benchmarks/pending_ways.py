"""
The processes whose waits ``pending`` measures, and how each gets its approvals.

Run as a program, it is the one whose threads wait.
"""

import os
import sys
from contextlib import contextmanager

import django

from tests.brokers import Worker, celery_worker

SETTINGS = "benchmarks.sites.waits"
_QUEUE = "approvals"


class Threads:
    """A process with ThreadDispatcher."""

    name, most = "thread", 1000

    @contextmanager
    def worker(self, folder, database, broker, environment):
        """Run it while the block does; the result has its ``process``."""
        self._client = broker.client
        command = ["benchmarks.pending_ways", broker.url]
        with Worker(folder, database, command, " ready.", **environment) as worker:
            yield worker

    def dispatch(self, pks):
        """Hand these approvals over."""
        self._client.rpush(_QUEUE, *map(str, pks))


class Celery:
    """A Celery worker process with such a pool."""

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


WAYS = (Threads(), Celery("threads", 1000), Celery("gevent", 10_000))


def _wait_in_threads(url):
    import redis

    from django_magiclink.dispatchers.thread import ThreadDispatcher

    client, dispatcher = redis.Redis.from_url(url), ThreadDispatcher()
    print(" ready.", flush=True)
    while True:
        # Not for ever: the client gives up a connection on which nothing comes.
        if found := client.blpop([_QUEUE], timeout=1):
            dispatcher.dispatch(found[1].decode())


if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", SETTINGS)
    django.setup()
    _wait_in_threads(sys.argv[1])
