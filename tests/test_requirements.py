import pytest
from django.core.exceptions import ImproperlyConfigured
from django.utils.translation import gettext_lazy

from django_magiclink.decorators import approval_required
from django_magiclink.requirements import Requirement


async def asynchronous(request):
    return True


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"scop": "payroll"}, "no option scop"),
        ({"scope": ""}, "scope='' of a guard"),
        ({"scope": "Payroll"}, "scope="),
        ({"scope": "-x"}, "scope="),
        ({"scope": "x" * 65}, "scope="),
        ({"scope": "å"}, "scope="),
        ({"scope": None}, "scope="),
        ({"max_age": -1}, "max_age="),
        ({"max_age": 10**8}, "max_age="),
        ({"max_age": "60"}, "max_age="),
        ({"max_age": True}, "max_age="),
        ({"max_age": 1.5}, "max_age="),
        ({"methods": "POST"}, "methods="),
        ({"methods": ["post"]}, "methods="),
        ({"methods": ["PSOT"]}, "methods="),
        ({"methods": []}, "methods="),
        ({"text": asynchronous}, "text of a guard must not be async"),
        ({"when": asynchronous}, "when of a guard must not be async"),
        ({"methods": {"POST": 1}}, "methods="),
        ({"when": True}, "when="),
        ({"text": 5}, "text="),
        ({"text": "{a.b}", "params": ["a"]}, "plain {names}"),
        ({"text": "{a}"}, "names a, which params does not"),
        ({"text": gettext_lazy("{a}")}, "names a, which params does not"),
        ({"text": "{a}", "params": {"b": 1}}, "names a, which params does not"),
        ({"params": "amount"}, "params="),
        ({"params": [1]}, "params="),
        ({"params": [""]}, "params="),
        ({"params": 5}, "params="),
        ({"endpoint": None}, "endpoint="),
        ({"timeout": 14}, "timeout="),
        ({"timeout": 301}, "timeout="),
        ({"timeout": "60"}, "timeout="),
        ({"timeout": True}, "timeout="),
        ({"code": "tap"}, "code="),
        ({"code": ""}, "code="),
    ],
)
def test_an_option_that_is_wrong_is_said_when_the_guard_is_made(options, said):
    with pytest.raises(ImproperlyConfigured, match=said):
        approval_required(**options)


@pytest.mark.parametrize(
    "options",
    [
        {"scope": "a.b:c_d-9", "max_age": 0, "methods": ("POST",), "timeout": 15},
        {"max_age": "session", "when": bool, "endpoint": str, "timeout": 300},
        {"text": "{a}", "params": ["a"], "code": None},
        {"text": "{a}", "params": dict},
        {"text": str, "params": {"a": 1}, "code": "show"},
    ],
)
def test_options_that_are_right_make_a_requirement(options):
    requirement = Requirement.of(**options)

    assert {name: getattr(requirement, name) for name in options} == options


def test_settings_are_read_when_they_are_needed(settings):
    requirement = Requirement.of()

    settings.MAGICLINK_MAX_AGE = 30
    settings.MAGICLINK_CODE = None

    assert (requirement.lifetime, requirement.code_mode) == (30, "")
    assert Requirement.of(max_age=0, code="show").lifetime == 0
    assert Requirement.of(code="show").code_mode == "show"


@pytest.mark.parametrize("value", ["0", "300", 60.0, None, -1, True])
def test_a_max_age_of_the_site_that_is_none_opens_nothing(settings, value):
    settings.MAGICLINK_MAX_AGE = value

    with pytest.raises(ImproperlyConfigured, match="MAGICLINK_MAX_AGE"):
        assert Requirement.of().lifetime


def test_a_code_of_the_site_that_is_none_is_said(settings):
    settings.MAGICLINK_CODE = "tpye"

    with pytest.raises(ImproperlyConfigured, match="MAGICLINK_CODE"):
        assert Requirement.of().code_mode


@pytest.mark.parametrize(
    ("methods", "guarded"),
    [
        (None, {"GET", "HEAD", "POST", "PROPFIND"}),
        (["GET"], {"GET", "HEAD"}),
        (["HEAD"], {"HEAD"}),
        (["POST"], {"POST"}),
    ],
)
def test_methods_are_guarded_as_they_are_named(methods, guarded):
    requirement = Requirement.of(methods=methods)

    every = {"GET", "HEAD", "POST", "PROPFIND"}
    assert {method for method in every if requirement.guards(method)} == guarded


def test_the_scope_login_is_a_purpose_of_its_own():
    assert Requirement.of(scope="login").purpose == "login"
    assert Requirement.of(scope="logins").purpose == "step-up"
