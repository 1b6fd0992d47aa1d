"""An approval is of one login: keys that change, stale saves, other tabs."""

import pytest
from django.contrib.auth import get_user
from django.contrib.sessions.backends.db import SessionStore

from django_magiclink.binding import NONCE_KEY
from django_magiclink.models import Approval
from django_magiclink.status import Status

from ..conftest import Browser
from ..doors.grants import grant

pytestmark = pytest.mark.django_db(transaction=True)

PAYROLL = {"scope": "payroll", "max_age": 60}


@pytest.mark.covers("R20")
def test_a_rotated_session_key_keeps_the_grant(browser, endpoint, sandbox):
    browser.approve(browser.get("/payroll/"), sandbox)

    session = browser.session
    session.cycle_key()
    browser.cookies["sessionid"] = session.session_key

    assert browser.get("/payroll/").status_code == 200


@pytest.mark.covers("R20")
def test_a_second_login_of_the_same_user_keeps_the_grant(
    browser, endpoint, sandbox, user
):
    browser.approve(browser.get("/payroll/"), sandbox)

    browser.post("/login/", {"username": "anna", "password": "secret"})

    assert browser.get("/payroll/").status_code == 200


@pytest.mark.covers("R04")
def test_two_first_starts_in_parallel_tabs_end_in_one_approval(
    user, endpoint, sandbox, runs
):
    tabs = [Browser(), Browser()]
    tabs[0].force_login(user)
    # As a session is that began before the app was installed.
    session = tabs[0].session
    del session[NONCE_KEY]
    session.save()
    tabs[1].cookies = tabs[0].cookies

    refused = [tab.get("/payroll/") for tab in tabs]
    stale = SessionStore(session.session_key)
    stale.get(NONCE_KEY)
    wanted = [grant(answer, **PAYROLL) for answer in refused]

    assert len({approval.binding for approval in wanted}) == 1
    assert [tab.get("/payroll/").status_code for tab in tabs] == [200, 200]


@pytest.mark.covers("R04", "A02")
def test_a_stale_session_save_keeps_the_approval_and_grants_no_other(
    user, endpoint, sandbox, runs
):
    browser = Browser()
    browser.force_login(user)
    session = browser.session
    del session[NONCE_KEY]
    session.save()
    stale = SessionStore(session.session_key)
    stale.get(NONCE_KEY)

    refused = browser.get("/payroll/")
    browser.approve(refused, sandbox)
    stale["theme"] = "dark"
    stale.save()
    assert NONCE_KEY not in browser.session

    assert browser.get("/payroll/").status_code == 200
    again = Browser()
    again.force_login(user)
    assert again.get("/payroll/").status_code == 401
    assert runs() == ["payroll"]


@pytest.mark.covers("R21")
def test_a_stale_save_after_a_logout_brings_no_approval_back(browser, endpoint, runs):
    grant(browser.get("/payroll/"), **PAYROLL)
    stale = SessionStore(browser.session.session_key)
    stale.get(NONCE_KEY)
    kept = dict(stale.items())
    browser.post("/logout/")
    assert Approval.objects.get().status == Status.REVOKED

    revived = SessionStore()
    revived.update(kept)
    revived.create()
    browser.cookies["sessionid"] = revived.session_key

    assert browser.get("/payroll/").status_code == 401
    assert runs() == []


@pytest.mark.covers("R04", "A01")
def test_a_login_in_another_tab_keeps_only_ones_own_approvals(
    browser, endpoint, user, django_user_model, runs
):
    django_user_model.objects.create_user("bo", password="secret")
    grant(browser.get("/payroll/"), **PAYROLL)
    tab = Browser()
    tab.cookies = browser.cookies

    tab.post("/login/", {"username": "anna", "password": "secret"})
    assert browser.get("/payroll/").status_code == 200
    tab.post("/login/", {"username": "bo", "password": "secret"})
    assert browser.get("/payroll/").status_code == 401
    tab.post("/login/", {"username": "anna", "password": "secret"})
    assert browser.get("/payroll/").status_code == 401
    assert runs() == ["payroll"]


def looked_at_before(get_response):
    def middleware(request):
        assert request.user.is_authenticated
        return get_response(request)

    return middleware


def looked_at_after(get_response):
    def middleware(request):
        response = get_response(request)
        response["X-User"] = request.user.get_username()
        return response

    return middleware


@pytest.fixture
def looks(browser, settings):
    """Return how the browser looks at an approval, by way of one middleware more."""

    def look(started, middleware):
        added = f"{__name__}.{middleware.__name__}"
        settings.MIDDLEWARE = [*settings.MIDDLEWARE, added]
        fresh = Browser()
        fresh.cookies = browser.cookies
        return fresh.get(started.json()["status_url"])

    return look


@pytest.mark.parametrize("middleware", [looked_at_before, looked_at_after])
def test_a_new_secret_key_logs_nobody_out_who_waits(
    started, browser, settings, looks, middleware
):
    settings.SECRET_KEY_FALLBACKS = [settings.SECRET_KEY]
    settings.SECRET_KEY = "another"

    # What was asked with the old key is no more; who has asked still is.
    assert looks(started, middleware).status_code == 404

    assert get_user(browser).is_authenticated


def test_who_looks_after_a_new_password_is_nobody(started, user, looks):
    user.set_password("another")
    user.save()

    assert looks(started, looked_at_after)["X-User"] == ""
