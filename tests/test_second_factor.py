"""The second step of a login: nothing runs before it, and there is a way back."""

import json
import os
import subprocess
import sys

import pytest
from django.contrib.auth import SESSION_KEY

from django_magiclink.models import Approval
from django_magiclink.status import Status

from .conftest import Browser
from .doors.grants import GUARD, HTML, NAVIGATION

ANNA = {"username": "anna", "password": "secret"}
LOGIN = {"all": True, "scope": "login", "max_age": "session"}
#: What a session without an approval may run: to log in or out, what the bank has
#: opened itself, and our own pages.
OPEN = {
    "admin:jsi18n",
    "admin:login",
    "admin:logout",
    "cards:lost",
    "django_magiclink:ask",
    "django_magiclink:bypass",
    "django_magiclink:cancel",
    "django_magiclink:leave",
    "django_magiclink:live",
    "django_magiclink:report",
    "django_magiclink:start",
    "django_magiclink:status",
    "login",
    "logout",
    "vault:jsi18n",
    "vault:login",
    "vault:logout",
}

with_database = pytest.mark.django_db(transaction=True)


def crawl(*ways, **environment):
    surroundings = {
        **os.environ,
        "DJANGO_SETTINGS_MODULE": "tests.second_factor.settings",
        **environment,
    }
    command = [sys.executable, "-m", "tests.second_factor.crawl", *ways]
    found = subprocess.run(command, env=surroundings, capture_output=True, check=True)
    return json.loads(found.stdout)


@pytest.mark.processes
@pytest.mark.covers("R24", "R25", "A10", "A13", "A14")
def test_no_way_to_log_in_leads_to_a_view_before_the_approval():
    planted = crawl("login view", SECOND_FACTOR="off")
    found = crawl(SECOND_FACTOR="on")

    # Without the rule nearly all of them run, so the crawl would see one that did.
    [ran] = planted["ran"].values()
    assert {"overview", "transfer", "admin:index", "cards:limit"} < set(ran)
    assert len(found["ran"]) == 5
    assert found["lost"] == []
    assert set(found["views"]) > OPEN
    assert {way: set(ran) - OPEN for way, ran in found["ran"].items()} == dict.fromkeys(
        found["ran"], set()
    )


@pytest.fixture
def doors(settings):
    settings.ROOT_URLCONF = "tests.doors.urls"
    settings.MIDDLEWARE = [*settings.MIDDLEWARE, GUARD]
    settings.MAGICLINK_RULES = [LOGIN]


@pytest.fixture
def anna(doors, user):
    browser = Browser(headers=NAVIGATION)
    browser.login(**ANNA)
    return browser


def text(response):
    return " ".join(response.content.decode().split())


@with_database
@pytest.mark.covers("R24")
def test_the_page_is_the_second_step_of_a_login(anna, endpoint):
    page = text(anna.get("/unguarded/"))

    assert "<title>Step 2 of 2: confirm with your phone</title>" in page
    assert "Confirm your login." in page
    assert "You are logging in as anna." in page
    assert "Use another account" in page
    assert "Log out" in page


@with_database
def test_the_page_of_any_other_guard_is_none(anna, endpoint, settings):
    settings.MAGICLINK_RULES = [{"all": True}]

    page = text(anna.get("/unguarded/"))

    assert "Approve with your phone" in page
    assert "Step 2" not in page
    assert "Use another account" not in page


@with_database
def test_the_user_comes_to_where_they_wanted_to_go(user, doors, endpoint, sandbox):
    browser = Browser()
    landing = browser.post("/login/?next=/bank/free/?page=2", ANNA)["Location"]
    refused = browser.get(landing)
    browser.approve(refused, sandbox)

    assert landing == "/bank/free/?page=2"
    assert refused.status_code == 401
    assert browser.get(landing).status_code == 200


@with_database
@pytest.mark.parametrize(
    ("missing", "told"),
    [("phone", "no phone number is registered"), ("endpoint", "is not set up")],
)
def test_who_cannot_be_asked_is_told_so_and_can_leave(
    anna, user, request, missing, told
):
    if missing == "phone":
        request.getfixturevalue("endpoint")
        user.magiclink_phone.delete()

    page = anna.get("/unguarded/")

    assert page.status_code == 401
    assert "The second step of the login is an approval" in text(page)
    assert told in text(page)
    assert "Use another account" in text(page)


def leave(browser, page, **fields):
    token = page.content.decode().split('name="challenge" value="')[1].split('"')[0]
    return browser.post("/magiclink/leave/", {"challenge": token, **fields})


@with_database
def test_another_account_comes_to_the_same_page(anna, endpoint, django_user_model):
    django_user_model.objects.create_user("bo", password="secret")
    page = anna.get("/bank/free/?page=2")

    left = leave(anna, page, another="yes")

    assert SESSION_KEY not in anna.session
    assert left["Location"] == "/login/?next=/bank/free/%3Fpage%3D2"
    landed = anna.post(left["Location"], ANNA | {"username": "bo"})
    assert landed["Location"] == "/bank/free/?page=2"


@with_database
def test_another_account_does_not_come_to_where_a_form_was_sent(anna, endpoint):
    page = anna.post("/unguarded/", {"amount": "1"})

    left = leave(anna, page, another="yes")

    assert left["Location"] == "/login/"


@with_database
def test_whoever_logs_out_also_ends_the_question(anna, endpoint, sandbox):
    sandbox.script("manual")
    browser = Browser()
    browser.login(**ANNA)
    browser.start(browser.get("/unguarded/"))
    page = browser.get("/unguarded/", headers=NAVIGATION)

    left = leave(browser, page)

    assert left["Location"] == "/login/"
    assert SESSION_KEY not in browser.session
    assert Approval.objects.get().status == Status.CANCELLED


@with_database
@pytest.mark.parametrize("method", ["get", "head", "put"])
def test_only_a_post_logs_out(anna, method):
    assert getattr(anna, method)("/magiclink/leave/").status_code == 405
    assert SESSION_KEY in anna.session


@with_database
def test_no_other_site_logs_out(user, doors):
    browser = Browser(enforce_csrf_checks=True)
    browser.force_login(user)

    assert browser.post("/magiclink/leave/").status_code == 403
    assert SESSION_KEY in browser.session


@with_database
@pytest.mark.parametrize("token", ["", "made-up"])
def test_a_page_that_is_too_old_logs_out_as_well(anna, token):
    left = anna.post("/magiclink/leave/", {"challenge": token, "another": "yes"})

    assert left["Location"] == "/login/"
    assert SESSION_KEY not in anna.session


@with_database
@pytest.mark.covers("A14")
def test_no_token_gets_past_the_second_step(user, doors, endpoint, runs):
    by_token = {"Authorization": "Token anna"}

    for client in (Browser(), Browser(headers=by_token)):
        for path in ("/api/open/", "/api/"):
            refused = client.get(path, headers=by_token)
            assert (refused.status_code, refused.json()["reason"]) == (401, "login")
    assert runs() == []


# Beside other rules.


@with_database
@pytest.mark.covers("R24")
@pytest.mark.parametrize("first", [True, False])
def test_no_narrower_rule_lets_a_request_past_the_login(
    user, doors, endpoint, sandbox, settings, runs, first
):
    narrow = {"view": "ruled", "methods": ["POST"], "scope": "narrow", "max_age": 0}
    settings.MAGICLINK_RULES = [LOGIN, narrow] if first else [narrow, LOGIN]
    browser = Browser()
    browser.login(**ANNA)

    refused = browser.get("/ruled/")
    assert refused.json()["scope"] == "login"
    browser.approve(refused, sandbox)

    assert browser.get("/ruled/").status_code == 200
    assert browser.post("/ruled/").json()["scope"] == "narrow"
    assert runs() == ["ruled"]


@with_database
@pytest.mark.covers("R24")
@pytest.mark.parametrize("first", [True, False])
def test_nor_does_a_narrower_rule_for_the_login(
    user, doors, endpoint, settings, runs, first
):
    narrow = {"view": "ruled", "methods": ["POST"], "scope": "login", "max_age": 60}
    settings.MAGICLINK_RULES = [narrow, LOGIN] if first else [LOGIN, narrow]
    browser = Browser()
    browser.login(**ANNA)

    assert browser.get("/ruled/").json()["max_age"] == "session"
    assert browser.post("/ruled/").json()["max_age"] == (60 if first else "session")
    assert runs() == []


@with_database
def test_a_preflight_is_answered_by_the_guard_behind_the_login(
    user, doors, endpoint, sandbox
):
    browser = Browser()
    browser.login(**ANNA)
    preflight = {"X-Approval-Preflight": "1"}

    early = browser.post("/decorated/", headers=preflight)
    browser.approve(browser.get("/unguarded/"), sandbox)
    late = browser.post("/decorated/", headers=preflight)

    assert early.json()["scope"] == "login"
    assert late.status_code == 401
    assert late.json()["scope"] != "login"


@with_database
@pytest.mark.parametrize("path", ["/unguarded/", "/ruled/", "/mixed/"])
def test_no_view_runs_for_a_preflight(user, doors, endpoint, sandbox, runs, path):
    browser = Browser()
    browser.login(**ANNA)
    browser.approve(browser.get("/unguarded/"), sandbox)

    answer = browser.post(path, headers={"X-Approval-Preflight": "1"})

    assert answer.status_code == (401 if path == "/mixed/" else 204)
    assert answer.headers.get("X-Approval") == (None if path == "/mixed/" else "pass")
    assert runs() == []


@with_database
@pytest.mark.covers("R24")
def test_an_approval_of_the_login_opens_no_other_guard(user, doors, endpoint, sandbox):
    browser = Browser()
    browser.login(**ANNA)
    browser.approve(browser.get("/unguarded/"), sandbox)

    assert browser.get("/decorated/").status_code == 401
    assert browser.get("/unguarded/", headers=HTML).status_code == 200
