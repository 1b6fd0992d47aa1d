"""That was not me: what a user can say after a decline, and what comes of it."""

import re
from datetime import timedelta

import pytest
from django.contrib.auth import get_user_model
from django.contrib.sessions.models import Session
from django.core.checks import run_checks
from django.test import Client
from django.utils import timezone

from django_magiclink import approvals
from django_magiclink.models import Approval
from django_magiclink.signals import approval_reported
from django_magiclink.status import Status

from ..conftest import Browser
from ..servers import until
from .test_limits import pass_time
from .world import KeptJobs

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.covers("R56", "A23"),
]

HTML = {"Accept": "text/html"}


@pytest.fixture
def reports():
    heard = []

    def hear(approval, request, **kwargs):
        heard.append((approval.pk, request.user.get_username()))

    approval_reported.connect(hear, sender=Approval)
    yield heard
    approval_reported.disconnect(hear, sender=Approval)


@pytest.fixture
def thief(user):
    """Somebody with the user's password, in a session of their own."""
    thief = Browser()
    thief.force_login(user)
    return thief


def report_url(approval):
    return f"/magiclink/{approval.pk}/report/"


def test_after_a_decline_the_user_is_asked(browser, endpoint, sandbox):
    browser.approve(browser.get("/payroll/"), sandbox, "reject")

    page = browser.get("/payroll/", headers=HTML).text

    assert "That was not me" in page
    assert report_url(Approval.objects.get()) in page


def test_an_attempt_of_a_thief_shows_in_the_owners_own_session(
    browser, thief, endpoint, sandbox
):
    thief.approve(thief.get("/payroll/"), sandbox, "reject")

    page = browser.get("/once/", headers=HTML).text

    assert "your phone was asked from elsewhere. Was that somebody else?" in page
    assert f'action="{report_url(Approval.objects.get())}"' in page


def test_what_never_rang_is_nobody_elses_doing(browser, thief, endpoint, settings):
    settings.MAGICLINK_DISPATCHER = f"{KeptJobs.__module__}.KeptJobs"
    started = thief.start(thief.get("/payroll/"))
    thief.post(started.json()["cancel_url"])

    assert Approval.objects.get().status == "cancelled"
    assert "from elsewhere" not in browser.get("/once/", headers=HTML).text


def test_a_thief_who_cancels_shows_as_well(browser, thief, endpoint, sandbox, reports):
    sandbox.script("manual")
    started = thief.start(thief.get("/payroll/"))
    until(sandbox.prompts)
    thief.post(started.json()["cancel_url"])
    sandbox.reject()

    assert "from elsewhere" in browser.get("/once/", headers=HTML).text
    browser.post(report_url(Approval.objects.get()))
    assert len(reports) == 1


def test_what_one_has_declined_oneself_is_not_from_elsewhere(
    browser, endpoint, sandbox
):
    browser.approve(browser.get("/payroll/"), sandbox, "reject")

    assert "from elsewhere" not in browser.get("/once/", headers=HTML).text


@pytest.mark.parametrize("answer", ["accept", "ignore"])
def test_nothing_is_asked_where_nothing_was_declined(
    browser, thief, endpoint, sandbox, answer
):
    thief.approve(thief.get("/payroll/"), sandbox, answer)

    assert "from elsewhere" not in browser.get("/once/", headers=HTML).text


def test_nobody_is_asked_about_the_decline_of_another(
    browser, endpoint, django_user_model
):
    bo = django_user_model.objects.create_user("bo")
    Approval.objects.create(user=bo, status=Status.REJECTED)

    assert "from elsewhere" not in browser.get("/once/", headers=HTML).text


@pytest.mark.parametrize(("hours", "asked"), [(23, True), (25, False)])
def test_the_user_is_asked_for_a_day(browser, user, endpoint, hours, asked):
    Approval.objects.create(
        user=user,
        status=Status.REJECTED,
        created=timezone.now() - timedelta(hours=hours),
    )

    page = browser.get("/once/", headers=HTML).text

    assert ("from elsewhere" in page) == asked


def test_a_report_locks_the_phone_and_ends_what_was_granted(
    browser, thief, endpoint, sandbox, reports, notices
):
    thief.approve(thief.get("/payroll/"), sandbox, "accept")
    browser.approve(browser.get("/payroll/"), sandbox, "accept")
    thief.approve(thief.get("/once/"), sandbox, "reject")
    declined = Approval.objects.get(status=Status.REJECTED)

    answer = browser.post(report_url(declined))
    again = browser.post(report_url(declined))

    assert answer.json()["message"].startswith("Thank you.")
    assert "will not be asked for a while" in answer.json()["message"]
    assert again.status_code == 200
    assert reports == [(declined.pk, "anna")]
    assert notices == [("anna", "reported", {"approval": declined})]
    # In both: a thief may report as well, and must gain nothing by it.
    assert thief.get("/payroll/").status_code == 401
    assert browser.get("/payroll/").status_code == 401
    for who in (browser, thief):
        limited = who.start(who.get("/once/"))
        assert limited.status_code == 429
        assert 800 < limited.json()["retry_after"] <= 900
    assert "from elsewhere" not in browser.get("/once/", headers=HTML).text


def test_the_same_report_is_news_once(user, reports, rf):
    approval = Approval.objects.create(user=user, status=Status.REJECTED)
    request = rf.post(report_url(approval))
    request.user, request.session = user, Browser().session

    assert approvals.report(approval, request)
    assert not approvals.report(approval, request)

    assert len(reports) == 1


def test_a_report_without_a_lock_leaves_the_phone_to_be_asked(
    browser, thief, endpoint, sandbox, settings, unlimited
):
    settings.MAGICLINK_ON_REPORT = []
    thief.approve(thief.get("/once/"), sandbox, "reject")

    answer = browser.post(report_url(Approval.objects.get()))

    assert "will not be asked" not in answer.json()["message"]
    assert browser.start(browser.get("/once/")).status_code == 201


def test_a_late_report_locks_for_all_of_its_time(browser, thief, endpoint, sandbox):
    thief.approve(thief.get("/once/"), sandbox, "reject")
    pass_time(86400 - 60)

    answer = browser.post(report_url(Approval.objects.get()))
    pass_time(120)

    assert "will not be asked" in answer.json()["message"]
    assert thief.start(thief.get("/once/")).status_code == 429


def test_the_log_says_that_a_report_is_why_the_phone_is_not_asked(
    browser, thief, endpoint, sandbox, caplog
):
    caplog.set_level("INFO", "django_magiclink")
    thief.approve(thief.get("/once/"), sandbox, "reject")
    browser.post(report_url(Approval.objects.get()))

    browser.start(browser.get("/once/"))

    assert "is refused scope once: limited, reported." in caplog.text


def test_after_a_day_nothing_is_reported_any_more(
    browser, thief, endpoint, sandbox, reports
):
    thief.approve(thief.get("/once/"), sandbox, "reject")
    pass_time(86401)

    browser.post(report_url(Approval.objects.get()))

    assert reports == []


def test_a_lock_that_is_turned_off_is_not_promised(
    browser, thief, endpoint, sandbox, unlimited
):
    thief.approve(thief.get("/once/"), sandbox, "reject")

    answer = browser.post(report_url(Approval.objects.get()))

    assert "will not be asked" not in answer.json()["message"]
    assert browser.start(browser.get("/once/")).status_code == 201


def test_a_report_that_breaks_can_be_made_again(
    browser, thief, endpoint, sandbox, monkeypatch
):
    thief.approve(thief.get("/payroll/"), sandbox)
    thief.approve(thief.get("/once/"), sandbox, "reject")
    url = report_url(Approval.objects.get(status=Status.REJECTED))
    with monkeypatch.context() as patch:
        patch.setattr("django_magiclink.endings.revoke", None)
        with pytest.raises(TypeError):
            browser.post(url)

    browser.post(url)

    assert thief.get("/payroll/").status_code == 401


@pytest.mark.parametrize("engine", ["db", "cached_db"])
def test_a_report_can_end_the_users_other_sessions(
    user, endpoint, sandbox, settings, engine, django_user_model
):
    settings.SESSION_ENGINE = f"django.contrib.sessions.backends.{engine}"
    settings.MAGICLINK_ON_REPORT = ["lock", "sessions"]
    browser, thief, bo = Browser(), Browser(), Browser()
    browser.force_login(user)
    thief.force_login(user)
    bo.force_login(django_user_model.objects.create_user("bo"))
    thief.approve(thief.get("/once/"), sandbox, "reject")

    browser.post(report_url(Approval.objects.get()))

    assert thief.get("/once/").json()["reason"] == "login"
    assert browser.get("/once/").json().get("reason") is None
    assert bo.get("/once/").json()["reason"] == "no_phone"
    assert Session.objects.count() == 2


@pytest.mark.parametrize("engine", ["cache", "file", "signed_cookies"])
def test_sessions_that_cannot_be_found_are_a_mistake_in_the_settings(
    user, endpoint, sandbox, settings, engine
):
    settings.SESSION_ENGINE = f"django.contrib.sessions.backends.{engine}"
    settings.MAGICLINK_ON_REPORT = ["sessions"]
    browser, thief = Browser(), Browser()
    browser.force_login(user)
    thief.force_login(user)
    thief.approve(thief.get("/once/"), sandbox, "reject")

    answer = browser.post(report_url(Approval.objects.get()))

    assert answer.status_code == 200
    assert "django_magiclink.E015" in [message.id for message in run_checks()]


def test_without_a_script_the_page_thanks(browser, endpoint, sandbox, reports):
    browser.approve(browser.get("/payroll/"), sandbox, "reject")
    page = browser.get("/payroll/", headers=HTML).text
    challenge = re.search(r'name="challenge" value="([^"]+)"', page)[1]
    url = report_url(Approval.objects.get())

    done = browser.post(url, {"challenge": challenge}, headers=HTML)

    assert done.status_code == 303
    shown = browser.get(done["Location"], headers=HTML).text
    assert "Thank you." in shown
    assert "data-own hidden" in shown
    assert len(reports) == 1


@pytest.mark.covers("R14")
def test_nobody_reports_for_another(endpoint, sandbox, browser, reports):
    browser.approve(browser.get("/payroll/"), sandbox, "reject")
    mallory = Client()
    stranger = Client()
    mallory.force_login(get_user_model().objects.create_user("mallory"))
    url = report_url(Approval.objects.get())

    assert mallory.post(url).status_code == 404
    assert stranger.post(url).status_code == 404
    assert browser.get(url).status_code == 405
    assert reports == []


@pytest.mark.parametrize("answer", ["accept", "ignore"])
def test_only_what_was_declined_can_be_reported(
    browser, endpoint, sandbox, reports, answer
):
    browser.approve(browser.get("/payroll/"), sandbox, answer)

    assert browser.post(report_url(Approval.objects.get())).status_code == 404

    assert Approval.objects.get().reported is None
    assert reports == []


@pytest.mark.covers("R13")
def test_a_report_needs_a_csrf_token(browser, endpoint, sandbox, reports):
    browser.approve(browser.get("/payroll/"), sandbox, "reject")
    strict = Client(enforce_csrf_checks=True)
    strict.cookies = browser.cookies

    assert strict.post(report_url(Approval.objects.get())).status_code == 403
    assert reports == []
