"""What the log tells: the lines by which an operator finds out what happened."""

import pytest
from django.contrib.auth import get_user_model
from django.test import RequestFactory

from django_magiclink import approvals
from django_magiclink.exceptions import Limited, NoEndpoint, NoPhone
from django_magiclink.models import Approval, PhoneNumber
from django_magiclink.status import Status

from .test_lifecycle import answer_late, ask

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def lines(caplog):
    caplog.set_level("INFO", "django_magiclink")
    return lambda: [
        record.getMessage()
        for record in caplog.records
        if record.name == "django_magiclink"
    ]


def test_the_life_of_an_approval_is_in_the_log(user, endpoint, sandbox, lines):
    sandbox.script("accept")
    approval, _ = ask(user)

    approvals.perform(approval.pk)

    assert lines() == [
        f"Approval {approval.pk} of scope payroll is requested by user {user.pk}.",
        f"Approval {approval.pk} is sent, error -.",
        f"Approval {approval.pk} is accepted, error -.",
    ]


def test_a_refusal_is_in_the_log_with_its_reason(user, endpoint, lines):
    PhoneNumber.objects.all().delete()

    with pytest.raises(NoPhone):
        ask(user)

    assert lines() == [f"User {user.pk} is refused scope payroll: no_phone."]


def test_a_limit_is_in_the_log_with_its_name(user, endpoint, lines):
    ask(user)

    with pytest.raises(Limited):
        ask(user, binding="c" * 64)

    assert lines()[-1] == f"User {user.pk} is refused scope payroll: limited, live."


def test_an_endpoint_that_cannot_be_used_is_in_the_log_with_the_cause(
    user, endpoint, settings, lines
):
    settings.MAGICLINK_FIELD_KEYS = []

    with pytest.raises(NoEndpoint):
        ask(user)

    found, _refusal = lines()
    assert found.startswith("Endpoint 'sandbox' cannot be used: ")
    assert "MAGICLINK_FIELD_KEYS" in found


def test_a_dispatcher_that_fails_is_in_the_log(user, endpoint, lines):
    def dispatch(pk):
        raise ConnectionError

    approval, _ = ask(user, dispatch)

    assert lines()[1:] == [
        f"Approval {approval.pk}: ConnectionError",
        f"Approval {approval.pk} is failed, error dispatch.",
    ]


def test_what_is_not_sent_is_in_the_log(user, endpoint, lines):
    approval, _ = ask(user)
    get_user_model().objects.update(is_active=False)

    approvals.perform(approval.pk)

    assert f"Approval {approval.pk} is not sent: Inactive" in lines()


def test_a_call_that_breaks_is_in_the_log(user, endpoint, monkeypatch, lines):
    def broken(*args, **kwargs):
        raise ZeroDivisionError

    monkeypatch.setattr("django_magiclink.client.MideyeClient.authenticate", broken)
    approval, _ = ask(user)

    approvals.perform(approval.pk)

    assert "The call broke: ZeroDivisionError" in lines()


def test_an_answer_that_is_ignored_is_in_the_log(user, endpoint, sandbox, lines):
    approval, _ = ask(user)

    answer_late(approval, sandbox, lambda approval: approvals.cancel(approval.pk))

    assert f"Approval {approval.pk}: a late accepted is ignored." in lines()


def test_what_the_user_had_not_asked_for_is_in_the_log(user, client, lines):
    approval = Approval.objects.create(user=user, status=Status.REJECTED)
    request = RequestFactory().post("/")
    request.session = client.session

    approvals.report(approval, request)

    assert lines() == [f"Approval {approval.pk} was not asked for by user {user.pk}."]
