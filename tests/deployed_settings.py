from example_project.settings import *  # noqa: F403
from example_project.settings import INSTALLED_APPS, env

MAGICLINK_DISPATCHER = env("MAGICLINK_DISPATCHER")
CELERY_BROKER_URL = env("CELERY_BROKER_URL", default="memory://")
TASKS = {"default": {"BACKEND": "django_tasks_db.DatabaseBackend"}}
INSTALLED_APPS = [*INSTALLED_APPS, "django_tasks_db"]
