"""Start, status and cancel, and the pages that go with them."""

import html
import re
from datetime import timedelta

import pytest
import time_machine
from django.core import signing
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import OperationalError
from django.test import Client
from django.utils import timezone

from django_magiclink import approvals
from django_magiclink.dispatchers.thread import ThreadDispatcher
from django_magiclink.models import Approval, Endpoint, PhoneNumber
from django_magiclink.status import Status

from .conftest import Browser
from .models import Run

pytestmark = pytest.mark.django_db(transaction=True)

HTML = {"Accept": "text/html,*/*;q=0.8"}
#: What a browser sends along when its user follows a link on the same site.
OWN_NAVIGATION = HTML | {
    "Sec-Fetch-Dest": "document",
    "Sec-Fetch-Site": "same-origin",
    "Sec-Fetch-User": "?1",
}
TEN = {"amount": "10", "payee": "Bo"}


def form(page, marker):
    """Return the address and the fields of one form of a page, as a browser would."""
    body = re.search(rf"<form[^>]*{marker}.*?</form>", page.text, re.S)[0]
    action = re.search(r'action="([^"]*)"', body)[1]
    inputs = re.findall(r"<input[^>]*>", body)
    fields = {}
    for tag in inputs:
        name = re.search(r'name="([^"]*)"', tag)
        value = re.search(r'value="([^"]*)"', tag)
        if name and value:
            fields.setdefault(html.unescape(name[1]), []).append(
                html.unescape(value[1])
            )
    return html.unescape(action), fields


def submit(browser, page, marker, **more):
    action, fields = form(page, marker)
    return browser.post(action, fields | more, headers=HTML)


def test_a_start_answers_what_the_page_needs(browser, endpoint, sandbox):
    sandbox.script("manual")
    refused = browser.get("/payroll/")

    started = browser.start(refused)
    joined = browser.start(refused)

    body = started.json()
    pk = body["id"]
    assert started.status_code == 201
    assert joined.status_code == 200
    assert joined.json()["id"] == pk
    assert body["status"] in ("pending", "sent")
    assert body["status_url"] == f"/magiclink/{pk}/"
    assert body["cancel_url"] == f"/magiclink/{pk}/cancel/"
    assert body["live_url"] is None
    assert re.fullmatch("[1-9][0-9]", body["code"])
    assert body["expires_in"] == 60
    assert started["Cache-Control"] == "private, no-store"
    assert len(sandbox.wait_for_calls(1)) == 1


def test_a_start_takes_json_too(browser, endpoint, sandbox):
    problem = browser.get("/payroll/").json()

    started = browser.post(
        problem["start_url"],
        {"challenge": problem["challenge"]},
        content_type="application/json",
    )

    assert started.status_code == 201


def test_a_code_is_null_where_the_guard_shows_none(
    browser, endpoint, sandbox, settings
):
    settings.MAGICLINK_CODE = None

    assert browser.start(browser.get("/payroll/")).json()["code"] is None


@pytest.mark.parametrize("body", ["", "[]", "1", "{}", "[" * 100_000])
def test_a_start_with_broken_json_starts_nothing(browser, endpoint, body):
    answer = browser.post("/magiclink/start/", body, content_type="application/json")

    assert answer.status_code == 403


def test_an_old_page_comes_again_with_its_fields(browser, endpoint, sandbox):
    sandbox.script("manual")
    page = browser.post("/transfer/", TEN, headers=HTML)

    with time_machine.travel(timezone.now() + timedelta(seconds=601)):
        fresh = submit(browser, page, "data-start")
        assert 'data-state="ask"' in fresh.text
        assert not Approval.objects.exists()
        waiting = submit(browser, fresh, "data-start")

    assert waiting.status_code == 200
    assert 'data-state="waiting"' in waiting.text
    assert form(waiting, "data-repeat")[1]["amount"] == ["10"]


def test_a_token_of_another_release_starts_nothing(browser, endpoint):
    token = signing.dumps({"wanted": {}}, salt="django_magiclink.challenge")

    answer = browser.post("/magiclink/start/", {"challenge": token})

    assert answer.status_code == 403
    assert answer.json()["reason"] == "expired"


def lock(monkeypatch, name):
    def locked(*args, **kwargs):
        raise OperationalError("database is locked by +46701740605")

    monkeypatch.setattr(approvals, name, locked)


@pytest.mark.covers("R02", "A51")
def test_a_locked_database_refuses_a_start(browser, endpoint, monkeypatch, caplog):
    refused, page = browser.get("/once/"), browser.get("/once/", headers=HTML)
    lock(monkeypatch, "request")

    answer = browser.start(refused)
    shown = submit(browser, page, "data-start")

    assert answer.status_code == shown.status_code == 503
    assert answer.json()["reason"] == "busy"
    assert 'data-state="later"' in shown.text
    assert "No approval was started: OperationalError" in caplog.text
    assert "+46701740605" not in caplog.text


@pytest.mark.covers("R02", "A51")
def test_a_locked_database_is_503_to_a_program(browser, started, monkeypatch, caplog):
    lock(monkeypatch, "cancel")
    cancel_url = started.json()["cancel_url"]

    answer = browser.post(cancel_url)

    assert answer.status_code == 503
    assert answer.json()["reason"] == "busy"
    assert "no-store" in answer["Cache-Control"]
    assert "+46701740605" not in caplog.text
    # A page of the host's own says it to a person.
    with pytest.raises(OperationalError):
        browser.post(cancel_url, headers=HTML)


def test_a_busy_phone_is_429_with_the_time_to_wait(browser, started, sandbox):
    sandbox.wait_for_calls(1)
    again = browser.start(browser.get("/session/"))

    assert again.status_code == 429
    assert again.json()["reason"] == "limited"
    # 60 s to answer, 10 s of grace.
    assert 65 <= again.json()["retry_after"] <= 70
    assert again["Retry-After"] == str(again.json()["retry_after"])


@pytest.mark.covers("R47", "A46")
def test_a_process_that_waits_enough_is_503(browser, endpoint, sandbox, settings):
    settings.MAGICLINK_MAX_WAITING = 0
    refused = browser.get("/payroll/")

    answer = browser.start(refused)

    assert answer.status_code == 503
    assert answer.json()["reason"] == "busy"
    settings.MAGICLINK_MAX_WAITING = 1
    assert browser.start(refused).status_code == 201


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda: PhoneNumber.objects.all().delete(), "no_phone"),
        # Another phone than the one that the challenge names.
        (lambda: PhoneNumber.objects.update(number="+46701740699"), "expired"),
        (lambda: Endpoint.objects.update(enabled=False), "no_endpoint"),
    ],
)
def test_what_is_missing_since_the_challenge_is_403(browser, endpoint, change, reason):
    refused = browser.get("/payroll/")
    change()

    answer = browser.start(refused)

    assert answer.status_code == 403
    assert answer.json()["reason"] == reason


def test_who_asked_from_where_is_recorded(browser, endpoint, sandbox, settings):
    settings.MAGICLINK_CLIENT_ADDRESS = "tests.test_start.client_address"
    refused = browser.get("/payroll/")
    browser.post(
        "/magiclink/start/",
        {"challenge": refused.json()["challenge"]},
        headers={"User-Agent": "Firefox" * 100, "X-Forwarded-For": "192.0.2.7"},
    )

    approval = Approval.objects.get()
    assert approval.user_name == "anna"
    assert approval.address == "2001:db8::1"
    assert len(approval.user_agent) == 200
    assert approval.dispatcher == "ThreadDispatcher"


def client_address(request):
    return "2001:db8::1"


def test_a_header_that_anyone_can_send_is_not_the_address(browser, endpoint, sandbox):
    refused = browser.get("/payroll/")
    browser.post(
        "/magiclink/start/",
        {"challenge": refused.json()["challenge"]},
        headers={"X-Forwarded-For": "192.0.2.7"},
    )

    assert Approval.objects.get().address == "127.0.0.1"


def test_the_status_says_how_it_stands(browser, started, sandbox):
    sandbox.wait_for_calls(1)

    waiting = browser.get(started.json()["status_url"])

    body = waiting.json()
    assert body.pop("expires_in") in range(58, 61)
    assert body == {
        "id": started.json()["id"],
        "status": "sent",
        "final": False,
        "message": "Answer on your phone.",
        "poll_after": 1,
    }
    assert waiting["Cache-Control"] == "private, no-store"
    assert "Cookie" in waiting["Vary"]
    sandbox.accept()
    assert browser.finish(started) | {"expires_in": 0} == {
        "id": started.json()["id"],
        "status": "accepted",
        "final": True,
        "message": "Approved.",
        "poll_after": None,
        "expires_in": 0,
    }


@pytest.mark.parametrize(
    ("seconds", "pause"),
    [(29, 1), (31, 2), (89, 2), (91, 5), (304, 5), (307, 3), (309.5, 1)],
)
def test_a_page_looks_often_at_first_and_not_past_the_end(
    browser, endpoint, sandbox, settings, seconds, pause
):
    settings.MAGICLINK_TIMEOUT = 300
    sandbox.script("manual")
    started = browser.start(browser.get("/payroll/"))
    sandbox.wait_for_calls(1)
    sent = Approval.objects.get().sent

    with time_machine.travel(sent + timedelta(seconds=seconds), tick=False):
        status = browser.get(started.json()["status_url"]).json()

    assert (status["status"], status["poll_after"]) == ("sent", pause)


def test_the_status_leaves_a_session_that_others_can_read(browser, started, settings):
    settings.MIDDLEWARE = [
        "tests.test_start.read_user_afterwards",
        *settings.MIDDLEWARE,
        "django.contrib.auth.middleware.LoginRequiredMiddleware",
    ]

    fresh = Browser()
    fresh.cookies = browser.cookies
    assert fresh.get(started.json()["status_url"])["X-User"] == "anna"
    assert Client().get(started.json()["status_url"]).status_code == 404


def read_user_afterwards(get_response):
    def middleware(request):
        response = get_response(request)
        response["X-User"] = request.user.get_username()
        return response

    return middleware


def test_the_status_of_a_deadline_that_passed_is_expired(browser, started, sandbox):
    sandbox.wait_for_calls(1)

    with time_machine.travel(timezone.now() + timedelta(seconds=71)):
        body = browser.get(started.json()["status_url"]).json()

    assert body["status"] == "expired"
    assert body["final"]
    assert body["expires_in"] == 0


def test_a_prompt_that_was_never_sent_is_told_as_such(browser, endpoint, monkeypatch):
    monkeypatch.setattr(ThreadDispatcher, "dispatch", lambda self, pk: None)
    started = browser.start(browser.get("/payroll/"))

    with time_machine.travel(timezone.now() + timedelta(seconds=31)):
        body = browser.get(started.json()["status_url"]).json()

    assert (body["status"], body["final"]) == ("expired", True)
    assert body["message"].startswith("Your phone could not be asked in time.")


def test_a_cancelled_approval_grants_nothing(browser, started, sandbox, runs):
    sandbox.wait_for_calls(1)

    answer = browser.post(started.json()["cancel_url"])

    assert answer.json()["status"] == "cancelled"
    assert answer.json()["final"]
    sandbox.accept()
    assert browser.get("/payroll/").status_code == 401
    assert runs() == []


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        ("reject", "You declined. Nothing was carried out."),
        ("ignore", "The phone did not answer in time."),
        ("undeliverable", "The request did not reach your phone."),
        ("bad_request", "The approval service refused the request."),
        ("drop", "The approval service cannot be reached."),
        ("garbage", "The approval could not be asked for."),
    ],
)
def test_each_outcome_has_words_of_its_own(
    browser, endpoint, sandbox, runs, answer, message
):
    status = browser.approve(browser.get("/payroll/"), sandbox, answer)

    assert status["message"] == message
    page = browser.get("/payroll/", headers=HTML)
    assert message in page.text
    assert 'data-state="ended"' in page.text
    assert "Ask again" in page.text
    assert runs() == []


def test_the_page_asks_first(browser, endpoint, sandbox):
    page = browser.get("/payroll/", headers=HTML)

    assert page.status_code == 401
    assert 'data-state="ask"' in page.text
    assert "Confirm that it is you." in page.text
    assert "+46*******05" in page.text
    assert page["X-Frame-Options"] == "DENY"
    assert page["Referrer-Policy"] == "same-origin"
    assert page["Cache-Control"] == "private, no-store"
    assert sandbox.calls == []


def test_the_page_waits_at_the_guarded_address(browser, endpoint, sandbox, runs):
    sandbox.script("manual")
    page = browser.get("/payroll/?month=5", headers=HTML)

    answer = submit(browser, page, "data-start")

    assert answer.status_code == 303
    assert answer["Location"] == "/payroll/?month=5"
    waiting = browser.get(answer["Location"], headers=HTML)
    assert 'data-state="waiting"' in waiting.text
    assert '<meta http-equiv="refresh"' in waiting.text
    assert Approval.objects.get().code in waiting.text
    sandbox.accept()
    browser.finish_row()
    assert browser.get(answer["Location"], headers=HTML).status_code == 200
    assert runs() == ["payroll"]


def test_a_form_waits_with_its_fields_and_goes_on(browser, endpoint, sandbox, runs):
    sandbox.script("manual")
    typed = {"amount": "10", "payee": 'B"o <b>\r\nx', "note": ["1", "2"]}
    page = browser.post("/transfer/?from=1", typed, headers=HTML)
    assert page.status_code == 401

    waiting = submit(browser, page, "data-start")
    assert waiting.status_code == 200
    assert 'data-state="waiting"' in waiting.text
    still = submit(browser, waiting, "data-repeat")
    assert still.status_code == 401
    assert 'data-state="waiting"' in still.text
    assert runs() == []
    sandbox.accept()
    browser.finish_row()

    done = submit(browser, still, "data-repeat")

    assert done.status_code == 200
    assert runs() == ["transfer"]
    assert Approval.objects.get().status == Status.CONSUMED
    seen = Run.objects.get().seen
    assert seen["path"] == "/transfer/?from=1"
    assert seen["fields"] == {
        "amount": ["10"],
        "payee": ['B"o <b>\nx'],
        "note": ["1", "2"],
    }


def test_after_a_decline_the_same_values_can_be_asked_again(
    browser, endpoint, sandbox, runs, unlimited
):
    sandbox.script("manual")
    waiting = submit(
        browser, browser.post("/transfer/", TEN, headers=HTML), "data-start"
    )
    sandbox.reject()
    browser.finish_row()

    declined = submit(browser, waiting, "data-repeat")
    assert "You declined" in declined.text
    assert "Back to your form" in declined.text
    assert "<dt>payee</dt><dd>Bo</dd>" in declined.text
    waiting = submit(browser, declined, "data-start")
    sandbox.accept()
    browser.finish_row()

    assert submit(browser, waiting, "data-repeat").status_code == 200
    assert runs() == ["transfer"]


def test_a_secret_that_was_typed_is_carried_and_not_shown(browser, endpoint):
    page = browser.post("/once/", {"password": "hunter2", "name": "Bo"}, headers=HTML)

    assert form(page, "data-repeat")[1]["password"] == ["hunter2"]
    assert "<dd>Bo</dd>" in page.text
    assert "<dd>hunter2</dd>" not in page.text


def test_a_used_approval_is_told_before_it_is_asked_again(
    browser, endpoint, sandbox, runs
):
    browser.approve(browser.post("/transfer/", TEN), sandbox)
    browser.post("/transfer/", TEN)

    again = browser.post("/transfer/", TEN, headers=OWN_NAVIGATION)

    assert again.status_code == 401
    assert "This was carried out at" in again.text
    assert 'data-autostart="no"' in again.text
    assert runs() == ["transfer"]


def test_cancel_from_a_page_answers_with_a_page(browser, endpoint, sandbox):
    sandbox.script("manual")
    page = browser.get("/payroll/", headers=HTML)
    submit(browser, page, "data-start")
    waiting = browser.get("/payroll/", headers=HTML)

    answer = submit(browser, waiting, "data-cancel")

    assert answer.status_code == 303
    assert "You cancelled." in browser.get("/payroll/", headers=HTML).text


def test_cancel_from_a_form_keeps_its_fields(browser, endpoint, sandbox):
    sandbox.script("manual")
    page = browser.post("/transfer/", TEN, headers=HTML)
    waiting = submit(browser, page, "data-start")

    cancelled = submit(browser, waiting, "data-cancel")

    assert cancelled.status_code == 200
    assert "You cancelled." in cancelled.text
    assert form(cancelled, "data-start")[1]["_approval_fields"] == [
        "amount=10&payee=Bo"
    ]


def test_a_cancel_that_comes_too_late_leads_on(browser, endpoint, sandbox, runs):
    sandbox.script("accept")
    page = browser.post("/transfer/", TEN, headers=HTML)
    waiting = submit(browser, page, "data-start")
    browser.finish_row()

    late = submit(browser, waiting, "data-cancel")

    assert 'data-state="accepted"' in late.text
    assert "Approved." in late.text
    assert submit(browser, late, "data-repeat").status_code == 200
    assert runs() == ["transfer"]


def test_cancel_with_a_challenge_that_is_not_ours_still_cancels(browser, started):
    answer = browser.post(started.json()["cancel_url"], headers=HTML)

    assert answer.status_code == 403
    assert Approval.objects.get().status == Status.CANCELLED


def test_a_busy_phone_has_a_page_that_says_until_when(browser, started):
    page = browser.get("/session/", headers=HTML)

    later = submit(browser, page, "data-start")

    assert later.status_code == 429
    assert 'data-state="later"' in later.text
    assert re.search(r"data-retry[^>]*>\s*\d\d:\d\d:\d\d", later.text)
    assert "Ask again" in later.text


def test_a_form_that_meets_a_busy_phone_keeps_its_fields(browser, started):
    page = browser.post("/transfer/", TEN, headers=HTML)

    later = submit(browser, page, "data-start")

    assert later.status_code == 429
    assert form(later, "data-start")[1]["_approval_fields"] == ["amount=10&payee=Bo"]


def test_the_script_may_start_after_the_users_own_navigation(browser, endpoint):
    page = browser.get("/payroll/", headers=OWN_NAVIGATION)

    assert 'data-autostart="yes"' in page.text


def test_the_script_may_start_when_a_window_has_closed(browser, endpoint, sandbox):
    browser.approve(browser.get("/payroll/"), sandbox)

    with time_machine.travel(timezone.now() + timedelta(seconds=61)):
        page = browser.get("/payroll/", headers=OWN_NAVIGATION)

    assert 'data-autostart="yes"' in page.text


def upload():
    return SimpleUploadedFile("a.txt", b"one")


def test_a_file_is_asked_for_again_and_nothing_else(browser, endpoint, sandbox, runs):
    sandbox.script("accept")
    page = browser.post("/once/", {"a": "1", "paper": upload()}, headers=HTML)
    assert re.search(r'<input type="file" name="paper" required', page.text)
    submit(browser, page, "data-start")
    browser.finish_row()

    without = submit(browser, page, "data-repeat")
    assert without.status_code == 401
    assert 'data-state="accepted"' in without.text
    assert re.search(r'<input type="file" name="paper" required', without.text)
    assert form(without, "data-repeat")[1]["a"] == ["1"]
    assert runs() == []

    assert submit(browser, without, "data-repeat", paper=upload()).status_code == 200
    assert runs() == ["once"]


def test_a_form_that_comes_back_late_without_its_file_can_be_asked_for(
    browser, endpoint
):
    page = browser.post("/once/", {"a": "1", "paper": upload()}, headers=HTML)

    with time_machine.travel(timezone.now() + timedelta(seconds=601)):
        without = submit(browser, page, "data-repeat")

    assert without.status_code == 401
    assert form(without, "data-start")[1]["challenge"]
    assert re.search(r'<input type="file" name="paper" required', without.text)


def test_a_view_that_keeps_nothing_carries_nothing_back(browser, endpoint, runs):
    typed = {"secret": "hunter2"}
    first = browser.post("/secret/", typed | {"paper": upload()}, headers=HTML)
    problem = browser.post("/secret/", typed | {"paper": upload()}).json()

    without = typed | {"_approval_challenge": problem["challenge"]}
    again = browser.post("/secret/", without, headers=HTML)

    for page in (first, again):
        assert page.status_code == 401
        assert "hunter2" not in page.text
        assert "Open the form again" in page.text
    assert runs() == []


@pytest.mark.parametrize("token", ["nonsense", "of another path"])
def test_a_challenge_of_something_else_in_the_form_is_ignored(
    browser, endpoint, sandbox, token
):
    if token != "nonsense":
        paper = {"paper": upload()}
        token = browser.post("/transfer/", TEN | paper).json()["challenge"]

    page = browser.post("/once/", {"_approval_challenge": token}, headers=HTML)

    assert 'type="file"' not in page.text


@pytest.mark.parametrize("url", ["/exempt/", "/checked_later/", "/once/"])
def test_a_form_of_this_site_is_carried_on_with_a_fresh_token(
    user, endpoint, sandbox, runs, url
):
    browser = Browser(enforce_csrf_checks=True)
    browser.force_login(user)
    token = browser.get("/payroll/").json()["csrf_token"]

    sent = {"a": "1", "csrfmiddlewaretoken": token}
    page = browser.post(url, sent, headers=HTML)

    _, fields = form(page, "data-repeat")
    assert fields["a"] == ["1"]
    assert len(fields["csrfmiddlewaretoken"]) == 1
    assert fields["csrfmiddlewaretoken"] != [token]
    sandbox.script("accept")
    submit(browser, page, "data-start")
    browser.finish_row()
    assert submit(browser, page, "data-repeat").status_code == 200
    assert runs() == [url.strip("/")]


def test_pages_speak_the_users_language_to_the_phone(browser, endpoint, sandbox):
    refused = browser.get("/payroll/", headers={"Accept-Language": "sv"})

    browser.post(
        "/magiclink/start/",
        {"challenge": refused.json()["challenge"]},
        headers={"Accept-Language": "sv"},
    )

    assert Approval.objects.get().language == "sv"
