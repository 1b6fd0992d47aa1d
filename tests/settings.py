import os
import tempfile

import environ

env = environ.Env()

SECRET_KEY = "tests-only"
ALLOWED_HOSTS = ["*"]
USE_TZ = True
DATABASES = {"default": env.db_url(default="sqlite:///:memory:")}
if DATABASES["default"]["ENGINE"].endswith("sqlite3"):
    # A file, as in-memory databases cannot be shared by threads that write.
    DATABASES["default"] |= {
        "OPTIONS": {
            "transaction_mode": "IMMEDIATE",
            "timeout": env.float("SQLITE_TIMEOUT", default=30),
            "init_command": "PRAGMA synchronous = OFF;",
        },
        "TEST": {
            "NAME": os.path.join(tempfile.gettempdir(), f"magiclink-{os.getpid()}.db")
        },
    }
DATABASES["default"]["ATOMIC_REQUESTS"] = env.bool("ATOMIC_REQUESTS", default=False)
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
INSTALLED_APPS = [
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.messages",
    "django.contrib.sessions",
    "django.contrib.staticfiles",
    "rest_framework",
    "django_magiclink",
    "tests",
]
MIDDLEWARE = [
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.locale.LocaleMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
]
MIDDLEWARE[:0] = env.list("MORE_MIDDLEWARE", default=[])
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ]
        },
    }
]
ROOT_URLCONF = "tests.urls"
STATIC_URL = "static/"
LOGIN_URL = "/login/"
# Some of the tests' views have these defects on purpose.
SILENCED_SYSTEM_CHECKS = ["django_magiclink.E008", "django_magiclink.E009"]
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
LOGGING_CONFIG = None
# Django 6.1 wants it said where mails go.
MAILERS = {"default": {"BACKEND": "django.core.mail.backends.locmem.EmailBackend"}}

MAGICLINK_SANDBOX = True
MAGICLINK_LIMITS = env.json("MAGICLINK_LIMITS", default={})
MAGICLINK_FIELD_KEYS = ["dGVzdHMtb25seS10ZXN0cy1vbmx5LXRlc3RzLW9ubHk="]
MAGICLINK_SERVER_URL = env("MIDEYE_URL", default="")
MAGICLINK_API_KEY = env("MIDEYE_API_KEY", default="")
MAGICLINK_TIMEOUT = env.int("MAGICLINK_TIMEOUT", default=60)
MAGICLINK_DISPATCHER = env(
    "MAGICLINK_DISPATCHER",
    default="django_magiclink.dispatchers.thread.ThreadDispatcher",
)
CELERY_BROKER_URL = env("CELERY_BROKER_URL", default="memory://")
if "TASKS_BACKEND" in os.environ:
    TASKS = {"default": {"BACKEND": env("TASKS_BACKEND")}}
    INSTALLED_APPS.append(env("TASKS_BACKEND").partition(".")[0])
MAGICLINK_MAX_WAITING = env.int("MAGICLINK_MAX_WAITING", default=500)
