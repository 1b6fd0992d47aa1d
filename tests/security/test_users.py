"""Who may not be asked, or cannot be, is refused with words that say why."""

import pytest
from django.contrib.auth import get_user_model

from django_magiclink.models import PhoneNumber

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
