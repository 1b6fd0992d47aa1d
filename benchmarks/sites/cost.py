"""Settings of the site of ``guards``: all guards that are compared, on one view."""

from .base import *  # noqa: F403
from .base import INSTALLED_APPS, MIDDLEWARE

ALLOWED_HOSTS = ["testserver"]
ROOT_URLCONF = "benchmarks.sites.cost_urls"
INSTALLED_APPS = [
    *INSTALLED_APPS,
    "allauth",
    "allauth.account",
    "django_otp",
    "django_otp.plugins.otp_static",
    "elevate",
]
AUTHENTICATION_BACKENDS = ["django.contrib.auth.backends.ModelBackend"]
#: What each row is measured with, beside the middleware of its own guard.
SHARED_MIDDLEWARE = MIDDLEWARE
# allauth refuses to start without it.
MIDDLEWARE = [*MIDDLEWARE, "allauth.account.middleware.AccountMiddleware"]
OTP_LOGIN_URL = LOGIN_URL = "/accounts/login/"
ELEVATE_URL = "/elevate/"
#: Ten, of which the last is for the view that is measured.
MAGICLINK_RULES = [
    {"view": f"rule-{number}", "scope": "benchmark", "max_age": 300}
    for number in range(10)
]
