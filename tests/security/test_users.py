"""Who may not be asked, or cannot be, is refused with words that say why."""

from datetime import timedelta

import pytest
from django.contrib.auth import get_user_model
from django.utils import timezone

from django_magiclink.models import Endpoint, PhoneNumber

from ..test_guard import HTML

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.mark.covers("R28", "A15")
def test_an_inactive_user_is_refused(browser, endpoint, sandbox, user, settings):
    settings.AUTHENTICATION_BACKENDS = [
        "django.contrib.auth.backends.AllowAllUsersModelBackend"
    ]
    browser.force_login(user)
    browser.approve(browser.get("/payroll/"), sandbox)
    get_user_model().objects.update(is_active=False)

    refused = browser.get("/payroll/")

    assert refused.status_code == 401
    assert refused.json()["reason"] == "inactive"
    assert "challenge" not in refused.json()


@pytest.mark.covers("A16")
def test_a_user_without_a_phone_is_told_so(browser, endpoint, runs):
    PhoneNumber.objects.all().delete()

    assert browser.get("/payroll/").json()["reason"] == "no_phone"
    page = browser.get("/payroll/", headers=HTML)
    assert page.status_code == 401
    assert "no phone number is registered" in page.text
    assert "<form" not in page.text
    assert runs() == []


@pytest.mark.covers("R23", "A16")
def test_a_number_that_is_not_verified_does_not_count(browser, endpoint):
    PhoneNumber.objects.update(verified_at=None)

    assert browser.get("/payroll/").json()["reason"] == "no_phone"


@pytest.mark.covers("A16")
def test_without_an_endpoint_the_view_stays_closed(browser, runs):
    assert browser.get("/payroll/").json()["reason"] == "no_endpoint"
    assert "is not set up" in browser.get("/payroll/", headers=HTML).text
    assert runs() == []


@pytest.mark.covers("R28", "A15")
def test_who_is_deactivated_while_the_phone_rings_is_not_let_in(
    browser, endpoint, sandbox, started, runs
):
    sandbox.wait_for_calls(1)

    get_user_model().objects.update(is_active=False)
    sandbox.accept()
    browser.finish_row()

    assert browser.get("/payroll/").json()["reason"] == "login"
    assert runs() == []


@pytest.mark.covers("R28", "A15")
def test_who_is_deactivated_while_a_grant_is_live_is_not_let_in(
    browser, endpoint, sandbox, runs
):
    browser.approve(browser.get("/payroll/"), sandbox)
    assert browser.get("/payroll/").status_code == 200

    get_user_model().objects.update(is_active=False)

    assert browser.get("/payroll/").json()["reason"] == "login"
    assert runs() == ["payroll"]


@pytest.mark.covers("R28")
def test_who_is_deactivated_before_the_start_is_not_asked(browser, endpoint, sandbox):
    refused = browser.get("/payroll/")

    get_user_model().objects.update(is_active=False)

    assert browser.start(refused).status_code == 403
    assert sandbox.calls == []


def disable(endpoint):
    Endpoint.objects.update(enabled=False)


def move(endpoint):
    Endpoint.objects.update(base_url="https://other.example.com")


def expire(endpoint):
    endpoint.keys.update(expires_on=timezone.localdate() - timedelta(days=1))


def retire(endpoint):
    endpoint.keys.update(retired=timezone.now())


@pytest.mark.covers("R02", "A16")
@pytest.mark.parametrize("spoil", [disable, move, expire, retire])
def test_an_endpoint_that_cannot_be_used_has_a_page_that_says_so(
    browser, endpoint, sandbox, runs, spoil
):
    refused = browser.get("/payroll/")
    spoil(endpoint)

    page = browser.get("/payroll/", headers=HTML)

    assert page.status_code == 401
    assert "is not set up" in page.text
    assert "<form" not in page.text
    assert browser.start(refused).json()["reason"] == "no_endpoint"
    assert sandbox.calls == []
    assert runs() == []
