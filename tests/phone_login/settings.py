from ..settings import *  # noqa: F403

AUTHENTICATION_BACKENDS = [
    "django.contrib.auth.backends.ModelBackend",
    "django_magiclink.backends.MagicLinkBackend",
]
ROOT_URLCONF = "tests.phone_login.urls"
