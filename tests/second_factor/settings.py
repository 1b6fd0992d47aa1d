"""The example project with more ways to log in."""

from example_project.settings import *  # noqa: F403
from example_project.settings import MIDDLEWARE

DATABASES = {"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}}
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
ROOT_URLCONF = "tests.second_factor.urls"
MIDDLEWARE = [
    *MIDDLEWARE,
    "django.contrib.auth.middleware.RemoteUserMiddleware",
    # The last, so only what nothing has kept from its view comes to it.
    "tests.second_factor.crawl.Recorder",
]
AUTHENTICATION_BACKENDS = [
    "django.contrib.auth.backends.ModelBackend",
    "django.contrib.auth.backends.RemoteUserBackend",
]
