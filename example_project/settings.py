"""
Settings of the example project, read from the environment and from ``.env``.

Without any, it is a development site on SQLite: a copy for real users needs another
default for DEBUG.
"""

from pathlib import Path
from urllib.parse import quote

import environ

BASE_DIR = Path(__file__).resolve().parent.parent

env = environ.Env()
env.read_env(BASE_DIR / ".env")

DEBUG = env.bool("DEBUG", default=True)


def secret(name, development):
    """Read a secret, whose default is known to everybody, so only DEBUG has it."""
    return env(name, default=development if DEBUG else env.NOTSET)


SECRET_KEY = secret("SECRET_KEY", "for-development-only")
ALLOWED_HOSTS = env.list("ALLOWED_HOSTS", default=[])
CSRF_TRUSTED_ORIGINS = env.list("CSRF_TRUSTED_ORIGINS", default=[])

INSTALLED_APPS = [
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.messages",
    "django.contrib.sessions",
    "django.contrib.staticfiles",
    "django_magiclink",
    "example_project",
]
MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "example_project.middleware.ContentSecurityPolicyMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.locale.LocaleMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django_magiclink.middleware.ApprovalMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
]
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "example_project.context_processors.bank",
            ]
        },
    }
]
ROOT_URLCONF = "example_project.urls"
WSGI_APPLICATION = "example_project.wsgi.application"
ASGI_APPLICATION = "example_project.asgi.application"

DATABASES = {
    "default": env.db(
        "DATABASE_URL", default=f"sqlite:///{quote(str(BASE_DIR / 'db.sqlite3'))}"
    )
}
if DATABASES["default"]["ENGINE"] == "django.db.backends.sqlite3":
    # A transaction that reads first and writes later would fail at once, without
    # waiting, where another one is writing.
    DATABASES["default"]["OPTIONS"] = {"transaction_mode": "IMMEDIATE", "timeout": 20}
    # A file, as the threads of a live server would share one connection to memory.
    DATABASES["default"]["TEST"] = {"NAME": BASE_DIR / "test.sqlite3"}

AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"django.contrib.auth.password_validation.{name}"}
    for name in (
        "UserAttributeSimilarityValidator",
        "MinimumLengthValidator",
        "CommonPasswordValidator",
        "NumericPasswordValidator",
    )
]
SECOND_FACTOR = env.bool("SECOND_FACTOR", default=False)
AUTHENTICATION_BACKENDS = ["django.contrib.auth.backends.ModelBackend"]
if not SECOND_FACTOR:
    # The phone alone logs in. It cannot be the second step as well.
    AUTHENTICATION_BACKENDS.append("django_magiclink.backends.MagicLinkBackend")
LOGIN_URL = "login"
LOGIN_REDIRECT_URL = "overview"
LOGOUT_REDIRECT_URL = "login"

SECURE_SSL_REDIRECT = not DEBUG
SESSION_COOKIE_SECURE = not DEBUG
CSRF_COOKIE_SECURE = not DEBUG

LANGUAGE_CODE = "en"
# The approval pages and the phone speak the first of these that the browser asks for.
# The bank's own pages are in English.
LANGUAGES = [("en", "English"), ("sv", "Svenska")]
TIME_ZONE = "Europe/Stockholm"
USE_TZ = True

STATIC_URL = "static/"
STATIC_ROOT = BASE_DIR / "staticfiles"

REST_FRAMEWORK = {
    # An approval belongs to a session.
    "DEFAULT_AUTHENTICATION_CLASSES": [
        "rest_framework.authentication.SessionAuthentication"
    ],
    # The pages of its browsable API would need inline scripts and styles.
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
}

MAGICLINK_RULES = [
    # The first rule that fits a view counts, so the narrower one stands first.
    {
        "view": "cards:limit",
        "methods": ["POST"],
        "scope": "card-limit",
        "max_age": 60,
        "text": "Let card {number} pay {limit} SEK a day",
        "params": ["number", "limit"],
    },
    {"namespace": "cards", "scope": "cards", "text": "Show your cards and their PINs"},
]
if SECOND_FACTOR:
    # The second step of each login. It holds beside the rule that fits a view.
    MAGICLINK_RULES.append({"all": True, "scope": "login", "max_age": "session"})
MAGICLINK_SANDBOX = env.bool("MAGICLINK_SANDBOX", default=DEBUG)
MAGICLINK_SITE_NAME = "Harbour Bank"
MAGICLINK_SERVER_URL = env("MIDEYE_URL", default="")
MAGICLINK_API_KEY = env("MIDEYE_API_KEY", default="")
MAGICLINK_FIELD_KEYS = secret(
    "MAGICLINK_FIELD_KEYS", "Zm9yLWRldmVsb3BtZW50LW9ubHktbm90LXNlY3JldCE="
).split(",")
# A sandbox makes new keys by itself; of a real server they are entered by hand.
MAGICLINK_KEY_ISSUER = (
    "django_magiclink.sandbox.issuer.issue_key" if MAGICLINK_SANDBOX else None
)
# "type" asks for the code on the page; empty for no code.
MAGICLINK_CODE = env("MAGICLINK_CODE", default="show") or None
# {"reject_cooldown": null} turns that one off, such as to try things out.
MAGICLINK_LIMITS = env.json("MAGICLINK_LIMITS", default={})
