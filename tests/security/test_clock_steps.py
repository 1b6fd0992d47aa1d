"""A machine's clock is set forward or back while approvals live."""

from contextlib import ExitStack
from datetime import timedelta

import pytest
import time_machine
from django.utils import timezone

from django_magiclink import approvals
from django_magiclink.models import Approval
from django_magiclink.status import Status

from ..test_lifecycle import answer_late, ask, wanted

pytestmark = [pytest.mark.covers("R06"), pytest.mark.django_db(transaction=True)]
HOUR = timedelta(hours=1)


@pytest.fixture
def step():
    """Set the clock, by a time, for the rest of the test."""
    with ExitStack() as stack:
        yield lambda by: stack.enter_context(time_machine.travel(timezone.now() + by))


def test_an_answer_after_the_clock_went_forward_grants_nothing(
    user, endpoint, sandbox, step
):
    approval, _ = ask(user)

    answer_late(approval, sandbox, lambda approval: step(HOUR))

    assert approval.status == Status.EXPIRED
    assert approval.answer_code == "TOUCH_ACCEPTED"
    assert approval.live_slot is None


def test_an_answer_after_the_clock_went_back_is_taken(user, endpoint, sandbox, step):
    approval, _ = ask(user)

    answer_late(approval, sandbox, lambda approval: step(-HOUR))

    assert approval.status == Status.ACCEPTED


@pytest.mark.parametrize("path", ["/payroll/", "/session/", "/once/"])
def test_a_clock_that_went_back_makes_no_old_approval_young(
    browser, endpoint, sandbox, step, path, runs
):
    browser.approve(browser.get(path), sandbox)

    step(-HOUR)

    assert browser.get(path).status_code == 401
    assert runs() == []


def test_nor_one_that_is_used_at_that_moment(user, endpoint, sandbox, step):
    sandbox.script("accept")
    sought = wanted(max_age=0)
    approval, _ = approvals.request(sought, user=user, dispatch=approvals.perform)
    found = approvals.find(sought)

    step(-HOUR)

    fresh = sought.granting()
    assert found == approval.pk
    assert not Approval.objects.advance(found, Status.CONSUMED, where=fresh)


def test_clocks_of_two_machines_may_differ_a_little(browser, endpoint, sandbox, step):
    browser.approve(browser.get("/payroll/"), sandbox)

    step(timedelta(seconds=-30))

    assert browser.get("/payroll/").status_code == 200
