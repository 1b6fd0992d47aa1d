"""The life of an approval, at the level of its rows."""

import itertools
import uuid
from datetime import timedelta

import pytest
from django.contrib.auth import get_user_model
from django.core.exceptions import ImproperlyConfigured
from django.db import transaction
from django.db.models import Q
from django.utils import timezone

from django_magiclink import approvals, asking, endings
from django_magiclink.exceptions import (
    Busy,
    Inactive,
    Limited,
    NoEndpoint,
    NoPhone,
)
from django_magiclink.models import ApiKey, Approval, Endpoint, PhoneNumber
from django_magiclink.signals import approval_changed, approval_requested
from django_magiclink.status import TRANSITIONS, UNDECIDED, Status
from django_magiclink.wanted import Wanted

pytestmark = pytest.mark.django_db(transaction=True)


def wanted(**values):
    defaults = {
        "purpose": "step-up",
        "scope": "payroll",
        "max_age": 60,
        "endpoint": "",
        "timeout": None,
        "code": "show",
        "text": "Confirm",
        "binding": "b" * 64,
        "session_hash": "s" * 64,
    }
    return Wanted(**defaults | values)


def ask(user, dispatch=lambda pk: None, **values):
    return approvals.request(wanted(**values), user=user, dispatch=dispatch)


def state(approval):
    approval.refresh_from_db()
    return approval.status


def pass_time(approval, **seconds):
    """Let the times of a row lie that many seconds further back."""
    for name, by in seconds.items():
        moved = getattr(approval, name) - timedelta(seconds=by)
        Approval.objects.filter(pk=approval.pk).update(**{name: moved})


@pytest.mark.parametrize(("before", "after"), [*itertools.product(Status, Status)])
def test_only_listed_transitions_happen(user, before, after):
    approval = Approval.objects.create(user=user, status=before)

    moved = Approval.objects.advance(approval.pk, after)

    assert moved == (after in TRANSITIONS.get(before, set()))
    assert state(approval) == (after if moved else before)


def test_terminal_states_never_leave():
    terminal = set(Status) - UNDECIDED - {Status.ACCEPTED}

    assert not terminal & TRANSITIONS.keys()


def test_a_condition_that_does_not_hold_moves_nothing(user):
    approval = Approval.objects.create(user=user)

    assert not Approval.objects.advance(
        approval.pk, Status.SENT, where=Q(scope="other")
    )


@pytest.mark.parametrize("target", [Status.ACCEPTED, Status.CONFIRMING])
def test_an_answer_after_the_deadline_is_not_accepted(user, target):
    approval = Approval.objects.create(user=user, status=Status.SENT)
    pass_time(approval, deadline=31)

    assert not Approval.objects.advance(approval.pk, target)


def test_a_queue_that_stood_still_sends_nothing(user):
    approval = Approval.objects.create(user=user)
    pass_time(approval, start_by=31)

    assert not Approval.objects.advance(approval.pk, Status.SENT)


def test_an_undecided_approval_past_its_deadline_reads_as_expired(user):
    approval = Approval.objects.create(user=user, status=Status.SENT)
    assert approval.state == Status.SENT

    pass_time(approval, deadline=31)
    approval.refresh_from_db()

    assert approval.state == Status.EXPIRED
    assert approval.status == Status.SENT
    assert str(approval) == "default: Expired"


def test_age_counts_from_the_tap_and_not_from_a_typed_code(user):
    tapped = timezone.now() - timedelta(seconds=40)
    approval = Approval.objects.create(
        user=user, status=Status.CONFIRMING, answered=tapped
    )

    Approval.objects.advance(approval.pk, Status.ACCEPTED)

    approval.refresh_from_db()
    assert approval.answered == tapped


def test_expire_marks_what_nobody_finished(user):
    overdue = Approval.objects.create(user=user, status=Status.SENT)
    pass_time(overdue, deadline=31)
    waiting = Approval.objects.create(user=user, status=Status.SENT)
    accepted = Approval.objects.create(user=user, status=Status.ACCEPTED)

    assert approvals.expire() == 1

    states = [state(row) for row in (overdue, waiting, accepted)]
    assert states == [Status.EXPIRED, Status.SENT, Status.ACCEPTED]


def test_what_is_taken_up_while_others_expire_goes_on(user):
    for _ in range(2):
        overdue = Approval.objects.create(user=user, status=Status.SENT)
        pass_time(overdue, deadline=31)

    def take_the_other_up(pk, **kwargs):
        later = timezone.now() + timedelta(seconds=60)
        Approval.objects.exclude(pk=pk).update(deadline=later)

    approval_changed.connect(take_the_other_up)
    expired = approvals.expire()
    approval_changed.disconnect(take_the_other_up)

    assert expired == 1
    states = Approval.objects.values_list("status", flat=True)
    assert {*states} == {Status.EXPIRED, Status.SENT}


def test_the_row_holds_no_number_and_no_key(user, endpoint, sandbox):
    approval, _ = ask(user)

    row = str(Approval.objects.filter(pk=approval.pk).values().get())

    assert approval.masked_number == "+46*******05"
    assert "701740605" not in row
    assert sandbox.api_key not in row


@pytest.mark.covers("R44", "A46")
@pytest.mark.parametrize(
    ("error", "kind"), [(Busy, "busy"), (ConnectionError("broker"), "dispatch")]
)
def test_a_dispatcher_that_fails_frees_the_phone_at_once(user, endpoint, error, kind):
    def dispatch(pk):
        raise error

    approval, _ = ask(user, dispatch)

    assert state(approval) == Status.FAILED
    assert approval.error_kind == kind
    assert approval.live_slot is None
    ask(user)


def test_an_error_after_the_call_has_left_keeps_the_phone_taken(user, endpoint):
    def dispatch(pk):
        Approval.objects.advance(pk, Status.SENT)
        raise ConnectionError

    approval, _ = ask(user, dispatch)

    assert state(approval) == Status.SENT
    assert approval.live_slot


@pytest.mark.parametrize(
    "status", [Status.PENDING, Status.SENT, Status.CONFIRMING, Status.ACCEPTED]
)
def test_a_second_request_joins_the_open_one(user, endpoint, status):
    first, _ = ask(user)
    Approval.objects.filter(pk=first.pk).update(status=status, answered=timezone.now())

    second, joined = ask(user)

    assert joined
    assert second == first


def test_an_accepted_approval_that_is_too_old_is_not_joined(user, endpoint):
    first, _ = ask(user)
    Approval.objects.filter(pk=first.pk).update(
        status=Status.ACCEPTED,
        live_slot=None,
        answered=timezone.now() - timedelta(seconds=61),
    )

    _, joined = ask(user)

    assert not joined


@pytest.mark.parametrize(
    "values", [{"binding": "c" * 64}, {"text": "Confirm something else"}]
)
def test_the_phone_is_asked_one_thing_at_a_time(user, endpoint, values):
    ask(user)

    with pytest.raises(Limited) as refusal:
        ask(user, **values)

    # It is not sent after 30 s, and rings for 60 s and 10 s of grace once it is.
    assert 25 <= refusal.value.retry_after <= 30
    Approval.objects.update(start_by=timezone.now() - timedelta(seconds=1))
    assert Approval.objects.count() == 1


def test_two_users_who_share_a_phone_are_asked_one_after_the_other(
    user, endpoint, unlimited
):
    bo = get_user_model().objects.create_user("bo")
    PhoneNumber.objects.create(
        user=bo, number=user.magiclink_phone.number, verified_at=timezone.now()
    )
    approval, _ = ask(user)

    with pytest.raises(Limited):
        ask(bo, binding="c" * 64)
    Approval.objects.advance(approval.pk, Status.SENT)
    Approval.objects.advance(approval.pk, Status.REJECTED)

    assert ask(bo, binding="c" * 64)[0].user == bo


def test_a_slot_is_free_again_when_its_prompt_can_no_longer_be_answered(user, endpoint):
    first, _ = ask(user)
    pass_time(first, deadline=31, live_until=31)

    _, joined = ask(user, binding="c" * 64)

    assert not joined


def test_a_slot_that_is_let_go_between_two_looks_can_be_had(
    user, endpoint, monkeypatch
):
    holder, _ = ask(user)
    looks = []

    def let_go(wanted):
        looks.append(wanted)
        if len(looks) == 2:
            Approval.objects.filter(pk=holder.pk).update(live_slot=None)

    monkeypatch.setattr(asking, "_open", let_go)
    approval, joined = ask(user, binding="c" * 64)

    assert approval != holder
    assert not joined


def test_a_request_that_loses_both_races_joins_the_winner(user, endpoint, monkeypatch):
    holder, _ = ask(user)
    found = iter([None, None, holder])
    monkeypatch.setattr(asking, "_open", lambda wanted: next(found))

    assert ask(user) == (holder, True)


def test_a_holder_that_has_just_gone_means_one_second(user, endpoint, monkeypatch):
    monkeypatch.setattr(asking, "_insert", lambda *args: None)

    with pytest.raises(Limited) as refusal:
        ask(user)

    assert refusal.value.retry_after == 1


def test_the_endpoint_may_say_how_long_the_phone_waits(user, endpoint, settings):
    settings.MAGICLINK_TIMEOUT = 45
    assert ask(user)[0].timeout == 45
    Approval.objects.all().delete()

    Endpoint.objects.update(timeout=90)
    assert ask(user)[0].timeout == 90
    Approval.objects.all().delete()

    assert ask(user, timeout=120)[0].timeout == 120


def test_an_inactive_user_is_not_asked(user, endpoint):
    user.is_active = False

    with pytest.raises(Inactive):
        ask(user)


def test_a_user_without_a_phone_is_not_asked(user, endpoint):
    PhoneNumber.objects.all().delete()

    with pytest.raises(NoPhone):
        ask(user)


def spoil_key(settings, endpoint):
    settings.MAGICLINK_FIELD_KEYS = ["QW5vdGhlciBrZXkgdGhhdCBpcyAzMiBieXRlcyBsb24="]


def remove_field_keys(settings, endpoint):
    settings.MAGICLINK_FIELD_KEYS = []


def forbid_loopback(settings, endpoint):
    settings.MAGICLINK_SANDBOX = False


def disable(settings, endpoint):
    Endpoint.objects.update(enabled=False)


def move(settings, endpoint):
    Endpoint.objects.update(base_url="https://other.example.com")


def expire_key(settings, endpoint):
    ApiKey.objects.update(expires_on=timezone.localdate() - timedelta(days=1))


def retire_key(settings, endpoint):
    ApiKey.objects.update(retired=timezone.now())


@pytest.mark.parametrize(
    "spoil",
    [
        spoil_key,
        remove_field_keys,
        forbid_loopback,
        disable,
        move,
        expire_key,
        retire_key,
    ],
)
def test_without_a_usable_endpoint_nobody_is_asked(user, endpoint, settings, spoil):
    spoil(settings, endpoint)

    with pytest.raises(NoEndpoint):
        ask(user)

    assert not Approval.objects.exists()


@pytest.mark.parametrize("spoil", [spoil_key, disable, move, expire_key, retire_key])
def test_what_is_spoilt_after_the_request_fails_it_unsent(
    user, endpoint, settings, sandbox, spoil
):
    approval, _ = ask(user)
    spoil(settings, endpoint)

    approvals.perform(approval.pk)

    assert state(approval) == Status.FAILED
    assert approval.error_kind == "no_endpoint"
    assert approval.live_slot is None
    # So that no limit counts it.
    assert approval.sent is None
    assert sandbox.calls == []


@pytest.mark.covers("R45", "A47")
def test_an_approval_is_sent_once_however_often_it_is_delivered(
    user, endpoint, sandbox
):
    sandbox.script("accept")
    approval, _ = ask(user)

    for _ in range(3):
        approvals.perform(approval.pk)

    assert len(sandbox.calls) == 1
    assert state(approval) == Status.ACCEPTED
    key = ApiKey.objects.get()
    assert key.last_result == "TOUCH_ACCEPTED"
    assert approval.sent <= key.last_used
    assert approval.answer_code == "TOUCH_ACCEPTED"
    assert approval.http_status == 200
    assert approval.sent <= approval.answered


def test_the_phone_shows_the_text_the_code_and_the_endpoints_words(
    user, endpoint, sandbox, settings
):
    settings.MAGICLINK_SITE_NAME = "Harbour Bank"
    Endpoint.objects.update(accept_button_text="Yes")
    sandbox.script("accept")
    approval, _ = ask(user, text="Pay 5 SEK")

    approvals.perform(approval.pk)

    shown = f"Pay 5 SEK Code: {approval.code}"
    assert sandbox.calls[0].params | {
        "title-text": "Harbour Bank",
        "authentication-text": shown,
        "sms-text": f"Harbour Bank: {shown}",
        "button-accept-text": "Yes",
        "touch-timeout": "60",
    } == dict(sandbox.calls[0].params)


def test_an_endpoint_of_the_settings_needs_no_row(user, sandbox, settings):
    settings.MAGICLINK_SERVER_URL = sandbox.url
    settings.MAGICLINK_API_KEY = sandbox.api_key
    sandbox.script("accept")
    approval, _ = ask(user)

    approvals.perform(approval.pk)

    assert state(approval) == Status.ACCEPTED
    assert approval.endpoint is None
    assert not ApiKey.objects.exists()


def test_an_endpoint_of_the_settings_needs_a_key(user, sandbox, settings):
    settings.MAGICLINK_SERVER_URL = sandbox.url

    with pytest.raises(NoEndpoint):
        ask(user)


def test_a_request_without_a_code_shows_none(user, endpoint, sandbox):
    sandbox.script("accept")
    approval, _ = ask(user, code="", text="Pay 5 SEK")

    approvals.perform(approval.pk)

    assert approval.code == ""
    assert sandbox.calls[0].params["authentication-text"] == "Pay 5 SEK"
    assert sandbox.calls[0].params["sms-text"] == "Pay 5 SEK"


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        ("accept", (Status.ACCEPTED, "", True)),
        ("reject", (Status.REJECTED, "", True)),
        ("ignore", (Status.NO_ANSWER, "", True)),
        ("undeliverable", (Status.UNDELIVERED, "", True)),
        ("bad_request", (Status.FAILED, "refused", True)),
        ("unknown_code", (Status.FAILED, "unknown_code", False)),
        ("drop", (Status.FAILED, "network", False)),
        ("gateway_timeout", (Status.FAILED, "garbage", False)),
    ],
)
def test_the_slot_is_freed_only_where_the_prompt_is_known_to_be_over(
    user, endpoint, sandbox, answer, expected
):
    sandbox.script(answer)
    approval, _ = ask(user)

    approvals.perform(approval.pk)

    status, kind, freed = expected
    assert state(approval) == status
    assert approval.error_kind == kind
    assert (approval.live_slot is None) == freed


def test_a_call_without_an_answer_leaves_its_kind_with_the_key(user, endpoint, sandbox):
    sandbox.script("drop")
    approval, _ = ask(user)

    approvals.perform(approval.pk)

    approval.refresh_from_db()
    assert (approval.answer_code, approval.http_status) == ("", None)
    assert ApiKey.objects.get().last_result == "network"


def test_a_call_that_never_left_frees_the_slot(user, endpoint, sandbox):
    Endpoint.objects.update(base_url="http://127.0.0.1:9")
    ApiKey(endpoint=Endpoint.objects.get(), name="moved").enter("key")
    approval, _ = ask(user)

    approvals.perform(approval.pk)

    assert state(approval) == Status.FAILED
    assert approval.error_kind == "connect"
    assert approval.live_slot is None


def test_a_call_that_breaks_in_an_unknown_way_grants_nothing(
    user, endpoint, monkeypatch, caplog
):
    def broken(*args, **kwargs):
        raise ZeroDivisionError("+46701740605")

    monkeypatch.setattr("django_magiclink.client.MideyeClient.authenticate", broken)
    approval, _ = ask(user)

    approvals.perform(approval.pk)

    assert state(approval) == Status.FAILED
    assert approval.error_kind == "error"
    assert approval.live_slot is not None
    assert "ZeroDivisionError" in caplog.text
    assert "+46701740605" not in caplog.text


def change_number(settings):
    PhoneNumber.objects.update(number="+46701740699")


def deactivate(settings):
    get_user_model().objects.update(is_active=False)


def orphan(settings):
    # As SQL may, which sends no signals: those would withdraw it first.
    Approval.objects.update(user=None)


def break_lookup(settings):
    settings.MAGICLINK_GET_PHONE_NUMBER = lambda user: {}["number"]


@pytest.mark.parametrize(
    ("change", "kind"),
    [
        (change_number, "no_phone"),
        (deactivate, "inactive"),
        (orphan, "inactive"),
        (break_lookup, "no_endpoint"),
    ],
)
def test_the_user_is_looked_at_again_at_the_last_moment(
    user, endpoint, sandbox, settings, change, kind
):
    approval, _ = ask(user)
    change(settings)

    approvals.perform(approval.pk)

    assert state(approval) == Status.FAILED
    assert approval.error_kind == kind
    assert approval.live_slot is None
    assert sandbox.calls == []


def answer_late(approval, sandbox, meanwhile):
    """Perform ``approval``, and do something while the phone rings."""
    original = sandbox.script
    original("accept")
    steps = []

    def run(step, later=False):
        steps.append(step)
        if len(steps) == 2:
            meanwhile(approval)
        return step()

    approvals.perform(approval.pk, run)
    approval.refresh_from_db()


def test_an_answer_after_a_cancel_is_recorded_and_grants_nothing(
    user, endpoint, sandbox
):
    approval, _ = ask(user)

    answer_late(approval, sandbox, lambda approval: approvals.cancel(approval.pk))

    assert approval.status == Status.CANCELLED
    assert approval.answer_code == "TOUCH_ACCEPTED"
    assert approval.answered
    assert approval.live_slot is None


def test_an_answer_after_the_deadline_is_recorded_and_grants_nothing(
    user, endpoint, sandbox, caplog
):
    approval, _ = ask(user)

    def overdue(approval):
        approval.refresh_from_db()
        pass_time(approval, deadline=71)

    answer_late(approval, sandbox, overdue)

    assert approval.status == Status.EXPIRED
    assert approval.answer_code == "TOUCH_ACCEPTED"
    assert "a late accepted is ignored" in caplog.text


@pytest.mark.covers("R04", "R21", "R28")
@pytest.mark.parametrize(
    ("change", "kind"),
    [(change_number, "no_phone"), (deactivate, "inactive"), (orphan, "inactive")],
)
def test_an_acceptance_grants_nothing_if_the_phone_is_not_the_users_any_more(
    user, endpoint, sandbox, settings, change, kind
):
    approval, _ = ask(user)

    answer_late(approval, sandbox, lambda approval: change(settings))

    assert approval.status == Status.FAILED
    assert approval.error_kind == kind
    assert approval.answer_code == "TOUCH_ACCEPTED"
    assert approval.live_slot is None


def test_of_an_approval_of_nobody_nobody_hears(user):
    approval = Approval.objects.create(status=Status.CONFIRMING, code="12")

    assert approvals.confirm(approval.pk, "12")


def test_cancelling_before_the_call_has_left_frees_the_phone(user, endpoint):
    approval, _ = ask(user)

    assert approvals.cancel(approval.pk)

    assert state(approval) == Status.CANCELLED
    assert approval.live_slot is None
    assert approval.error_kind == ""
    assert not approvals.cancel(approval.pk)


@pytest.mark.parametrize("sent", [False, True])
def test_why_an_approval_was_given_up_is_kept(user, endpoint, sent):
    approval, _ = ask(user)
    if sent:
        Approval.objects.advance(approval.pk, Status.SENT)

    approvals.cancel(approval.pk, "withdrawn")

    assert state(approval) == Status.CANCELLED
    assert approval.error_kind == "withdrawn"


def test_cancelling_a_ringing_prompt_keeps_the_phone_taken(user, endpoint):
    approval, _ = ask(user)
    Approval.objects.advance(approval.pk, Status.SENT)

    assert approvals.cancel(approval.pk)

    with pytest.raises(Limited):
        ask(user)


def test_revoke_ends_grants_and_what_is_still_asked(user):
    rows = {
        status: Approval.objects.create(user=user, status=status) for status in Status
    }

    assert approvals.revoke(user) == 4

    changed = {status for status, row in rows.items() if state(row) != status}
    assert changed == {*UNDECIDED, Status.ACCEPTED}
    assert rows[Status.ACCEPTED].status == Status.REVOKED
    assert rows[Status.SENT].status == Status.CANCELLED


def test_revoke_can_be_held_to_one_session(user):
    here = Approval.objects.create(
        user=user, status=Status.ACCEPTED, session_hash="here"
    )
    there = Approval.objects.create(
        user=user, status=Status.ACCEPTED, session_hash="there"
    )

    assert approvals.revoke(user, "here") == 1

    assert state(here) == Status.REVOKED
    assert state(there) == Status.ACCEPTED


def accepted(user, ago=0, **values):
    return Approval.objects.create(
        user=user,
        status=Status.ACCEPTED,
        binding="b" * 64,
        answered=timezone.now() - timedelta(seconds=ago),
        **values,
    )


@pytest.mark.parametrize(
    ("max_age", "ago", "found"),
    [
        (60, 59, True),
        (60, 61, False),
        (0, 299, True),
        (0, 301, False),
        ("session", 100_000, True),
    ],
)
def test_an_approval_counts_for_as_long_as_the_rule_says(user, max_age, ago, found):
    approval = accepted(user, ago)

    assert approvals.find(wanted(max_age=max_age)) == (approval.pk if found else None)


def test_the_newest_approval_is_found_unless_another_is_asked_for(user):
    older, newer = accepted(user, 5), accepted(user, 1)

    assert approvals.find(wanted()) == newer.pk
    assert approvals.find(wanted(), str(older.pk)) == older.pk
    assert approvals.find(wanted(), "nonsense") == newer.pk


def test_a_single_use_is_used_once(user):
    approval = accepted(user)

    assert approvals.consume(wanted(max_age=0)) == approval.pk
    assert approvals.consume(wanted(max_age=0)) is None

    assert state(approval) == Status.CONSUMED
    assert approval.consumed


def test_a_single_use_may_name_the_approval_that_it_uses(user):
    older, newer = accepted(user, 5), accepted(user, 1)

    assert approvals.consume(wanted(max_age=0), str(older.pk)) == older.pk

    assert (state(older), state(newer)) == (Status.CONSUMED, Status.ACCEPTED)


def test_a_use_that_loses_the_race_is_none(user, monkeypatch):
    approval = accepted(user)
    Approval.objects.advance(approval.pk, Status.CONSUMED)
    monkeypatch.setattr(approvals, "find", lambda *args: approval.pk)

    assert approvals.consume(wanted(max_age=0)) is None


def test_a_use_that_is_too_late_by_the_time_it_is_made_is_none(user, monkeypatch):
    approval = accepted(user, 301)
    monkeypatch.setattr(approvals, "find", lambda *args: approval.pk)

    assert approvals.consume(wanted(max_age=0)) is None
    assert state(approval) == Status.ACCEPTED


def test_a_receiver_that_fails_does_not_bring_a_use_back(user):
    approval = accepted(user)

    def receiver(**kwargs):
        Approval.objects.create(pk=approval.pk)

    approval_changed.connect(receiver)
    used = [approvals.consume(wanted(max_age=0)) for _ in range(3)]
    approval_changed.disconnect(receiver)

    assert used == [approval.pk, None, None]
    assert state(approval) == Status.CONSUMED


def test_a_transaction_that_is_managed_by_hand_is_one(user):
    approval = accepted(user)
    transaction.set_autocommit(False)

    try:
        with pytest.raises(ImproperlyConfigured):
            approvals.consume(wanted(max_age=0))
    finally:
        transaction.rollback()
        transaction.set_autocommit(True)

    assert state(approval) == Status.ACCEPTED


def test_an_answer_while_it_is_revoked_does_not_save_a_grant(user, monkeypatch):
    approval = Approval.objects.create(user=user, status=Status.SENT)

    def answered_meanwhile(pk, kind, by):
        Approval.objects.advance(pk, Status.ACCEPTED)
        return False

    monkeypatch.setattr(endings, "cancel", answered_meanwhile)

    assert approvals.revoke(user) == 1
    assert state(approval) == Status.REVOKED


def test_only_a_recent_approval_with_the_same_text_is_shown_again(user):
    approval = accepted(user, text="Confirm")

    assert approvals.latest(wanted()) == approval
    assert approvals.latest(wanted(text="Other")) is None
    pass_time(approval, created=901)
    assert approvals.latest(wanted()) is None


def test_what_happens_is_signalled(user, endpoint):
    heard = []

    def requested(approval, **kwargs):
        heard.append((approval.pk, "requested"))

    def changed(pk, status, **kwargs):
        heard.append((pk, status))

    approval_requested.connect(requested, sender=Approval)
    approval_changed.connect(changed)
    approval, _ = ask(user)
    Approval.objects.advance(approval.pk, Status.SENT)
    Approval.objects.advance(approval.pk, Status.SENT)
    approval_requested.disconnect(requested, sender=Approval)
    approval_changed.disconnect(changed)

    assert heard == [(approval.pk, "requested"), (approval.pk, Status.SENT)]


def test_an_unknown_job_is_an_error():
    with pytest.raises(Approval.DoesNotExist):
        approvals.perform(uuid.uuid4())
