"""The workers of Django's Tasks framework wait: for small sites that have them."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING

import django
from django.conf import settings
from django.core.checks import CheckMessage, Error

from .. import approvals
from . import writer
from .base import BaseDispatcher

if TYPE_CHECKING or django.VERSION >= (6, 0):  # pragma: no cover
    from django.tasks import task
    from django.tasks.backends.dummy import DummyBackend
    from django.tasks.backends.immediate import ImmediateBackend
else:  # pragma: no cover
    from django_tasks import task
    from django_tasks.backends.dummy import DummyBackend
    from django_tasks.backends.immediate import ImmediateBackend


class TasksDispatcher(BaseDispatcher):
    """
    Enqueues each approval's id as a task.

    The workers of django-tasks-db and django-tasks-rq take one task at a time, so as
    many phones ring at once as there are workers. What none of them has taken within 30
    seconds is never sent. ``backend`` and ``queue_name`` are for a subclass to change,
    and so is ``stranger_queue_name``: a queue with workers of its own for what
    strangers have asked for, who could keep all workers waiting.
    """

    backend = "default"
    queue_name = "default"
    stranger_queue_name: str | None = None

    def dispatch(self, pk: uuid.UUID) -> None:
        self._enqueue(pk, self.queue_name)

    def dispatch_of_stranger(self, pk: uuid.UUID) -> None:
        self._enqueue(pk, self.stranger_queue_name or self.queue_name)

    def _enqueue(self, pk: uuid.UUID, queue_name: str) -> None:
        where = perform.using(backend=self.backend, queue_name=queue_name)
        where.enqueue(str(pk))

    def check(self) -> list[CheckMessage]:
        backend = perform.using(backend=self.backend).get_backend()
        if isinstance(backend, ImmediateBackend) and settings.DEBUG:
            return []
        if not isinstance(backend, (ImmediateBackend, DummyBackend)):
            return []
        return [
            Error(
                f"{type(backend).__name__} has no worker: an approval would make a web "
                "worker wait, or nobody would ask the phone.",
                hint="Name a backend with workers in TASKS, such as "
                "'django_tasks_db.DatabaseBackend'.",
                id="django_magiclink.E023",
            )
        ]


@task()
def perform(pk: str) -> None:
    """Ask the phone for one approval, and wait for the answer."""
    approvals.perform(uuid.UUID(pk), writer.run)
