"""Codes: two digits to compare, or to type on the page that asked."""

import re
import threading
from datetime import timedelta

import pytest
import time_machine
from django.db import connection
from django.test import Client
from django.utils import timezone

from django_magiclink import approvals
from django_magiclink.models import Approval
from django_magiclink.status import Status

from ..conftest import Browser
from ..servers import until

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.covers("R18"),
]

HTML = {"Accept": "text/html"}


@pytest.fixture(autouse=True)
def typed(settings):
    settings.MAGICLINK_CODE = "type"


@pytest.fixture
def tapped(browser, endpoint, sandbox):
    """The start's body, and the code on the phone that has accepted."""
    sandbox.script("accept")
    started = browser.start(browser.get("/payroll/")).json()
    until_tapped(browser, started)
    return started, code_on(sandbox)


def until_tapped(browser, started):
    until(lambda: browser.get(started["status_url"]).json()["status"] == "confirming")


def code_on(sandbox):
    return re.search(r"Code: (\d\d)", sandbox.calls[-1].params["sms-text"])[1]


def another(code):
    return f"{(int(code) + 1) % 100:02}"


def test_a_code_to_be_typed_is_on_the_phone_only(browser, endpoint, sandbox):
    sandbox.script("manual")
    refused = browser.get("/payroll/")
    started = browser.start(refused)
    sandbox.accept(within=5)
    until_tapped(browser, started.json())
    code = code_on(sandbox)
    page = browser.get("/payroll/", headers=HTML)

    params = sandbox.calls[0].params
    assert started.json()["code"] is None
    assert f"data-code>{code}" not in page.text
    for text in ("authentication-text", "sms-text", "touch-accept-text"):
        assert params[text].endswith(f"Code: {code}")
    assert code not in params.get("title-text", "")


def test_a_tap_alone_opens_nothing(browser, tapped, runs):
    started, _code = tapped
    status = browser.get(started["status_url"]).json()

    assert browser.get("/payroll/").status_code == 401
    assert runs() == []
    assert (status["status"], status["final"]) == ("confirming", False)
    assert 55 <= status["expires_in"] <= 60
    assert Approval.objects.get().live_slot is None


@pytest.mark.parametrize("json", [True, False])
def test_the_code_opens_the_view(browser, tapped, runs, json):
    started, code = tapped
    kind = {"content_type": "application/json"} if json else {}

    answer = browser.post(started["status_url"], {"code": f" {code} "}, **kind)

    assert answer.json()["status"] == "accepted"
    assert browser.get("/payroll/").status_code == 200
    assert runs() == ["payroll"]


@pytest.mark.parametrize("wrong", ["", "0", "000", "９９", "no", "another"])
def test_there_is_one_try(browser, tapped, runs, wrong):
    started, code = tapped
    typed = another(code) if wrong == "another" else wrong

    answer = browser.post(started["status_url"], {"code": typed})
    again = browser.post(started["status_url"], {"code": code})

    assert answer.json()["status"] == again.json()["status"] == "failed"
    assert "That was not the code" in answer.json()["message"]
    assert browser.get("/payroll/").status_code == 401
    assert runs() == []


@pytest.mark.parametrize("body", ["", "{", "[]", '{"code": null}', '"12"', "[" * 9999])
def test_a_body_that_has_no_code_is_a_wrong_one(browser, tapped, body):
    started, _code = tapped

    answer = browser.post(started["status_url"], body, content_type="application/json")

    assert answer.json()["status"] == "failed"


@pytest.mark.covers("R08")
def test_a_wrong_code_counts_as_a_decline(browser, tapped):
    started, code = tapped
    browser.post(started["status_url"], {"code": another(code)})

    refused = browser.start(browser.get("/payroll/"))

    assert refused.status_code == 429
    assert 55 <= refused.json()["retry_after"] <= 60


@pytest.mark.covers("R56")
def test_a_code_that_is_right_leaves_no_error_and_ends_failures(
    browser, endpoint, sandbox, notices, unlimited
):
    for right in (False, True):
        sandbox.script("accept")
        started = browser.start(browser.get("/payroll/")).json()
        until_tapped(browser, started)
        code = code_on(sandbox)
        browser.post(started["status_url"], {"code": code if right else another(code)})

    right, wrong = Approval.objects.order_by("-created")
    assert (right.status, right.error_kind) == (Status.ACCEPTED, "")
    assert (wrong.status, wrong.error_kind) == (Status.FAILED, "code")
    [(name, kind, details)] = notices
    assert (name, kind) == ("anna", "accepted_after_failures")
    assert details == {"approval": right, "failures": 1}


@pytest.mark.covers("R05", "R44")
def test_of_parallel_tries_one_counts(browser, tapped):
    _started, code = tapped
    pk = Approval.objects.get().pk
    moved = []

    def guess(value):
        moved.append(approvals.confirm(pk, value))
        connection.close()

    threads = [
        threading.Thread(target=guess, args=[f"{value:02}"]) for value in range(10, 40)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    status = Approval.objects.get().status

    assert moved.count(True) == (status == Status.ACCEPTED)
    assert status in (Status.ACCEPTED, Status.FAILED)
    assert not approvals.confirm(pk, code)


@pytest.mark.covers("R03")
def test_a_code_comes_too_late_after_a_minute(browser, tapped, runs):
    started, code = tapped

    with time_machine.travel(timezone.now() + timedelta(seconds=61)):
        answer = browser.post(started["status_url"], {"code": code})

        assert answer.json()["status"] == "expired"
        assert browser.get("/payroll/").status_code == 401
    assert runs() == []


@pytest.mark.covers("R06")
def test_age_counts_from_the_tap(browser, tapped):
    started, code = tapped
    with time_machine.travel(timezone.now() + timedelta(seconds=50)):
        browser.post(started["status_url"], {"code": code})

        assert browser.get("/payroll/").status_code == 200
    with time_machine.travel(timezone.now() + timedelta(seconds=61)):
        assert browser.get("/payroll/").status_code == 401


@pytest.mark.covers("R14", "A02")
def test_only_the_session_that_asked_may_type(browser, tapped, user):
    started, code = tapped
    elsewhere = Browser()
    elsewhere.force_login(user)

    answer = elsewhere.post(started["status_url"], {"code": code})

    assert answer.status_code == 404
    assert Approval.objects.get().status == Status.CONFIRMING


@pytest.mark.covers("R13", "A19")
def test_a_code_needs_a_csrf_token(browser, tapped, user):
    started, code = tapped
    strict = Client(enforce_csrf_checks=True)
    strict.cookies = browser.cookies

    assert strict.post(started["status_url"], {"code": code}).status_code == 403
    assert Approval.objects.get().status == Status.CONFIRMING


def test_a_code_before_the_tap_changes_nothing(browser, endpoint, sandbox):
    sandbox.script("manual")
    started = browser.start(browser.get("/payroll/")).json()
    code = Approval.objects.get().code

    answer = browser.post(started["status_url"], {"code": code})

    assert answer.json()["final"] is False
    assert Approval.objects.get().status in (Status.PENDING, Status.SENT)
    sandbox.accept(within=5)


@pytest.mark.covers("R05")
@pytest.mark.parametrize("mode", ["type", "show"])
@pytest.mark.parametrize("typed", ["42", "43"])
def test_what_is_typed_before_the_tap_is_no_try(user, mode, typed):
    approval = Approval.objects.create(
        user=user, status=Status.SENT, code="42", code_mode=mode
    )

    assert not approvals.confirm(approval.pk, typed)

    approval.refresh_from_db()
    assert approval.status == Status.SENT


def test_a_tap_never_skips_the_code(user):
    approval = Approval.objects.create(
        user=user, status=Status.SENT, code="42", code_mode="type"
    )

    assert not Approval.objects.advance(approval.pk, Status.ACCEPTED)
    assert Approval.objects.advance(approval.pk, Status.CONFIRMING)
    assert Approval.objects.advance(approval.pk, Status.ACCEPTED)


@pytest.mark.covers("R28")
def test_who_is_deactivated_before_typing_gets_nothing(browser, tapped, user):
    started, code = tapped
    user.is_active = False
    user.save()

    browser.post(started["status_url"], {"code": code})

    assert Approval.objects.get().status == Status.CANCELLED


def test_cancelling_before_the_code_is_typed_is_final(browser, tapped):
    started, code = tapped
    browser.post(started["cancel_url"])

    answer = browser.post(started["status_url"], {"code": code})

    assert answer.json()["status"] == "cancelled"


def test_without_a_script_the_page_asks_for_the_code(browser, tapped, runs):
    _started, code = tapped
    page = browser.get("/payroll/", headers=HTML)
    challenge = re.search(r'name="challenge" value="([^"]+)"', page.text)[1]
    status_url = re.search(r'action="([^"]+)"[^>]* data-type', page.text)[1]

    done = browser.post(
        status_url, {"code": code, "challenge": challenge}, headers=HTML
    )

    assert 'data-state="confirming"' in page.text
    assert "http-equiv" not in page.text
    assert done.status_code == 303
    assert browser.get(done["Location"]).status_code == 200
    assert runs() == ["payroll"]


def test_without_a_script_a_form_keeps_what_was_typed(browser, endpoint, sandbox, runs):
    sandbox.script("accept")
    typed = {"amount": "10", "payee": "Bo"}
    refused = browser.post("/transfer/", typed)
    started = browser.start(refused).json()
    until_tapped(browser, started)
    body = {
        "code": code_on(sandbox),
        "challenge": refused.json()["challenge"],
        "_approval_fields": "amount=10&payee=Bo",
    }

    page = browser.post(started["status_url"], body, headers=HTML)

    assert 'data-state="accepted"' in page.text
    assert 'name="amount" value="10"' in page.text
    assert browser.post("/transfer/", typed).status_code == 200
    assert runs() == ["transfer"]
