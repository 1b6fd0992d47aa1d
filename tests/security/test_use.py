"""How often and how long an approval lets a request pass."""

from datetime import timedelta

import pytest
import time_machine
from django.utils import timezone

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.mark.covers("R06")
def test_a_window_stays_open_for_its_time(browser, endpoint, sandbox, runs):
    browser.approve(browser.get("/payroll/"), sandbox)

    with time_machine.travel(timezone.now() + timedelta(seconds=58)):
        assert browser.get("/payroll/").status_code == 200
    with time_machine.travel(timezone.now() + timedelta(seconds=61)):
        assert browser.get("/payroll/").status_code == 401


@pytest.mark.covers("R05", "A05")
@pytest.mark.parametrize(
    "url", ["/once/", "/asynchronous/", "/inline/", "/class_based/"]
)
def test_a_single_use_lets_one_request_pass(browser, endpoint, sandbox, runs, url):
    assert browser.approve(browser.post(url), sandbox)["status"] == "accepted"

    codes = [browser.post(url).status_code for _ in range(3)]

    assert codes == [200, 401, 401]
    assert runs() == [url.strip("/")]


@pytest.mark.covers("R06")
def test_a_single_use_must_be_used_within_300_seconds(browser, endpoint, sandbox):
    browser.approve(browser.get("/once/"), sandbox)

    with time_machine.travel(timezone.now() + timedelta(seconds=301)):
        assert browser.get("/once/").status_code == 401


@pytest.mark.covers("R29")
def test_a_speculative_request_uses_nothing_up(browser, endpoint, sandbox, runs):
    browser.approve(browser.get("/once/"), sandbox)

    prefetched = browser.get("/once/", headers={"Sec-Purpose": "prefetch"})

    assert prefetched.status_code == 401
    assert browser.get("/once/").status_code == 200


@pytest.mark.covers("R05", "A05")
def test_a_use_is_committed_before_the_view_runs(
    browser, endpoint, sandbox, runs, atomic_requests, tmp_path
):
    url = f"/crash/?note={tmp_path / 'note'}"
    browser.approve(browser.get(url), sandbox)

    with pytest.raises(RuntimeError, match="the view broke"):
        browser.get(url)

    assert browser.get(url).status_code == 401
    assert (tmp_path / "note").read_text() == "ran\n"
    # What the view itself wrote was in the transaction that ATOMIC_REQUESTS opens.
    assert runs() == []
