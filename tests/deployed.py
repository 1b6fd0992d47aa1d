"""The example project in the servers of a deployment; static files in their place."""

import os

from celery import Celery
from django.contrib.staticfiles.handlers import (
    ASGIStaticFilesHandler,
    StaticFilesHandler,
)
from django.core.asgi import get_asgi_application
from django.core.wsgi import get_wsgi_application

os.environ["DJANGO_SETTINGS_MODULE"] = "tests.deployed_settings"

celery = Celery("deployed")
celery.config_from_object("django.conf:settings", namespace="CELERY")
celery.autodiscover_tasks()
celery.set_current()

wsgi = StaticFilesHandler(get_wsgi_application())
asgi = ASGIStaticFilesHandler(get_asgi_application())
