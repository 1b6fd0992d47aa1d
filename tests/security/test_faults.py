"""Whatever the server does, the view runs only after an answer that is one."""

import pytest

from django_magiclink import client, transport
from django_magiclink.models import Approval
from django_magiclink.sandbox import FAULTS
from django_magiclink.status import UNDECIDED

pytestmark = pytest.mark.django_db(transaction=True)

HTML = {"Accept": "text/html"}


@pytest.fixture(autouse=True)
def impatient(monkeypatch):
    # So that a server that never ends is given up on within the test.
    monkeypatch.setattr(client, "GRACE", -14.0)


@pytest.mark.parametrize("fault", FAULTS)
def test_no_fault_of_the_server_opens_a_view(browser, endpoint, sandbox, runs, fault):
    endpoint.timeout = 15
    endpoint.save()
    status = browser.approve(browser.post("/once/", {"a": "1"}), sandbox, fault)

    page = browser.post("/once/", {"a": "1"}, headers=HTML)

    assert status["status"] == "failed"
    assert status["final"]
    assert page.status_code == 401
    assert 'data-state="ended"' in page.text
    assert status["message"] in page.text
    assert "Ask again" in page.text
    assert Approval.objects.get().status not in UNDECIDED
    assert runs() == []
    assert len(sandbox.calls) == 1


@pytest.mark.parametrize("answer", ["reject", "ignore", "undeliverable"])
def test_no_answer_but_acceptance_opens_a_view(
    browser, endpoint, sandbox, runs, answer
):
    browser.approve(browser.post("/once/"), sandbox, answer)

    assert browser.post("/once/").status_code == 401
    assert runs() == []


def test_the_harness_would_see_a_view_that_runs(browser, endpoint, sandbox, runs):
    browser.approve(browser.post("/once/"), sandbox, "accept")

    assert browser.post("/once/").status_code == 200
    assert runs() == ["once"]


def test_the_time_a_call_may_take_is_bounded():
    assert transport.CONNECT_TIMEOUT <= 5
