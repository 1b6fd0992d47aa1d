"""Settings of the sites of ``resume_cases``: one guard each, named in GUARD."""

import os

from .base import *  # noqa: F403
from .base import FOLDER, INSTALLED_APPS, MIDDLEWARE

GUARD = os.environ["GUARD"]
ROOT_URLCONF = "benchmarks.sites.resume_urls"
#: Where the views note each run. It stands for the outside world, and is not searched.
RUNS = FOLDER / "runs"

#: What the guards want, by decorator and by rule alike.
REQUIREMENT = {"scope": "benchmark", "max_age": 0, "text": "Carry it out"}

if GUARD == "middleware":
    MIDDLEWARE = [*MIDDLEWARE, "django_magiclink.middleware.ApprovalMiddleware"]
    MAGICLINK_RULES = [{"view": "guarded*", **REQUIREMENT}]

if GUARD == "allauth":
    INSTALLED_APPS = [
        *(app for app in INSTALLED_APPS if app != "django_magiclink"),
        "allauth",
        "allauth.account",
        "allauth.socialaccount",
        "allauth.socialaccount.providers.dummy",
    ]
    MIDDLEWARE = [*MIDDLEWARE, "allauth.account.middleware.AccountMiddleware"]
    AUTHENTICATION_BACKENDS = [
        "django.contrib.auth.backends.ModelBackend",
        "allauth.account.auth_backends.AuthenticationBackend",
    ]
    ACCOUNT_EMAIL_VERIFICATION = "none"
    LOGIN_REDIRECT_URL = "/form/"
