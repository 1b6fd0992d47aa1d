"""A phone is asked for what is committed, and for nothing else."""

import pytest
from django.db import transaction

from django_magiclink.dispatchers.thread import ThreadDispatcher
from django_magiclink.models import Approval

from ..test_lifecycle import ask

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.mark.covers("R44")
def test_a_request_is_dispatched_once_it_is_committed(user, endpoint):
    dispatched = []

    with transaction.atomic():
        approval, joined = ask(user, dispatched.append)
        assert dispatched == []

    assert dispatched == [approval.pk]
    assert not joined


@pytest.mark.covers("R44", "A45")
def test_a_request_that_is_rolled_back_rings_no_phone(user, endpoint):
    dispatched = []

    with pytest.raises(ZeroDivisionError), transaction.atomic():
        ask(user, dispatched.append)
        raise ZeroDivisionError

    assert dispatched == []
    assert not Approval.objects.exists()


@pytest.mark.covers("R44", "A46")
def test_a_queue_that_is_down_is_told_at_once_and_can_be_asked_again(
    browser, endpoint, sandbox, monkeypatch
):
    def down(*args):
        raise ConnectionError("redis is down")

    refused = browser.get("/payroll/")
    with monkeypatch.context() as patch:
        patch.setattr(ThreadDispatcher, "dispatch", down)
        answer = browser.start(refused)

    assert answer.status_code == 503
    approval = Approval.objects.get()
    assert (approval.status, approval.error_kind) == ("failed", "dispatch")
    assert browser.approve(refused, sandbox)["status"] == "accepted"
    assert len(sandbox.calls) == 1


@pytest.mark.covers("R44")
def test_a_start_is_outside_of_the_transaction_of_the_request(
    browser, endpoint, sandbox, atomic_requests
):
    refused = browser.get("/payroll/")

    assert browser.approve(refused, sandbox)["status"] == "accepted"
