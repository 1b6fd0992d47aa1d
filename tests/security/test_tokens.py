"""Who has a token or a password in a header, and no session, is refused."""

from base64 import b64encode

import pytest
from django.test import Client

from ..conftest import Browser
from ..doors.grants import GUARD, grant

pytestmark = [pytest.mark.django_db, pytest.mark.covers("R29", "A14", "A22")]

WINDOW = {"max_age": 300}
VICTIM = {"Authorization": "Basic " + b64encode(b"victim:secret").decode()}


@pytest.fixture(autouse=True)
def doors(settings):
    settings.ROOT_URLCONF = "tests.doors.urls"


@pytest.fixture
def victim(django_user_model):
    return django_user_model.objects.create_user("victim", password="secret")


def token(value="anna"):
    return {"Authorization": f"Bearer {value}"}


def test_a_token_alone_is_never_enough(user, endpoint, runs):
    client = Client()
    for method in ("GET", "HEAD", "OPTIONS", "POST", "PUT", "DELETE"):
        refused = client.generic(method, "/api/token/", headers=token())

        assert refused.status_code == 401
        assert refused["WWW-Authenticate"] == (
            'Bearer error="insufficient_user_authentication", max_age=300'
        )
    assert client.get("/api/token/", headers=token()).json()["reason"] == "login"
    assert runs() == []


@pytest.mark.parametrize("scheme", ["bearer", "BEARER"])
def test_the_name_of_a_scheme_has_no_case(user, endpoint, scheme):
    headers = {"Authorization": f"{scheme} anna"}

    refused = Client().get("/api/token/", headers=headers)

    assert refused["WWW-Authenticate"].startswith("Bearer error=")


def test_a_password_in_the_header_is_no_session(user, endpoint, runs):
    entered = b64encode(b"anna:secret").decode()

    refused = Client().get("/api/token/", headers={"Authorization": f"Basic {entered}"})

    assert refused.status_code == 401
    assert refused.json()["reason"] == "login"
    assert runs() == []


def test_a_token_does_not_use_the_session_of_another(
    browser, endpoint, django_user_model, runs
):
    django_user_model.objects.create_user("bo")
    grant(browser.get("/api/token/"))
    assert browser.get("/api/token/").status_code == 200

    refused = browser.get("/api/token/", headers=token("bo"))

    assert refused.status_code == 401
    assert refused.json()["reason"] == "login"
    assert runs() == ["TokenApi"]


def test_a_session_without_authentication_of_the_view_is_no_user(
    browser, endpoint, runs
):
    assert browser.get("/api/nobody/").json()["reason"] == "login"
    assert runs() == []


@pytest.mark.parametrize("rule", [{"view": "open_api"}, {"all": True}])
def test_a_rule_takes_no_users_approval_for_another_ones_token(
    browser, endpoint, settings, victim, runs, rule
):
    settings.MIDDLEWARE = [*settings.MIDDLEWARE, GUARD]
    settings.MAGICLINK_RULES = [rule | WINDOW]
    grant(browser.get("/api/open/"), **WINDOW)

    assert browser.get("/api/open/").status_code == 200
    assert browser.get("/api/open/", headers=VICTIM).json()["reason"] == "login"
    assert Browser().get("/api/open/", headers=VICTIM).status_code == 401
    assert Browser().get("/api/open/").status_code == 401
    assert runs() == ["open for anna"]


def test_a_rule_for_all_lets_strangers_to_an_api_that_knows_sessions_only(
    browser, endpoint, settings, victim, runs
):
    settings.MIDDLEWARE = [*settings.MIDDLEWARE, GUARD]
    settings.MAGICLINK_RULES = [{"all": True} | WINDOW]

    assert Browser().get("/api/session/", headers=VICTIM).status_code == 200
    assert browser.get("/api/session/", headers=VICTIM).status_code == 401
    assert runs() == ["open for AnonymousUser"]
