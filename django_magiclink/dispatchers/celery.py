"""Celery's workers wait: many machines, thousands of phones."""

from __future__ import annotations

import uuid

from celery import Celery, current_app, shared_task
from django.conf import settings
from django.core.checks import CheckMessage, Error, Warning
from kombu.connection import Connection
from kombu.pools import producers

from .. import approvals
from ..client import GRACE, MAX_TIMEOUT
from ..models.approval import START_WITHIN
from . import writer
from .base import BaseDispatcher

#: Seconds for which a broker may keep a page from being told that there is none.
BROKER_TIMEOUT = 2
#: Seconds after which Redis takes a message for lost, unless it is told otherwise.
VISIBILITY_TIMEOUT = 3600


class CeleryDispatcher(BaseDispatcher):
    """
    Sends each approval's id to a Celery worker, which waits in a thread or greenlet.

    What no worker has taken within 30 seconds is never sent. A worker that is killed
    loses what it waits for: those approvals expire at their deadline.
    ``stranger_queue`` is for a subclass to name: a queue with workers of its own for
    what strangers have asked for, who could keep all workers waiting.
    """

    stranger_queue: str | None = None

    def dispatch(self, pk: uuid.UUID) -> None:
        self._send(pk, None)

    def dispatch_of_stranger(self, pk: uuid.UUID) -> None:
        self._send(pk, self.stranger_queue)

    def _send(self, pk: uuid.UUID, queue: str | None) -> None:
        pool = producers[_connection(perform.app)]
        with pool.acquire(block=True, timeout=BROKER_TIMEOUT) as producer:
            perform.apply_async([str(pk)], producer=producer, retry=False, queue=queue)

    def check(self) -> list[CheckMessage]:
        return [*_check_app(current_app), *_check_visibility(current_app)]


# A message that is acknowledged late, or delivered again, could only find that the
# approval is sent. So it goes from the queue at once, and a dead worker blocks nothing.
@shared_task(
    name="django_magiclink.perform", ignore_result=True, acks_late=False, max_retries=0
)
def perform(pk: str) -> None:
    """Ask the phone for one approval, and wait for the answer."""
    approvals.perform(uuid.UUID(pk), writer.run)


def _connection(app: Celery) -> Connection:
    # Celery's own would try a broker that is down a hundred times: a user waits.
    connection: Connection = app.connection_for_write(
        connect_timeout=BROKER_TIMEOUT, transport_options={"max_retries": 0}
    )
    if connection.transport.driver_type == "redis":
        connection.transport_options = {
            "socket_connect_timeout": BROKER_TIMEOUT,
            "socket_timeout": BROKER_TIMEOUT,
        } | (connection.transport_options or {})
    return connection


def _check_app(app: Celery) -> list[CheckMessage]:
    if app.conf.task_always_eager and not settings.DEBUG:
        return [
            Error(
                "CELERY_TASK_ALWAYS_EAGER makes a web worker wait for as long as a "
                "phone rings.",
                hint="Set it to False outside of tests.",
                id="django_magiclink.E022",
            )
        ]
    if app.main == "default":
        return [
            Error(
                "CeleryDispatcher finds no Celery app in this process.",
                hint="Import your project's Celery app in its __init__.py, as Celery's "
                '"First steps with Django" says.',
                id="django_magiclink.E024",
            )
        ]
    return []


def _check_visibility(app: Celery) -> list[CheckMessage]:
    options = app.conf.broker_transport_options
    longest = START_WITHIN + MAX_TIMEOUT + int(GRACE)
    if options.get("visibility_timeout", VISIBILITY_TIMEOUT) >= longest:
        return []
    return [
        Warning(
            "The broker's visibility_timeout is shorter than a phone may ring, so it "
            "delivers tasks a second time.",
            hint=f"Make it {longest} seconds or more in "
            "CELERY_BROKER_TRANSPORT_OPTIONS.",
            id="django_magiclink.W010",
        )
    ]
