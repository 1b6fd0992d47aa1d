"""What Django tells of a crash has no key, no number and nothing that was typed."""

import sys

import pytest
from django.contrib.auth import get_user_model
from django.core.signals import got_request_exception
from django.test import Client
from django.views.debug import ExceptionReporter

from django_magiclink.models import Endpoint

from ..conftest import NUMBER
from .leaks import Canary, found
from .test_canary import ADMIN, HTML, broken

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.covers("R36")]


@pytest.fixture
def error_reports():
    """What Django mails to the admins, or shows under DEBUG, of each crash."""
    reports = []

    def report(request, **kwargs):
        reporter = ExceptionReporter(request, *sys.exc_info())
        reports.extend([reporter.get_traceback_html(), reporter.get_traceback_text()])

    got_request_exception.connect(report)
    yield reports
    got_request_exception.disconnect(report)


@pytest.mark.parametrize(
    ("action", "place"),
    [
        ("unlock", "admin.proving.authenticate"),
        ("enter", "models.ApiKey.save"),
        ("enter", "keys.validate"),
        ("use", "admin.endpoints.EndpointAdmin.get_object"),
    ],
)
def test_an_error_report_of_the_admin_has_neither_key_nor_password(
    db, error_reports, monkeypatch, settings, action, place
):
    endpoint = Endpoint.objects.create(name="new", base_url="https://example.com")
    password, secret = "canary-hunter2", "canary-c3859cad"
    settings.MAGICLINK_KEY_ISSUER = lambda endpoint: (secret, None)
    root = Client(raise_request_exception=False)
    root.force_login(get_user_model().objects.create_superuser("root", None, password))
    url = f"{ADMIN}/endpoint/{endpoint.pk}/key/"
    root.post(url, {"action": "unlock", "password": password})
    entered = {"name": "web", "secret": secret, "password": password}
    entered["origin"] = endpoint.origin
    monkeypatch.setattr(f"django_magiclink.{place}", broken)

    assert root.post(url, entered | {"action": action}).status_code == 500

    whole = "".join(error_reports)
    assert "ZeroDivisionError" in whole
    assert password not in whole
    assert secret not in whole


@pytest.mark.parametrize(
    "place", ["views.approvals.request", "challenges.latest", "pages.describe"]
)
@pytest.mark.parametrize("path", ["start/", "cancel"])
def test_an_error_report_has_nothing_that_was_typed(
    browser, endpoint, sandbox, error_reports, monkeypatch, place, path
):
    sandbox.script("manual")
    typed = {"password": "hunter2-canary"}
    token = browser.post("/once/", typed).json()["challenge"]
    started = browser.post("/magiclink/start/", {"challenge": token})
    carried = {"challenge": token, "_approval_fields": "password=hunter2-canary"}
    carried["after"] = started.json()["id"]
    url = started.json()["cancel_url"] if path == "cancel" else "/magiclink/start/"
    browser.raise_request_exception = False
    monkeypatch.setattr(f"django_magiclink.{place}", broken)

    browser.post(url, carried, headers=HTML)

    whole = "".join(error_reports)
    assert ("ZeroDivisionError" in whole) or (place, path) == (
        "views.approvals.request",
        "cancel",
    )
    assert "hunter2-canary" not in whole


@pytest.mark.parametrize(
    "place",
    [
        "asking.mask",
        "asking.hash_number",
        "models.endpoint.MideyeClient",
        "models.phone_number.parse",
        "phones.phonenumbers.format_number",
    ],
)
def test_an_error_report_of_a_start_has_no_number_and_no_key(
    browser, endpoint, sandbox, settings, error_reports, monkeypatch, place
):
    settings.MAGICLINK_DISPATCHER = (
        "django_magiclink.dispatchers.immediate.ImmediateDispatcher"
    )
    browser.raise_request_exception = False
    canaries = [
        Canary("key", sandbox.api_key, sandbox.api_key),
        Canary("number", NUMBER, NUMBER[3:]),
    ]
    refused = browser.get("/payroll/")
    monkeypatch.setattr(f"django_magiclink.{place}", broken)

    browser.start(refused)

    assert "ZeroDivisionError" in "".join(error_reports)
    assert found(canaries, {"report": error_reports}) == []
