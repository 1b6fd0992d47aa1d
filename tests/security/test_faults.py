"""Whatever the server does, the view runs only after an answer that is one."""

import logging
from datetime import timedelta

import pytest

from django_magiclink import client, transport
from django_magiclink.models import ApiKey, Approval, Endpoint
from django_magiclink.sandbox import FAULTS
from django_magiclink.status import UNDECIDED

from ..conftest import NUMBER
from ..servers import until

pytestmark = [
    pytest.mark.django_db(transaction=True),
    # What they are about would seldom be reached.
    pytest.mark.usefixtures("unlimited"),
]

HTML = {"Accept": "text/html"}


@pytest.fixture(autouse=True)
def impatient(monkeypatch):
    # So that a server that never ends is given up on within the test.
    monkeypatch.setattr(client, "GRACE", -14.0)


@pytest.mark.covers("R01", "R02", "R40", "A08", "A36")
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


@pytest.mark.covers("R01", "A39")
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


@pytest.mark.covers("R38")
def test_the_time_a_call_may_take_is_bounded():
    assert transport.CONNECT_TIMEOUT <= 5


@pytest.mark.covers("R07", "A38")
def test_a_gateway_that_gives_up_early_leaves_the_phone_taken(
    browser, endpoint, sandbox
):
    Endpoint.objects.update(timeout=180)

    status = browser.approve(browser.get("/payroll/"), sandbox, "gateway_timeout")

    assert status["status"] == "failed"
    approval = Approval.objects.get()
    assert approval.live_slot is not None
    assert timedelta(seconds=180) <= approval.live_until - approval.sent
    again = browser.start(browser.get("/default/"))
    assert (again.status_code, again.json()["reason"]) == (429, "limited")
    assert 170 < again.json()["retry_after"] <= 190
    assert len(sandbox.calls) == 1

    over = approval.live_until - timedelta(seconds=200)
    Approval.objects.update(live_until=over)
    assert browser.start(browser.get("/default/")).status_code == 201


@pytest.mark.covers("R40", "A39b")
def test_a_server_that_refuses_20_times_is_asked_20_times_and_alarms_nobody(
    browser, endpoint, sandbox, runs, caplog, mailoutbox
):
    caplog.set_level(logging.DEBUG)

    for asked in range(1, 21):
        status = browser.approve(browser.get("/payroll/"), sandbox, "bad_request")
        assert status["message"] == "The approval service refused the request."
        assert len(sandbox.calls) == asked

    assert runs() == []
    # It is written when nothing else is to be written.
    assert until(lambda: ApiKey.objects.get().last_result) == "BAD_REQUEST"
    assert not mailoutbox
    assert not [each for each in caplog.records if each.levelno >= logging.ERROR]
    assert "error refused" in caplog.text
    assert sandbox.api_key not in caplog.text
    assert NUMBER[1:] not in caplog.text


def broken(*args, **options):
    url = f"https://mideye.example.com:8443/api/sfwa/auth?msisdn=%2B{NUMBER[1:]}"
    raise RuntimeError(f"GET {url} failed: Connection refused")


@pytest.mark.covers("R43", "A39c")
@pytest.mark.parametrize("where", ["authenticate", "_ask", "_prepare"])
def test_an_error_of_the_client_shows_a_fixed_text_and_nothing_of_itself(
    browser, endpoint, sandbox, monkeypatch, caplog, where
):
    refused = browser.get("/payroll/")
    monkeypatch.setattr(client.MideyeClient, "check", lambda self: None)
    monkeypatch.setattr(client.MideyeClient, where, broken)

    status = browser.approve(refused, sandbox)
    page = browser.get("/payroll/", headers=HTML)

    fixed = "The approval could not be asked for."
    assert status["message"] == fixed
    assert fixed in page.text
    assert Approval.objects.get().error_kind == "error"
    assert "The call broke: RuntimeError" in caplog.text
    shown = "".join([str(status), page.text, caplog.text])
    for quoted in ("mideye.example", "8443", "msisdn", NUMBER[1:], "Connection"):
        assert quoted not in shown
    for ours in ("Traceback", "RuntimeError", sandbox.url):
        assert ours not in page.text


@pytest.mark.covers("A40")
@pytest.mark.parametrize("timeout", [14, 301, "abc", -1])
def test_a_timeout_of_the_site_that_mideye_refuses_is_never_sent(
    browser, endpoint, sandbox, settings, timeout
):
    settings.MAGICLINK_TIMEOUT = timeout
    browser.raise_request_exception = False

    started = browser.start(browser.get("/payroll/"))

    if started.status_code == 201:
        assert browser.finish(started)["status"] == "failed"
    assert not sandbox.calls


@pytest.mark.covers("R37", "R42", "A41", "A42")
@pytest.mark.parametrize(
    "row",
    [
        {"base_url": "http://169.254.169.254"},
        {"base_url": "file:///etc/passwd"},
        {"base_url": "https://user:pw@127.0.0.1"},
        {"base_url": "https://127.0.0.1/?x"},
        {"endpoint_name": "../../admin"},
        {"endpoint_name": "a?msisdn=%2B1"},
        {"endpoint_name": "a/b"},
        {"endpoint_name": "%2e%2e"},
    ],
)
def test_what_stands_in_a_row_already_is_looked_at_again_before_the_call(
    browser, endpoint, sandbox, row
):
    refused = browser.get("/payroll/")
    Endpoint.objects.update(**row)

    started = browser.start(refused)

    assert (started.status_code, started.json()["reason"]) == (403, "no_endpoint")
    assert not Approval.objects.exists()
    assert not sandbox.calls
