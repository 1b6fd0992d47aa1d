"""Housekeeping as tasks of Django's Tasks framework: ``purge`` and ``expire``."""

from __future__ import annotations

from typing import TYPE_CHECKING

import django

from .. import retention

if TYPE_CHECKING or django.VERSION >= (6, 0):  # pragma: no cover
    from django.tasks import task
else:  # pragma: no cover
    from django_tasks import task


@task()
def purge(**options: int) -> int:
    """Delete old approvals, with the options of :func:`.retention.purge`."""
    return retention.purge(**options)


@task()
def expire() -> int:
    """Mark what nobody finished in time, and count for the dashboard."""
    return retention.tidy()
