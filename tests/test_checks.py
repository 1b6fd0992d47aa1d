from io import StringIO

import pytest
from cryptography.fernet import Fernet
from django.core.checks import Tags, run_checks
from django.core.management import call_command
from django.urls import path
from django.views import View

from django_magiclink.checks import RULES
from django_magiclink.conf import AppSettings
from django_magiclink.dispatchers import get_dispatcher

# Not those that ask the database.
TAGS = [Tags.security, Tags.urls]
IMMEDIATE = "django_magiclink.dispatchers.immediate.ImmediateDispatcher"


def ours(deploy=False):
    return [
        message
        for message in run_checks(tags=TAGS, include_deployment_checks=deploy)
        if message.id.startswith("django_magiclink.")
    ]


def ids(**options):
    return [message.id.partition(".")[2] for message in ours(**options)]


def test_a_project_that_is_set_up_hears_nothing():
    assert ours() == []


def test_every_setting_has_a_rule():
    assert {name for name in vars(AppSettings) if name.isupper()} == RULES.keys()


def test_the_defaults_are_valid():
    for name, (is_valid, _) in RULES.items():
        assert is_valid(vars(AppSettings)[name]), name


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("SERVER_URL", None),
        ("API_KEY", 5),
        ("ENDPOINT_NAME", None),
        ("CA_FILE", "/no/such/file.pem"),
        ("CA_FILE", None),
        ("TIMEOUT", 14),
        ("TIMEOUT", 301),
        ("TIMEOUT", "abc"),
        ("TIMEOUT", -1),
        ("MAX_AGE", -1),
        ("MAX_AGE", "always"),
        ("CODE", "tpye"),
        ("DISPATCHER", "no.such.Dispatcher"),
        ("DISPATCHER", "django.views.View"),
        ("DISPATCHER", "django_magiclink.approvals.perform"),
        ("DISPATCHER", None),
        ("MAX_WAITING", 0),
        ("MAX_WAITING", True),
        ("GET_PHONE_NUMBER", "no.such.function"),
        ("GET_PHONE_NUMBER", 5),
        ("PHONE_REGION", "Sweden"),
        ("PHONE_REGION", 46),
        ("CLIENT_ADDRESS", "no.such.function"),
        ("FIELD_KEYS", "one-key"),
        ("FIELD_KEYS", [5]),
        ("SITE_NAME", b"bank"),
        ("SANDBOX", "yes"),
    ],
)
def test_a_wrong_value_is_said_without_the_value(settings, name, value):
    setattr(settings, f"MAGICLINK_{name}", value)

    [message] = ours()

    assert message.id == "django_magiclink.E001"
    assert message.msg == f"MAGICLINK_{name} must be {RULES[name][1]}."


def test_a_setting_that_is_misspelt_is_said(settings):
    settings.MAGICLINK_MAXAGE = 60
    settings.MAGIC_LINK_TIMEOUT = 60

    hints = {message.hint for message in ours()}

    assert hints == {
        "Did you mean MAGICLINK_MAX_AGE?",
        "Did you mean MAGICLINK_TIMEOUT?",
    }


def test_settings_of_others_are_left_alone(settings):
    settings.MAGICK_WAND = 1
    settings.MAGICLINK_OF_ANOTHER_PACKAGE_ALTOGETHER = 1

    assert ours() == []


def test_a_server_needs_a_key(settings):
    settings.MAGICLINK_SERVER_URL = "https://mideye.example.com:8443"

    assert ids() == ["E002"]
    settings.MAGICLINK_API_KEY = "key"
    assert ids() == []


@pytest.mark.parametrize(
    "url",
    [
        "mideye.example.com",
        "http://mideye.example.com",
        "https://user:pw@mideye.example.com",
        "https://mideye.example.com/?x=1",
        "https://169.254.169.254",
        "file:///etc/passwd",
    ],
)
def test_an_address_that_cannot_be_used_is_said_without_it(settings, url):
    settings.MAGICLINK_SERVER_URL = url
    settings.MAGICLINK_API_KEY = "key"

    [message] = ours()

    assert message.id == "django_magiclink.E003"
    assert url not in message.msg


def test_a_ca_file_that_is_no_certificate_is_said(settings, tmp_path):
    file = tmp_path / "ca.pem"
    file.write_text("nonsense")
    settings.MAGICLINK_SERVER_URL = "https://mideye.example.com:8443"
    settings.MAGICLINK_API_KEY = "key"
    settings.MAGICLINK_CA_FILE = str(file)

    assert ids() == ["E003"]


def test_field_keys_that_cannot_encrypt_are_said(settings):
    settings.MAGICLINK_FIELD_KEYS = ["short"]

    assert ids() == ["E004"]


def test_no_field_keys_are_fine_until_a_key_is_stored(settings):
    settings.MAGICLINK_FIELD_KEYS = []

    assert ids() == []


def test_urls_that_are_not_included_are_said(settings):
    settings.ROOT_URLCONF = "tests.test_checks"

    assert ids() == ["E010"]


urlpatterns = [path("", View.as_view())]


@pytest.mark.parametrize(
    "name", ["SessionMiddleware", "CsrfViewMiddleware", "AuthenticationMiddleware"]
)
def test_middleware_that_is_missing_is_said(settings, name):
    settings.MIDDLEWARE = [one for one in settings.MIDDLEWARE if name not in one]

    assert ids() == ["W001"]


def test_a_sandbox_in_production_is_an_error():
    assert ids(deploy=True) == ["E011"]


def test_no_sandbox_in_production_is_fine(settings):
    settings.MAGICLINK_SANDBOX = False

    assert ids(deploy=True) == []


def test_a_dispatcher_that_blocks_is_an_error_in_production(settings):
    settings.MAGICLINK_DISPATCHER = IMMEDIATE

    assert ids() == ["E021"]
    settings.DEBUG = True
    assert ids() == []


def test_one_dispatcher_serves_a_process(settings):
    assert get_dispatcher() is get_dispatcher()
    settings.MAGICLINK_DISPATCHER = IMMEDIATE
    assert type(get_dispatcher()).__name__ == "ImmediateDispatcher"


def test_a_new_field_key_is_printed():
    out = StringIO()

    call_command("magiclink_field_key", stdout=out)

    assert Fernet(out.getvalue().strip())
