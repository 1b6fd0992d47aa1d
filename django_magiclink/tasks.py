"""What Celery's ``autodiscover_tasks()`` finds, by this module's name."""

from .dispatchers.celery import perform
from .schedule.celery import expire, purge

__all__ = ["expire", "perform", "purge"]
