"""How often a phone may be asked, told by what happens to those who ask."""

from datetime import timedelta

import pytest
import time_machine
from django.contrib.auth import get_user_model
from django.core.exceptions import ImproperlyConfigured
from django.db.models import F
from django.utils import timezone

from django_magiclink import approvals, limits
from django_magiclink.conf import DEFAULT_LIMITS
from django_magiclink.exceptions import Limited
from django_magiclink.models import Approval, Endpoint, PhoneNumber
from django_magiclink.signals import approval_refused
from django_magiclink.status import Status

from ..conftest import NUMBER, Browser
from ..servers import until
from ..test_lifecycle import wanted

pytestmark = pytest.mark.django_db(transaction=True)

HTML = {"Accept": "text/html"}
TIMES = [
    "created",
    "start_by",
    "sent",
    "answered",
    "consumed",
    "reported",
    "deadline",
    "live_until",
]


@pytest.fixture(autouse=True)
def impatient(endpoint, settings):
    """So that a phone that nobody answers takes 0.3 s of the test."""
    endpoint.timeout = 15
    endpoint.save()
    settings.MAGICLINK_DISPATCHER = (
        "django_magiclink.dispatchers.immediate.ImmediateDispatcher"
    )


def pass_time(seconds):
    """Let everything that has happened lie that much further back."""
    back = timedelta(seconds=seconds)
    Approval.objects.update(**{name: F(name) - back for name in TIMES})


def ask(browser, sandbox, answer, path="/payroll/"):
    """Ask for an approval, which the phone's owner answers so; return the response."""
    sandbox.script(answer)
    return browser.start(browser.get(path))


def wait_after(browser, path="/payroll/"):
    """Return for how many seconds the phone is not asked again, 0 if it may be."""
    refused = browser.start(browser.get(path))
    if refused.status_code == 429:
        return refused.json()["retry_after"]
    # Asked by way of trial only.
    Approval.objects.latest("created").delete()
    return 0


@pytest.mark.covers("R08", "A25")
@pytest.mark.parametrize(
    ("answer", "pause"),
    [
        ("reject", 60),
        ("ignore", 30),
        ("undeliverable", 30),
        ("bad_request", 30),
        ("accept", 0),
    ],
)
def test_after_each_outcome_the_phone_rests(browser, sandbox, answer, pause):
    ask(browser, sandbox, answer)
    Approval.objects.filter(status=Status.ACCEPTED).update(answered=timezone.now())
    sandbox.script("accept")

    # Another page: its approval would be joined otherwise.
    assert wait_after(browser, "/once/") == pytest.approx(pause, abs=1)
    pass_time(pause)
    assert wait_after(browser, "/once/") == 0


@pytest.mark.covers("R08")
def test_a_broken_answer_rests_once_the_prompt_can_no_longer_be_answered(
    browser, sandbox
):
    ask(browser, sandbox, "garbage")

    # 15 s for the phone and 10 s for the answer's way; then the rest.
    assert wait_after(browser) == pytest.approx(25, abs=1)
    pass_time(26)
    assert wait_after(browser) == pytest.approx(30, abs=2)
    pass_time(30)
    assert ask(browser, sandbox, "accept").status_code == 201


@pytest.mark.covers("R08")
def test_what_never_left_counts_in_no_limit(browser, endpoint, sandbox):
    # A port that nobody listens on.
    endpoint.base_url = "http://127.0.0.1:9"
    endpoint.save()
    key = endpoint.keys.get()
    key.enter(sandbox.api_key)

    for _ in range(8):
        assert browser.start(browser.get("/payroll/")).json()["status"] == "failed"

    assert Approval.objects.filter(sent=None, error_kind="connect").count() == 8


@pytest.mark.covers("R08", "R12")
def test_the_refusal_says_when_and_so_does_the_page(browser, sandbox):
    ask(browser, sandbox, "reject")

    problem = browser.start(browser.get("/payroll/"))
    page = browser.get("/payroll/", headers=HTML)
    refused = browser.post(
        "/magiclink/start/",
        {
            "challenge": browser.get("/payroll/").json()["challenge"],
            "after": Approval.objects.get().pk,
        },
        headers=HTML,
    )

    assert problem.status_code == 429
    assert problem.json()["reason"] == "limited"
    assert int(problem["Retry-After"]) == problem.json()["retry_after"]
    assert "You declined" in page.text
    assert refused.status_code == 429
    assert int(refused["Retry-After"]) in (59, 60)
    at = timezone.localtime() + timedelta(seconds=int(refused["Retry-After"]))
    assert f"{at:%H:%M}:" in refused.text
    assert len(sandbox.calls) == 1


@pytest.mark.covers("R08", "A25")
def test_three_declines_lock_for_15_minutes_whatever_lies_between(browser, sandbox):
    ask(browser, sandbox, "reject")
    pass_time(61)
    ask(browser, sandbox, "accept", "/once/")
    ask(browser, sandbox, "reject")
    pass_time(61)
    ask(browser, sandbox, "reject", "/once/?again")

    assert wait_after(browser) == pytest.approx(900, abs=2)
    pass_time(890)
    assert wait_after(browser) == pytest.approx(10, abs=2)
    pass_time(11)
    assert ask(browser, sandbox, "accept").status_code == 201


@pytest.mark.covers("R08")
def test_declines_that_lie_further_apart_do_not_lock(browser, sandbox):
    for _ in range(4):
        ask(browser, sandbox, "reject")
        pass_time(460)

    assert ask(browser, sandbox, "accept").status_code == 201


@pytest.mark.covers("R08", "A23")
def test_five_prompts_without_an_answer_lock(browser, sandbox, settings):
    settings.MAGICLINK_LIMITS = {"per_15_min": None}
    for _ in range(5):
        assert ask(browser, sandbox, "ignore").status_code == 201
        pass_time(31)

    assert wait_after(browser) == pytest.approx(900 - 31, abs=2)


@pytest.mark.covers("R08", "A43")
def test_a_prompt_whose_process_died_counts_as_unanswered(browser, user):
    now = timezone.now()
    for minutes in range(5):
        then = now - timedelta(minutes=minutes + 1)
        Approval.objects.create(
            user=user,
            status=Status.SENT,
            created=then,
            sent=then,
            deadline=then,
            live_until=then,
        )

    approval = Approval.objects.first()

    assert approval.state == Status.EXPIRED
    with pytest.raises(Limited) as refusal:
        approvals.request(wanted(), user=user, dispatch=lambda pk: None)
    assert refusal.value.limit == "no_answers_lock"


@pytest.mark.covers("R08", "A23")
def test_a_quarter_of_an_hour_has_five_prompts(browser, sandbox, settings):
    settings.MAGICLINK_LIMITS = {"no_answers_lock": None, "cooldown": None}
    for _ in range(5):
        assert ask(browser, sandbox, "ignore").status_code == 201
        pass_time(60)

    assert ask(browser, sandbox, "accept").status_code == 429
    pass_time(600)
    assert ask(browser, sandbox, "accept").status_code == 201


@pytest.mark.covers("R08", "A25")
def test_accepted_prompts_count_in_no_limit(browser, sandbox):
    for number in range(25):
        assert ask(browser, sandbox, "accept", f"/once/?{number}").status_code == 201

    assert ask(browser, sandbox, "accept").status_code == 201


@pytest.mark.covers("R08", "A25")
@pytest.mark.parametrize("became", [Status.ACCEPTED, Status.CONSUMED, Status.REVOKED])
def test_a_yes_counts_in_no_limit_whatever_became_of_it(user, endpoint, became):
    now = timezone.now()
    for _ in range(25):
        Approval.objects.create(user=user, status=became, sent=now, answered=now)

    assert approvals.request(wanted(), user=user, dispatch=lambda pk: None)


@pytest.mark.slow
@pytest.mark.covers("A23")
@pytest.mark.parametrize("victim", ["ignore", "reject"])
def test_a_thief_of_the_password_rings_20_times_a_day_at_most(browser, sandbox, victim):
    started = []
    for _ in range(23 * 30):
        started.append(ask(browser, sandbox, victim).status_code)
        pass_time(120)

    assert {201, 429} == {*started}
    assert started.count(201) == len(sandbox.calls)
    assert 10 <= len(sandbox.calls) <= 20


@pytest.mark.covers("A23")
def test_the_thief_would_ring_all_day_without_limits(browser, sandbox, unlimited):
    for _minute in range(30):
        ask(browser, sandbox, "reject")
        pass_time(60)

    assert len(sandbox.calls) == 30


@pytest.mark.covers("R09", "A27")
def test_whoever_asks_from_wherever_meets_the_same_limit(user, browser, sandbox):
    ask(browser, sandbox, "reject")
    elsewhere = Browser(headers={"X-Forwarded-For": "203.0.113.9"})
    elsewhere.force_login(user)

    assert wait_after(elsewhere) > 50


@pytest.mark.covers("R09")
@pytest.mark.parametrize(
    "spelling",
    ["+46 70 174 06 05", "0046701740605", "070-174 06 05", "+46(0)701740605"],
)
def test_a_number_counts_as_one_however_it_is_spelt(
    browser, sandbox, settings, spelling
):
    settings.MAGICLINK_PHONE_REGION = "SE"
    ask(browser, sandbox, "reject")
    bo = get_user_model().objects.create_user("bo")
    PhoneNumber.objects.create(user=bo, number=spelling, verified_at=timezone.now())
    bos = Browser()
    bos.force_login(bo)

    assert wait_after(bos) > 50


@pytest.mark.covers("R09", "A25")
def test_another_number_does_not_lose_a_users_declines(browser, sandbox, user):
    ask(browser, sandbox, "reject")
    PhoneNumber.objects.update(number="+46701740699")

    assert wait_after(browser) > 50


@pytest.mark.covers("R08")
def test_a_cancelled_prompt_that_is_declined_counts_as_no_decline(
    browser, sandbox, settings
):
    settings.MAGICLINK_DISPATCHER = (
        "django_magiclink.dispatchers.thread.ThreadDispatcher"
    )
    sandbox.script("manual")
    # So that it still rings when it is declined.
    Endpoint.objects.update(timeout=300)
    for _ in range(5):
        started = browser.start(browser.get("/payroll/"))
        assert started.status_code == 201
        until(lambda: sandbox.prompts(NUMBER))
        cancelled = browser.post(started.json()["cancel_url"]).json()
        assert "Decline the request" in cancelled["message"]
        sandbox.reject()
        row = Approval.objects.filter(pk=started.json()["id"], live_slot=None)
        until(row.exists)

    # But it rang: whoever cancels and asks again would ring without end.
    with pytest.raises(Limited) as refusal:
        approvals.request(
            wanted(), user=Approval.objects.first().user, dispatch=lambda pk: None
        )
    assert refusal.value.limit == "per_15_min"


@pytest.mark.covers("R10", "A28")
@pytest.mark.parametrize("purpose", ["enrol", "passwordless"])
def test_others_who_ring_a_phone_do_not_lock_its_owner_out(
    browser, sandbox, user, purpose
):
    now = timezone.now() - timedelta(seconds=10)
    ask(browser, sandbox, "accept")
    number_hash = Approval.objects.get().number_hash
    mallory = get_user_model().objects.create_user("mallory")
    for _ in range(20):
        Approval.objects.create(
            user=mallory,
            purpose=purpose,
            number_hash=number_hash,
            status=Status.REJECTED,
            sent=now,
            answered=now,
        )

    assert wait_after(browser, "/once/") == 0


@pytest.mark.covers("R10", "A28")
@pytest.mark.parametrize("purpose", ["enrol", "passwordless"])
def test_others_ring_for_a_minute_and_then_rest_for_two(user, endpoint, purpose):
    PhoneNumber.objects.update(pending_number=NUMBER)
    endpoint.timeout = 300
    endpoint.save()
    asked = wanted(purpose=purpose, binding="d" * 64)
    approval, _ = approvals.request(asked, user=user, dispatch=lambda pk: None)
    ended = timezone.now()
    Approval.objects.update(
        status=Status.NO_ANSWER, sent=ended, answered=ended, live_slot=None
    )

    with pytest.raises(Limited) as refusal:
        approvals.request(asked, user=user, dispatch=lambda pk: None)

    assert approval.timeout == 60
    assert refusal.value.retry_after == pytest.approx(120, abs=1)
    # Neither their rest nor their minute is the owner's.
    owners, _ = approvals.request(wanted(), user=user, dispatch=lambda pk: None)
    assert owners.timeout == 300


@pytest.mark.covers("R10", "A28")
@pytest.mark.parametrize("purpose", ["enrol", "passwordless"])
def test_others_who_cancel_rest_as_well(user, purpose):
    PhoneNumber.objects.update(pending_number=NUMBER)
    asked = wanted(purpose=purpose, binding="d" * 64)
    approval, _ = approvals.request(asked, user=user, dispatch=lambda pk: None)
    Approval.objects.advance(approval.pk, Status.SENT)
    approvals.cancel(approval.pk)
    pass_time(100)

    with pytest.raises(Limited):
        approvals.request(asked, user=user, dispatch=lambda pk: None)


@pytest.mark.covers("A26")
def test_all_addresses_together_ask_so_often_a_minute_without_a_login(
    user, endpoint, settings
):
    settings.MAGICLINK_LIMITS = {"anonymous_per_minute": 3}
    now = timezone.now()
    for number in range(3):
        Approval.objects.create(
            purpose="passwordless",
            number_hash=f"{number}",
            address=f"192.0.2.{number}",
            status=Status.SENT,
            created=now - timedelta(seconds=number * 10),
            sent=now,
        )

    asked = wanted(purpose="passwordless")
    with pytest.raises(Limited) as refusal:
        approvals.request(asked, user=user, dispatch=lambda pk: None)
    pass_time(41)

    assert refusal.value.limit == "anonymous_per_minute"
    assert refusal.value.retry_after == pytest.approx(40, abs=1)
    assert approvals.request(asked, user=user, dispatch=lambda pk: None)


@pytest.mark.covers("A26")
def test_one_address_asks_ten_times_an_hour_without_a_login(db, endpoint):
    def ask_for(number):
        user = get_user_model().objects.create_user(f"user{number}")
        PhoneNumber.objects.create(
            user=user, number=f"+4670174{number:04}", verified_at=timezone.now()
        )
        asked = wanted(purpose="passwordless", binding=f"{number:064}")
        approval, _ = approvals.request(
            asked, user=user, dispatch=lambda pk: None, address="203.0.113.9"
        )
        return approval

    now = timezone.now()
    for number in range(10, 20):
        approval = ask_for(number)
        # Accepted ones count in no cap.
        Approval.objects.filter(pk=approval.pk).update(
            status=Status.ACCEPTED, sent=now, answered=now, live_slot=None
        )
    for number in range(10):
        # Whether or not a worker has begun to send it.
        approval = ask_for(number)
        if number % 2:
            Approval.objects.advance(approval.pk, Status.SENT)

    with pytest.raises(Limited) as refusal:
        ask_for(20)
    assert refusal.value.limit == "anonymous_per_hour"
    pass_time(3601)
    ask_for(21)


@pytest.mark.covers("A29")
@pytest.mark.parametrize("engine", ["cache", "db"])
def test_a_flushed_cache_forgets_no_limit(user, sandbox, settings, empty_cache, engine):
    settings.SESSION_ENGINE = f"django.contrib.sessions.backends.{engine}"
    for _ in range(3):
        browser = Browser()
        browser.force_login(user)
        ask(browser, sandbox, "reject")
        pass_time(61)
        empty_cache.clear()

    again = Browser()
    again.force_login(user)
    assert wait_after(again) > 700


@pytest.mark.covers("R11")
def test_a_refusal_is_logged_and_signalled(browser, sandbox, caplog):
    caplog.set_level("INFO", "django_magiclink")
    heard = []

    def hear(**kwargs):
        heard.append(kwargs)

    approval_refused.connect(hear, sender=Approval)
    ask(browser, sandbox, "reject")
    wait_after(browser)
    approval_refused.disconnect(hear, sender=Approval)

    [each] = heard
    assert each["user"].get_username() == "anna"
    assert (each["scope"], each["reason"]) == ("payroll", "limited")
    assert each["limit"] == "reject_cooldown"
    assert each["retry_after"] == pytest.approx(60, abs=1)
    assert (each["endpoint"], each["address"]) == ("", "127.0.0.1")
    assert each["session_hash"] == Approval.objects.get().session_hash
    assert "is refused scope payroll: limited, reject_cooldown." in caplog.text


@pytest.mark.covers("R11")
def test_a_refusal_that_is_no_limit_names_none(browser, endpoint):
    heard = []

    def hear(**kwargs):
        heard.append(kwargs)

    refused = browser.get("/payroll/")
    PhoneNumber.objects.all().delete()
    approval_refused.connect(hear, sender=Approval)
    browser.start(refused)
    approval_refused.disconnect(hear, sender=Approval)

    [each] = heard
    assert (each["reason"], each["limit"]) == ("no_phone", "")
    assert each["retry_after"] is None


@pytest.mark.covers("R56", "A23")
def test_the_user_hears_once_that_the_phone_is_locked(browser, sandbox, notices):
    for _ in range(3):
        ask(browser, sandbox, "reject")
        pass_time(61)
    for _ in range(3):
        wait_after(browser)

    (name, kind, details), *others = notices
    assert (name, kind, others) == ("anna", "locked", [])
    left = (details["until"] - timezone.now()).total_seconds()
    assert left == pytest.approx(900, abs=5)


@pytest.mark.covers("R56")
def test_the_user_hears_of_an_acceptance_after_declines(browser, sandbox, notices):
    ask(browser, sandbox, "accept")
    pass_time(400)
    ask(browser, sandbox, "reject")
    pass_time(400)
    ask(browser, sandbox, "reject")
    pass_time(61)
    ask(browser, sandbox, "accept")
    ask(browser, sandbox, "accept", "/once/")

    ((name, kind, details),) = notices
    assert (name, kind) == ("anna", "accepted_after_failures")
    assert details["failures"] == 2


@pytest.mark.parametrize("value", [0, -1, "5", 1.5, True])
def test_a_limit_that_is_wrong_lets_nobody_ring(browser, sandbox, settings, value):
    settings.MAGICLINK_LIMITS = {"per_day": value}

    with pytest.raises(ImproperlyConfigured, match="per_day must be a whole number"):
        browser.start(browser.get("/payroll/"))

    assert sandbox.calls == []


@pytest.mark.parametrize("name", DEFAULT_LIMITS)
def test_each_limit_can_be_turned_off(settings, name):
    settings.MAGICLINK_LIMITS = {name: None}

    assert limits.value_of(name) is None


def prompts(user, *ago, status=Status.CANCELLED, **values):
    """Let the phone have been asked so many seconds ago, each time with ``status``."""
    for seconds in ago:
        then = timezone.now() - timedelta(seconds=seconds)
        times = dict.fromkeys(["created", "sent", "answered", "live_until"], then)
        Approval.objects.create(user=user, status=status, **times | values)


def refusal(user, **values):
    """Return the limit that keeps the phone from being asked, and for how long."""
    with pytest.raises(Limited) as limited:
        approvals.request(
            wanted(**values), user=user, dispatch=lambda pk: None, address="192.0.2.1"
        )
    return limited.value.limit, pytest.approx(limited.value.retry_after, abs=1)


MINUTE, HOUR = 60, 3600


@pytest.mark.covers("R08")
def test_the_fifth_newest_of_a_quarter_says_when_there_may_be_another(user, endpoint):
    prompts(user, *(each * MINUTE for each in (10, 1, 20, 14, 5, 8, 30)))

    assert refusal(user) == ("per_15_min", 1 * MINUTE)


@pytest.mark.covers("R08")
def test_a_limit_may_be_one(user, endpoint, settings):
    settings.MAGICLINK_LIMITS = {"per_15_min": 1}
    prompts(user, 10 * MINUTE)

    assert refusal(user) == ("per_15_min", 5 * MINUTE)


@pytest.mark.covers("R08")
def test_the_twentieth_newest_of_a_day_says_when_there_may_be_another(user, endpoint):
    prompts(user, *(each * HOUR for each in (23, 3, *range(4, 21), 2, 1)))

    assert refusal(user) == ("per_day", 4 * HOUR)


@pytest.mark.covers("A26")
def test_the_tenth_newest_of_an_hour_says_when_an_address_may_ask_again(user, endpoint):
    kept = {"purpose": "passwordless", "address": "192.0.2.1", "number_hash": "other"}
    bo = get_user_model().objects.create_user("bo")
    minutes = (30, 4, 59, *range(5, 12), 2)
    prompts(bo, *(each * MINUTE for each in minutes), **kept)

    limit = refusal(user, purpose="passwordless")

    assert limit == ("anonymous_per_hour", 30 * MINUTE)


@pytest.mark.covers("A26")
@pytest.mark.parametrize(
    "other",
    [
        {"address": "192.0.2.2"},
        {"purpose": "step-up"},
        {"sent": None},
        # A worker comes too late for it.
        {"sent": None, "status": Status.PENDING, "start_by": timezone.now()},
    ],
)
def test_only_prompts_of_an_address_without_a_login_count_for_it(user, endpoint, other):
    kept = {"purpose": "passwordless", "address": "192.0.2.1", "number_hash": "other"}
    bo = get_user_model().objects.create_user("bo")
    prompts(bo, *range(100, 112), **kept | other)

    assert approvals.request(
        wanted(purpose="passwordless"),
        user=user,
        dispatch=lambda pk: None,
        address="192.0.2.1",
    )


@pytest.mark.covers("R08", "A25")
def test_a_cancelled_prompt_hides_no_decline_before_it(user, endpoint):
    prompts(user, 5)
    prompts(user, 10, status=Status.REJECTED)

    assert refusal(user) == ("reject_cooldown", 50)


@pytest.mark.covers("R08")
@pytest.mark.parametrize(
    ("kind", "limit"),
    [("code", ("reject_cooldown", 50)), ("network", ("cooldown", 20))],
)
def test_a_wrong_code_is_a_decline_and_no_other_failure_is(user, endpoint, kind, limit):
    prompts(user, 10, status=Status.FAILED, error_kind=kind)

    assert refusal(user) == limit


@pytest.mark.covers("R08")
def test_a_lock_may_be_longer_than_a_day(user, endpoint, settings):
    settings.MAGICLINK_LIMITS = {"lock_seconds": 30 * HOUR}
    prompts(user, 25 * HOUR, 26 * HOUR, 27 * HOUR, status=Status.REJECTED)

    assert refusal(user) == ("rejects_lock", 5 * HOUR)


@pytest.mark.covers("R08")
@pytest.mark.parametrize("off", ["rejects_lock", "lock_seconds"])
def test_declines_lock_nothing_where_that_is_off(user, endpoint, settings, off):
    settings.MAGICLINK_LIMITS = {off: None}
    prompts(user, 10, 100, 200, status=Status.REJECTED)

    assert refusal(user) == ("reject_cooldown", 50)


@pytest.fixture
def stopped_clock():
    with time_machine.travel(timezone.now(), tick=False):
        yield


@pytest.mark.covers("R08")
def test_a_single_decline_locks_nothing(user, stopped_clock):
    prompts(user, 1, status=Status.REJECTED)

    assert limits.locked_until(Approval.objects.get()) is None


@pytest.mark.covers("R08")
def test_declines_as_far_apart_as_a_lock_is_long_still_lock(
    user, endpoint, stopped_clock
):
    prompts(user, 10, 460, 910, status=Status.REJECTED)

    assert refusal(user) == ("rejects_lock", 890)


@pytest.mark.covers("R08")
@pytest.mark.parametrize(
    ("status", "ago"), [(Status.REJECTED, 60), (Status.NO_ANSWER, 30)]
)
def test_a_limit_is_over_at_its_last_instant(
    user, endpoint, stopped_clock, status, ago
):
    prompts(user, ago, status=status)

    assert approvals.request(wanted(), user=user, dispatch=lambda pk: None)


@pytest.mark.covers("R08")
def test_until_its_last_instant_a_prompt_is_not_unanswered(
    user, endpoint, stopped_clock
):
    now = timezone.now()
    prompts(user, 10, status=Status.SENT, answered=None, deadline=now, live_until=now)

    assert approvals.request(wanted(), user=user, dispatch=lambda pk: None)


@pytest.mark.covers("R56")
def test_failures_are_those_of_the_user_and_of_the_day(user):
    bo = get_user_model().objects.create_user("bo")
    for status in (Status.REJECTED, Status.NO_ANSWER):
        prompts(user, 100, status=status)
    prompts(user, 100, status=Status.FAILED, error_kind="code")
    prompts(user, 100, 90, status=Status.FAILED, error_kind="network")
    prompts(user, 25 * HOUR, 10, status=Status.REJECTED)
    prompts(user, 100, status=Status.REJECTED, purpose="enrol")
    prompts(bo, 100, status=Status.REJECTED)
    prompts(user, 50, status=Status.ACCEPTED)
    accepted = Approval.objects.get(status=Status.ACCEPTED)

    assert limits.failures_before(accepted) == 3

    prompts(user, 40, status=Status.CONSUMED, purpose="enrol")
    enrolled = Approval.objects.get(status=Status.CONSUMED)

    assert limits.failures_before(enrolled) == 1


@pytest.mark.covers("R56")
@pytest.mark.parametrize("before", [Status.ACCEPTED, Status.CONSUMED])
def test_failures_before_an_earlier_yes_are_forgotten(user, before):
    prompts(user, 300, 200, status=Status.REJECTED)
    prompts(user, 400, 150, status=before)
    prompts(user, 100, status=Status.REJECTED)
    prompts(user, 50, status=Status.ACCEPTED)
    accepted = Approval.objects.filter(status=Status.ACCEPTED).first()

    assert limits.failures_before(accepted) == 1
