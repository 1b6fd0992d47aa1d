"""A canary number and key are driven through the app, and then looked for."""

import json
import logging
import sys

import pytest
from django.contrib.auth import get_user_model
from django.contrib.sessions.models import Session
from django.core.management import call_command
from django.core.signals import got_request_exception
from django.test import Client
from django.views.debug import ExceptionReporter
from django.views.decorators.debug import sensitive_variables

from django_magiclink.models import ApiKey, Approval, PhoneNumber

from ..conftest import NUMBER

pytestmark = pytest.mark.django_db(transaction=True)

HTML = {"Accept": "text/html"}
ADMIN = "/admin/django_magiclink"


@pytest.fixture
def canaries(sandbox):
    digits = NUMBER.removeprefix("+")
    return [sandbox.api_key, digits, "%2B" + digits]


def found(canaries, artefacts):
    return [
        (name, canary)
        for name, text in artefacts.items()
        for canary in canaries
        if canary in text
    ]


def test_the_search_finds_a_planted_leak(canaries):
    assert found(canaries, {"log": f"calling {NUMBER}"}) == [("log", canaries[1])]


@pytest.mark.parametrize("answer", ["accept", "reject", "drop", "server_error", "gzip"])
def test_a_number_and_a_key_turn_up_nowhere(
    browser, endpoint, sandbox, caplog, canaries, answer, capfd
):
    caplog.set_level(logging.DEBUG)
    refused = browser.get("/payroll/")
    status = browser.approve(refused, sandbox, answer)
    page = browser.get("/payroll/", headers=HTML)
    root = Client()
    root.force_login(get_user_model().objects.create_superuser("root"))
    call_command(
        "dumpdata", "django_magiclink", exclude=["django_magiclink.phonenumber"]
    )

    pages = {
        path: root.get(f"{ADMIN}/{path}").text
        for path in [
            "apikey/",
            f"apikey/{ApiKey.objects.get().pk}/change/",
            "endpoint/",
            f"endpoint/{endpoint.pk}/change/",
            "approval/",
            f"approval/{Approval.objects.get().pk}/change/",
            "phonenumber/",
        ]
    }
    sessions = [row.get_decoded() for row in Session.objects.all()]
    artefacts = pages | {
        "log": caplog.text + "".join(map(repr, caplog.records)),
        "dump": capfd.readouterr().out,
        "problem": refused.text,
        "status": json.dumps(status),
        "page": page.text,
        "session": json.dumps(sessions),
        "rows": repr(list(Approval.objects.values()) + list(ApiKey.objects.values())),
        "repr": repr([endpoint, endpoint.client(), PhoneNumber.objects.get()]),
    }
    assert len(sandbox.calls) == 1
    assert found(canaries, artefacts) == []


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


@sensitive_variables()
def broken(*args, **kwargs):
    raise ZeroDivisionError


def test_an_error_report_of_the_admin_has_no_key(
    endpoint, error_reports, monkeypatch, sandbox
):
    root = Client(raise_request_exception=False)
    root.force_login(get_user_model().objects.create_superuser("root"))
    secret = "canary-c3859cad"
    entered = {"endpoint": endpoint.pk, "name": "web", "secret": secret}
    monkeypatch.setattr("django_magiclink.models.ApiKey.save", broken)

    assert root.post(f"{ADMIN}/apikey/add/", entered).status_code == 500

    whole = "".join(error_reports)
    assert "ZeroDivisionError" in whole
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
        "approvals.mask",
        "approvals.hash_number",
        "models.endpoint.MideyeClient",
        "models.phone_number.parse",
        "phones.phonenumbers.format_number",
    ],
)
def test_an_error_report_of_a_start_has_no_number_and_no_key(
    browser, endpoint, sandbox, settings, error_reports, monkeypatch, canaries, place
):
    settings.MAGICLINK_DISPATCHER = (
        "django_magiclink.dispatchers.immediate.ImmediateDispatcher"
    )
    browser.raise_request_exception = False
    refused = browser.get("/payroll/")
    monkeypatch.setattr(f"django_magiclink.{place}", broken)

    browser.start(refused)

    whole = "".join(error_reports)
    assert "ZeroDivisionError" in whole
    assert found(canaries, {"report": whole}) == []
