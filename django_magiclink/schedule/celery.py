"""Housekeeping for Celery beat: ``django_magiclink.purge`` and ``….expire``."""

from __future__ import annotations

from celery import shared_task

from .. import retention


@shared_task(name="django_magiclink.purge")
def purge(**options: int) -> int:
    """Delete old approvals, with the options of :func:`.retention.purge`."""
    return retention.purge(**options)


@shared_task(name="django_magiclink.expire")
def expire() -> int:
    """Mark what nobody finished in time, and count for the dashboard."""
    return retention.tidy()
