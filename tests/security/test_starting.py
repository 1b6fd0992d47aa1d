"""A phone rings for a user's own POST, and for nothing else."""

import re
import uuid
from datetime import timedelta

import pytest
import time_machine
from django.contrib.auth import get_user_model
from django.test import Client
from django.utils import timezone

from django_magiclink.models import Approval

from ..conftest import Browser
from ..test_start import HTML, OWN_NAVIGATION, TEN, submit, upload

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.mark.covers("R13", "A19")
@pytest.mark.parametrize("method", ["get", "head", "options", "put"])
@pytest.mark.parametrize("url", ["/magiclink/start/", "/payroll/"])
def test_only_a_post_to_start_rings_a_phone(browser, endpoint, sandbox, method, url):
    token = browser.get("/payroll/").json()["challenge"]

    answer = getattr(browser, method)(f"{url}?challenge={token}")

    assert answer.status_code == (401 if url == "/payroll/" else 405)
    assert not Approval.objects.exists()
    assert sandbox.calls == []


@pytest.mark.covers("R13", "A19")
@pytest.mark.parametrize(
    "url", ["/magiclink/start/", f"/magiclink/{uuid.UUID(int=4)}/cancel/"]
)
def test_a_post_without_a_csrf_token_does_nothing(user, endpoint, sandbox, url):
    browser = Browser(enforce_csrf_checks=True)
    browser.force_login(user)
    token = browser.get("/payroll/").json()["challenge"]

    assert browser.post(url, {"challenge": token}).status_code == 403
    assert not Approval.objects.exists()


@pytest.mark.covers("R13")
def test_the_csrf_token_of_the_problem_body_counts(user, endpoint, sandbox):
    browser = Browser(enforce_csrf_checks=True)
    browser.force_login(user)
    problem = browser.get("/payroll/").json()

    fields = {
        "challenge": problem["challenge"],
        "csrfmiddlewaretoken": problem["csrf_token"],
    }
    assert browser.post(problem["start_url"], fields).status_code == 201


@pytest.mark.covers("R13")
@pytest.mark.parametrize(
    "spoil",
    [
        lambda token: "",
        lambda token: "nonsense",
        lambda token: token[:-1] + ("a" if token[-1] != "a" else "b"),
    ],
)
@pytest.mark.parametrize("kind", ["form", "json"])
def test_a_challenge_that_is_not_ours_starts_nothing(browser, endpoint, spoil, kind):
    token = spoil(browser.get("/payroll/").json()["challenge"])
    content = {"content_type": "application/json"} if kind == "json" else {}

    answer = browser.post("/magiclink/start/", {"challenge": token}, **content)

    assert answer.status_code == 403
    assert answer["Content-Type"] == "application/problem+json"
    assert answer.json()["reason"] == "expired"
    page = browser.post("/magiclink/start/", {"challenge": token}, headers=HTML)
    assert page.status_code == 403
    assert "too old" in page.text
    assert not Approval.objects.exists()


@pytest.mark.covers("R04", "R14", "A02")
def test_a_challenge_is_of_one_session(browser, endpoint, user):
    refused = browser.get("/payroll/")
    thief, stranger = Browser(), Client()
    thief.force_login(user)

    for other in (thief, stranger):
        answer = other.post(
            "/magiclink/start/", {"challenge": refused.json()["challenge"]}
        )
        assert answer.status_code == 403
    assert not Approval.objects.exists()


@pytest.mark.covers("R13")
def test_a_challenge_lasts_ten_minutes(browser, endpoint):
    refused = browser.get("/payroll/")

    with time_machine.travel(timezone.now() + timedelta(seconds=601)):
        answer = browser.start(refused)

    assert answer.status_code == 403
    assert answer.json()["reason"] == "expired"
    assert "challenge" not in answer.json()


@pytest.mark.covers("R15", "A31")
def test_the_status_costs_one_query_and_writes_nothing(
    browser, started, settings, django_assert_num_queries
):
    settings.SESSION_SAVE_EVERY_REQUEST = True
    before = Approval.objects.values().get()

    # The session, and the approval.
    with django_assert_num_queries(2):
        answer = browser.get(started.json()["status_url"])

    assert not answer.cookies
    after = Approval.objects.values().get()
    assert {name: after[name] for name in ("binding", "created")} == {
        name: before[name] for name in ("binding", "created")
    }


@pytest.mark.covers("R14", "A01", "A02")
def test_nobody_else_sees_or_cancels_an_approval(browser, started, user):
    bo = get_user_model().objects.create_user("bo")
    others = [Client(), Browser(), Browser()]
    others[1].force_login(user)
    others[2].force_login(bo)

    for other in others:
        assert other.get(started.json()["status_url"]).status_code == 404
        assert other.post(started.json()["cancel_url"]).status_code == 404
    assert browser.get(f"/magiclink/{uuid.uuid4()}/").status_code == 404
    assert browser.get(started.json()["status_url"]).status_code == 200


@pytest.mark.covers("R12", "A05")
@pytest.mark.parametrize("answer", ["reject", "accept"])
def test_a_start_that_a_reload_sends_again_rings_no_phone(
    browser, endpoint, sandbox, answer, unlimited
):
    sandbox.script(answer)
    page = browser.post("/transfer/", TEN, headers=HTML)
    submit(browser, page, "data-start")
    browser.finish_row()
    if answer == "accept":
        browser.post("/transfer/", TEN)

    again = submit(browser, page, "data-start")

    assert len(sandbox.calls) == 1
    words = {"reject": "You declined", "accept": "This was carried out at"}
    assert words[answer] in again.text
    submit(browser, again, "data-start")
    browser.finish_row()
    assert len(sandbox.calls) == 2


@pytest.mark.covers("R13", "A19")
@pytest.mark.parametrize(
    "change",
    [
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "none"},
        {"Sec-Fetch-User": ""},
        {"Sec-Purpose": "prefetch"},
    ],
)
def test_nobody_else_makes_the_script_start(browser, endpoint, change):
    page = browser.get("/payroll/", headers=OWN_NAVIGATION | change)

    assert 'data-autostart="no"' in page.text


@pytest.mark.covers("R12")
def test_the_script_does_not_start_again_after_a_decline(browser, endpoint, sandbox):
    browser.approve(browser.get("/payroll/"), sandbox, "reject")

    page = browser.get("/payroll/", headers=OWN_NAVIGATION)

    assert 'data-autostart="no"' in page.text


CROSS_SITE = HTML | {"Origin": "https://evil.example"}


@pytest.mark.covers("R13", "A19")
@pytest.mark.parametrize("url", ["/exempt/", "/checked_later/"])
@pytest.mark.parametrize("middleware", [True, False])
def test_a_form_of_another_site_is_not_carried_on(
    user, endpoint, sandbox, runs, settings, url, middleware
):
    if not middleware:
        settings.MIDDLEWARE = [
            name for name in settings.MIDDLEWARE if "Csrf" not in name
        ]
    browser = Browser(enforce_csrf_checks=True)
    browser.force_login(user)

    page = browser.post(url, {"amount": "evil"}, headers=CROSS_SITE)

    assert page.status_code == 401
    assert "evil" not in page.text
    assert "<form" not in page.text
    assert "Open the form again" in page.text
    assert sandbox.calls == []
    assert runs() == []


@pytest.mark.covers("R13", "A19")
def test_a_form_of_another_site_is_not_carried_on_for_a_file_either(
    user, endpoint, runs
):
    browser = Browser(enforce_csrf_checks=True)
    browser.force_login(user)
    challenge = browser.post("/exempt/", {"paper": upload()}).json()["challenge"]

    fields = {"amount": "evil", "_approval_challenge": challenge}
    page = browser.post("/exempt/", fields, headers=CROSS_SITE)

    assert page.status_code == 401
    assert "evil" not in page.text
    assert "<form" not in page.text
    assert "Open the form again" in page.text
    assert runs() == []


@pytest.mark.covers("R13", "A19")
def test_a_checked_form_of_another_site_is_djangos_own_403(user, endpoint, runs):
    browser = Browser(enforce_csrf_checks=True)
    browser.force_login(user)

    assert browser.post("/once/", {"a": "1"}, headers=CROSS_SITE).status_code == 403
    assert runs() == []


@pytest.mark.covers("R12")
def test_after_a_decline_nothing_but_a_new_post_rings(browser, endpoint, sandbox):
    refused = browser.get("/payroll/")
    sandbox.script("reject")
    started = browser.start(refused)
    browser.finish(started)

    for _ in range(20):
        assert browser.get(started.json()["status_url"]).json()["status"] == "rejected"
        browser.get("/payroll/", headers=OWN_NAVIGATION)
        browser.get("/payroll/")
        browser.head("/magiclink/start/")

    assert len(sandbox.calls) == 1
    assert Approval.objects.count() == 1


@pytest.mark.covers("R15")
def test_the_status_tells_nothing_about_a_person_and_changes_nothing(
    browser, started, sandbox
):
    sandbox.wait_for_calls(1)
    before = list(Approval.objects.values())

    answers = [browser.get(started.json()["status_url"]) for _ in range(5)]

    assert list(Approval.objects.values()) == before
    for answer in answers:
        fields = {"id", "status", "final", "message", "poll_after", "expires_in"}
        assert answer.json().keys() == fields
        assert answer["Cache-Control"] == "private, no-store"
        assert not re.search(r"anna|\+46|payroll", answer.text)
    url = started.json()["status_url"]
    assert browser.put(url).status_code == 405


@pytest.mark.covers("R14")
def test_an_id_is_random(browser, endpoint, sandbox, started):
    pk = Approval.objects.get().pk

    assert (pk.version, pk.variant) == (4, uuid.RFC_4122)
