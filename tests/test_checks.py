import importlib
import subprocess
import sys
from io import StringIO
from types import SimpleNamespace

import pytest
from cryptography.fernet import Fernet
from django.apps import apps
from django.core.checks import Tags, run_checks
from django.core.management import call_command
from django.db import connections
from django.urls import include, path
from django.views import View
from rest_framework.authentication import TokenAuthentication
from rest_framework.views import APIView, exception_handler

from django_magiclink import checks
from django_magiclink.checks import RULES, project
from django_magiclink.conf import AppSettings
from django_magiclink.decorators import approval_required
from django_magiclink.dispatchers import get_dispatcher
from django_magiclink.middleware import ApprovalMiddleware

from .inventory import admin, clean, views
from .inventory.admin import site
from .inventory.views import guard

# Not those that ask the database.
TAGS = [Tags.compatibility, Tags.security, Tags.urls]
MIDDLEWARE = "django_magiclink.middleware.ApprovalMiddleware"
IMMEDIATE = "django_magiclink.dispatchers.immediate.ImmediateDispatcher"


@pytest.fixture(autouse=True)
def clean_project(settings):
    settings.ROOT_URLCONF = "tests.inventory.clean"


@pytest.fixture
def ruled(settings):
    settings.MIDDLEWARE = [*settings.MIDDLEWARE, MIDDLEWARE]
    return settings


@pytest.fixture
def atomic():
    connections.settings["default"]["ATOMIC_REQUESTS"] = True
    yield
    connections.settings["default"]["ATOMIC_REQUESTS"] = False


@pytest.fixture
def serve(settings):
    """Make a project of the clean one and of ``patterns``."""

    def serve(*patterns):
        settings.ROOT_URLCONF = (*clean.urlpatterns, *patterns)

    return serve


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
        ("LIMITS", None),
        ("LIMITS", {"per_week": 5}),
        ("LIMITS", {"per_day": 0}),
        ("LIMITS", {"per_day": "20"}),
        ("ON_REPORT", "lock"),
        ("ON_REPORT", ["lok"]),
        ("ON_REPORT", [["lock"]]),
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


def test_one_dispatcher_serves_a_process(settings):
    assert get_dispatcher() is get_dispatcher()
    settings.MAGICLINK_DISPATCHER = IMMEDIATE
    assert type(get_dispatcher()).__name__ == "ImmediateDispatcher"


def test_a_new_field_key_is_printed():
    out = StringIO()

    call_command("magiclink_field_key", stdout=out)

    assert Fernet(out.getvalue().strip())


def said(check):
    """What one check says, each with its hint."""
    messages = [one for one in ours() if one.id == f"django_magiclink.{check}"]
    assert all(message.hint for message in messages)
    return [message.msg for message in messages]


def test_the_project_of_these_tests_has_the_one_conflict_it_was_given(settings):
    settings.ROOT_URLCONF = "tests.urls"

    [message] = ours()

    assert message.id == "django_magiclink.E008"
    assert "tests.views.conflicting" in message.msg


# What the project has around the app.


@pytest.mark.parametrize(
    ("app", "check"),
    [
        ("django.contrib.auth", "E007"),
        ("django.contrib.contenttypes", "E007"),
        ("django.contrib.sessions", "E007"),
        ("django.contrib.staticfiles", "W006"),
    ],
)
def test_an_app_that_is_missing_is_said(monkeypatch, app, check):
    installed = project.apps.is_installed
    monkeypatch.setattr(
        project.apps, "is_installed", lambda name: name != app and installed(name)
    )

    [message] = project.check_apps()

    assert message.id == f"django_magiclink.{check}"
    assert message.msg.startswith(f"{app} is not in INSTALLED_APPS")


def test_sessions_outside_the_database_need_no_app(settings, monkeypatch):
    settings.SESSION_ENGINE = "django.contrib.sessions.backends.signed_cookies"
    monkeypatch.setattr(
        project.apps, "is_installed", lambda name: "sessions" not in name
    )

    assert project.missing_apps() == []


def test_without_those_apps_the_checks_of_guards_are_left_out(monkeypatch):
    monkeypatch.setattr(project, "missing_apps", lambda: ["django.contrib.auth"])

    assert importlib.reload(checks).RULES == RULES


def test_a_project_without_any_app_is_told_so():
    code = """
import django
from django.conf import settings
from django.core.checks import run_checks
settings.configure(INSTALLED_APPS=["django_magiclink"])
django.setup()
print([message.id for message in run_checks(tags=["compatibility", "security"])])
"""

    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)

    assert done.stderr == ""
    assert done.stdout.count("django_magiclink.E007") == 3


@pytest.mark.parametrize("urlconf", ["no.such.urlconf", "tests.models", None])
def test_a_broken_urlconf_is_left_to_django(settings, urlconf):
    settings.ROOT_URLCONF = urlconf
    settings.MAGICLINK_EXEMPT = ["nothing"]

    messages = [
        *checks.project.check_urls(),
        *checks.views.check_views(),
        *checks.rules.check_rules(),
    ]

    assert messages == []


# Rules.


def test_each_wrong_rule_is_said_with_its_index(ruled):
    ruled.MAGICLINK_RULES = [
        {"view": "plain"},
        {"view": ""},
        {"view": "plain", "max_age": -1},
        {"view": "plain", 1: 2},
        "plain",
    ]

    wrong = said("E005")

    assert [message.partition(":")[0] for message in wrong] == [
        f"MAGICLINK_RULES[{index}]" for index in (1, 2, 3, 4)
    ]
    assert "max_age=-1 of a guard must be" in wrong[1]
    assert {message.id for message in ours()} == {"django_magiclink.E005"}


def test_rules_of_a_wrong_kind_are_said_once(ruled):
    ruled.MAGICLINK_RULES = {"view": "plain"}

    assert ids() == ["E001"]


def test_rules_without_the_middleware_are_an_error(settings):
    settings.MAGICLINK_RULES = [{"view": "plain"}]

    assert ids() == ["E006"]
    settings.MIDDLEWARE = [*settings.MIDDLEWARE, MIDDLEWARE]
    assert ids() == []


class Ours(ApprovalMiddleware):
    pass


def test_a_subclass_of_the_middleware_reads_the_rules_too(settings):
    settings.MIDDLEWARE = [*settings.MIDDLEWARE, "tests.test_checks.Ours"]
    settings.MAGICLINK_RULES = [{"view": "plain"}]

    assert ids() == []


def test_the_middleware_before_that_of_users_is_said(settings):
    settings.MIDDLEWARE = [MIDDLEWARE, *settings.MIDDLEWARE]

    assert ids() == ["W005"]


def test_the_middleware_without_that_of_users_is_said_once(settings):
    settings.MIDDLEWARE = [
        *(one for one in settings.MIDDLEWARE if "Authentication" not in one),
        MIDDLEWARE,
    ]

    assert ids() == ["W001"]


@pytest.mark.parametrize(
    ("rules", "hint"),
    [
        ([{"view": "plian"}], "No view has such a name"),
        ([{"namespace": "nothing"}], "No view has such a name"),
        ([{"view": "login"}], "All views that it fits are exempt."),
        ([{"all": True}, {"view": "plain"}], "Earlier rules fit all of its views"),
    ],
)
def test_a_rule_that_guards_nothing_is_said_with_the_reason(ruled, rules, hint):
    ruled.MAGICLINK_RULES = rules

    [message] = ours()

    assert message.id == "django_magiclink.E014"
    assert message.msg == f"MAGICLINK_RULES[{len(rules) - 1}] guards no view."
    assert message.hint.startswith(hint)


def test_an_exemption_of_nothing_is_said(settings):
    settings.MAGICLINK_EXEMPT = ["pl*", "plian"]

    assert said("W004") == ['MAGICLINK_EXEMPT names "plian", which no view is called.']


@pytest.mark.parametrize(
    ("login_url", "expected"),
    [
        ("/login/", []),
        ("login", []),
        ("https://sso.example.com/", []),
        ("/lgoin/", ["W003"]),
        ("lgoin", ["W003"]),
    ],
)
def test_a_login_url_that_leads_nowhere_is_said(ruled, login_url, expected):
    ruled.LOGIN_URL = login_url
    assert ids() == []

    ruled.MAGICLINK_RULES = [{"view": "plain"}]
    assert ids() == expected


LOGIN = {"all": True, "scope": "login", "max_age": "session"}


@pytest.mark.covers("R25")
@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        (LOGIN, []),
        ({"namespace": "us", "scope": "login"}, []),
        ({"all": True, "methods": ["POST"]}, []),
        (LOGIN | {"methods": ["POST"]}, ["W015"]),
        (LOGIN | {"when": lambda request: True}, ["W015"]),
    ],
)
def test_a_rule_that_opens_a_login_again_is_said(ruled, serve, rule, expected):
    ruled.LOGIN_URL = "/login/"
    bank = ([path("pay/", views.plain)], "us")
    serve(path("us/", include(bank)))
    ruled.MAGICLINK_RULES = [rule]

    assert ids() == expected


@pytest.mark.covers("R25", "A14")
@pytest.mark.parametrize(
    ("rules", "exempt", "expected"),
    [
        ([LOGIN], [], ["W016"]),
        ([LOGIN], ["tokens"], []),
        ([{"all": True}], [], []),
        ([{"view": "tokens", "scope": "login"}], [], []),
    ],
)
def test_a_view_whose_tokens_no_login_can_open_is_said(
    ruled, serve, rules, exempt, expected
):
    class Tokens(APIView):
        authentication_classes = [TokenAuthentication]

    serve(path("tokens/", Tokens.as_view(), name="tokens"))
    ruled.MAGICLINK_RULES, ruled.MAGICLINK_EXEMPT = rules, exempt

    assert ids() == expected


@pytest.mark.covers("R24", "A10")
@pytest.mark.parametrize(
    ("rules", "exempt", "expected"),
    [
        ([LOGIN], ["django_magiclink_phone:*"], ["W017"]),
        (
            [{"namespace": "us", "scope": "login"}],
            ["django_magiclink_phone:*"],
            ["W017"],
        ),
        ([LOGIN], [], []),
        ([{"namespace": "us"}], ["django_magiclink_phone:*"], []),
    ],
)
def test_a_phone_page_before_the_second_step_is_said(
    ruled, serve, rules, exempt, expected
):
    serve(
        path("phone/", include("django_magiclink.phone_urls")),
        path("us/", include(([path("pay/", views.plain)], "us"))),
    )
    ruled.LOGIN_URL = "/login/"
    ruled.MAGICLINK_RULES, ruled.MAGICLINK_EXEMPT = rules, exempt

    assert ids() == expected


@pytest.mark.covers("R24", "A10")
@pytest.mark.parametrize(
    ("rules", "installed", "shown", "expected"),
    [
        ([LOGIN], True, True, ["W018"]),
        ([{"all": True}], True, True, []),
        ([LOGIN], False, True, []),
        ([LOGIN], True, False, []),
    ],
)
def test_pages_that_no_rule_is_for_are_said(
    ruled, serve, rules, installed, shown, expected, monkeypatch
):
    class Fallback:
        pass

    class Own(Fallback):
        pass

    flatpages = SimpleNamespace(FlatpageFallbackMiddleware=Fallback)
    name = "django.contrib.flatpages"
    monkeypatch.setitem(sys.modules, f"{name}.middleware", flatpages)
    monkeypatch.setattr(
        "django.apps.apps.is_installed",
        lambda app, real=apps.is_installed: installed if app == name else real(app),
    )
    monkeypatch.setitem(sys.modules, "own_fallback", SimpleNamespace(Own=Own))
    ruled.LOGIN_URL = "/login/"
    ruled.MIDDLEWARE = [*ruled.MIDDLEWARE, *["own_fallback.Own"] * shown]
    ruled.MAGICLINK_RULES = rules

    assert ids() == expected


# Guards.

single = guard("single", max_age=0)
other = guard("other", max_age=0)


@pytest.mark.parametrize(
    ("view", "conflicts"),
    [
        (single(other(views.plain)), 1),
        (single(single(views.plain)), 0),
        (guard("single", max_age=0, timeout=30)(single(views.plain)), 0),
        (guard("single", max_age=0, params=["a"])(single(views.plain)), 1),
        (
            guard("a", max_age=0, params=["a", "b"])(
                guard("a", max_age=0, params=("b", "a"))(views.plain)
            ),
            0,
        ),
        (
            guard("a", max_age=0, params={"a": 1})(
                guard("a", max_age=0, params={"a": 2})(views.plain)
            ),
            1,
        ),
        (single(guard("window")(views.plain)), 0),
        (single(guard("a", max_age=0, methods=["POST"])(views.plain)), 1),
        (
            guard("a", max_age=0, methods=["GET"])(
                guard("b", max_age=0, methods=["POST"])(views.plain)
            ),
            0,
        ),
        (single(guard("a", max_age=0, when=lambda request: 1)(views.plain)), 0),
    ],
)
def test_two_single_uses_that_differ_are_an_error(serve, view, conflicts):
    serve(path("one/", view, name="pay"), path("two/", view, name="pay"))

    assert len(said("E008")) == conflicts


def test_a_rule_and_a_decorator_are_told_apart(serve, ruled):
    serve(path("pay/", single(views.plain), name="pay"))
    ruled.MAGICLINK_RULES = [{"view": "pay", "max_age": 0}]

    assert said("E008") == [
        "pay has two guards with max_age=0 that want different approvals: "
        'rule 0 (scope "default") and decorator (scope "single").'
    ]


def test_the_names_of_a_model_admin_are_asked_for_one_at_a_time(serve):
    serve(path("back/", site(runs=admin.Once).urls))

    assert ids() == []


@pytest.mark.parametrize(
    ("view", "fails"),
    [
        (views.SingleUse.as_view(), True),
        (views.OutsideTransaction.as_view(), False),
        (views.Api.as_view(), False),
        (single(views.plain), False),
        (approval_required(views.plain), False),
    ],
)
def test_a_transaction_around_a_single_use_is_an_error(serve, atomic, view, fails):
    serve(path("pay/", view, name="pay"))

    assert [message.partition(":")[0] for message in said("E009")] == (
        ["pay"] if fails else []
    )


def test_no_transaction_is_no_error(serve):
    serve(path("pay/", views.SingleUse.as_view(), name="pay"))

    assert ids() == []


def test_rules_are_asked_outside_the_transaction(ruled, atomic):
    ruled.MAGICLINK_RULES = [{"view": "plain", "max_age": 0}]

    assert ids() == []


def test_the_admin_has_a_transaction_around_its_guards(serve, atomic):
    serve(path("back/", site(admin.GuardedOnce, runs=admin.Once).urls))

    assert [message.partition(": ")[0] for message in said("E009")] == [
        "back",
        "back:tests_run_changelist",
        "back:tests_run_changelist",
        "back:tests_run_change",
    ]


@pytest.mark.parametrize(
    ("handler", "expected"),
    [
        ("rest_framework.views.exception_handler", []),
        ("tests.test_checks.handler", ["W007"]),
        (exception_handler, []),
        (lambda error, context: None, ["W007"]),
        (None, ["W007"]),
    ],
)
def test_another_exception_handler_is_said(serve, settings, handler, expected):
    settings.REST_FRAMEWORK = {"EXCEPTION_HANDLER": handler}
    assert ids() == []

    serve(path("api/", views.Api.as_view(), name="api"))
    assert ids() == expected


def test_options_that_a_request_would_find_wrong_are_said(settings):
    settings.ROOT_URLCONF = "tests.inventory.misspelt"

    [message] = said("E013")

    assert message.startswith("The guard of misspelt cannot be made: ")


# The admin.


@pytest.mark.parametrize(
    ("model_admin", "unknown"),
    [
        (admin.Actions, []),
        (admin.Unknown, ["chnage"]),
        (admin.OwnActions, []),
        (admin.WithoutActions, ["rename"]),
    ],
)
def test_a_name_that_is_no_view_and_no_action_is_an_error(serve, model_admin, unknown):
    serve(path("back/", site(runs=model_admin).urls))

    assert said("E012") == [
        f'approval_for of tests.inventory.admin.{model_admin.__name__} names "{name}", '
        "which is neither a view nor an action of it."
        for name in unknown
    ]


@pytest.mark.parametrize(
    ("kind", "endpoints", "expected"),
    [
        (admin.AdminSite, admin.Endpoints, ["W008"]),
        (admin.AdminSite, admin.GuardedEndpoints, []),
        (admin.Guarded, admin.Endpoints, []),
    ],
)
def test_an_inline_that_leads_past_a_guard_is_said(serve, kind, endpoints, expected):
    serve(path("back/", site(kind, endpoints=endpoints, keys=admin.Keys).urls))

    assert ids() == expected


def test_an_inline_without_a_model_is_left_to_django(serve):
    serve(path("back/", site(endpoints=admin.Unfinished, keys=admin.Keys).urls))

    assert ids() == []


def test_an_inline_of_a_model_that_nothing_guards_is_fine(serve):
    serve(path("back/", site(endpoints=admin.Endpoints).urls))

    assert ids() == []
