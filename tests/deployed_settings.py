from celery import Celery

from example_project.settings import *  # noqa: F403
from example_project.settings import INSTALLED_APPS, env

# Here rather than in the project's package, as Celery wants it: the demo needs none.
celery = Celery("deployed")
celery.config_from_object("django.conf:settings", namespace="CELERY")
celery.autodiscover_tasks()
celery.set_current()

MAGICLINK_DISPATCHER = env("MAGICLINK_DISPATCHER")
CELERY_BROKER_URL = env("CELERY_BROKER_URL", default="memory://")
TASKS = {"default": {"BACKEND": "django_tasks_db.DatabaseBackend"}}
INSTALLED_APPS = [*INSTALLED_APPS, "django_tasks_db"]
