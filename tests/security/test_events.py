"""One event for each thing that happens, in one clean line."""

import json
import logging
import re
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from django.contrib.auth import get_user_model
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from django_magiclink import approvals, bypasses, events, notices, retention
from django_magiclink.models import ApiKey, Approval, Bypass
from django_magiclink.signals import approval_changed, key_changed, key_expiring
from django_magiclink.status import Status

from ..servers import until
from ..test_lifecycle import ask

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.covers("R51")]

PAGE = Path(__file__).parents[2] / "docs/howto/audit.md"
HOSTILE = 'anna\r\nERROR Approval is accepted\x1b[2J\u202e\u2028 =1"'


class Heard(logging.Handler):
    """Keeps what the formatter makes of each event."""

    def __init__(self):
        super().__init__()
        self.setFormatter(events.JSONFormatter())
        self.lines = []

    def emit(self, record):
        self.lines.append(self.format(record))

    @property
    def events(self):
        return [json.loads(line) for line in self.lines]

    @property
    def names(self):
        return [event["event"] for event in self.events]


@pytest.fixture
def heard():
    handler, logger = Heard(), logging.getLogger("django_magiclink.events")
    before = logger.level
    logger.addHandler(handler)
    logger.setLevel("INFO")
    yield handler
    logger.removeHandler(handler)
    logger.setLevel(before)


@pytest.mark.parametrize(
    ("path", "script", "outcome"),
    [
        ("/payroll/", "accept", "accepted"),
        ("/payroll/", "reject", "rejected"),
        ("/payroll/", "ignore", "no_answer"),
        ("/payroll/", "undeliverable", "undelivered"),
        ("/payroll/", "server_error", "failed"),
    ],
)
def test_each_outcome_is_one_event(
    browser, endpoint, sandbox, heard, path, script, outcome
):
    browser.approve(browser.get(path), sandbox, script)
    # The row is decided a moment before its event.
    until(lambda: outcome in heard.names)

    assert heard.names == ["requested", "sent", outcome]


def test_a_single_use_is_an_event_and_a_window_that_is_open_is_none(
    browser, endpoint, sandbox, heard
):
    browser.approve(browser.get("/once/"), sandbox)
    until(lambda: "accepted" in heard.names)
    browser.get("/once/")
    assert heard.names[2:] == ["accepted", "consumed"]

    heard.lines.clear()
    Approval.objects.update(status=Status.ACCEPTED)
    browser.get("/payroll/")
    assert heard.names == []


def test_a_typed_code_is_two_events(browser, endpoint, sandbox, heard):
    sandbox.script("accept")
    browser.start(browser.get("/typed/"))
    approval = until(lambda: Approval.objects.filter(status=Status.CONFIRMING).first())
    approvals.confirm(approval.pk, approval.code)

    assert heard.names == ["requested", "sent", "confirming", "accepted"]


def test_an_event_says_who_was_asked_what_and_from_where(
    browser, endpoint, sandbox, heard, user
):
    browser.approve(browser.get("/payroll/"), sandbox)
    until(lambda: "accepted" in heard.names)
    approval = Approval.objects.get()

    requested, _sent, accepted = heard.events

    about = {
        "approval": str(approval.pk),
        "user": user.pk,
        "name": "anna",
        "scope": "payroll",
        "endpoint": "sandbox",
        "address": "127.0.0.1",
        "session": approval.session_hash[:8],
    }
    for event in (requested, accepted):
        assert about.items() <= event.items()
        assert datetime.fromisoformat(event["time"]).utcoffset() == UTC.utcoffset(None)
    assert accepted["outcome"] == "accepted"
    assert accepted["answer"] == "TOUCH_ACCEPTED"
    assert 0 <= accepted["duration"] < 60


@pytest.mark.covers("R32")
def test_an_event_holds_no_number_no_key_and_no_whole_hash(
    browser, endpoint, sandbox, heard
):
    browser.approve(browser.get("/payroll/"), sandbox)
    notices.of_phone(get_user_model().objects.get(), get_user_model().objects.get())
    approval = Approval.objects.get()

    secrets = [
        "+46701740605",
        sandbox.api_key,
        approval.binding,
        approval.session_hash,
        approval.number_hash,
    ]
    assert [each for each in secrets for line in heard.lines if each in line] == []


def test_a_refusal_and_a_limit_are_events(browser, endpoint, sandbox, heard):
    refused = browser.get("/session/")
    sandbox.script("manual")
    browser.start(browser.get("/payroll/"))
    until(lambda: "sent" in heard.names)
    heard.lines.clear()

    browser.start(refused)
    [event] = heard.events

    assert event["event"] == "refused"
    assert (event["outcome"], event["limit"]) == ("limited", "live")
    assert event["retry_after"] > 0
    assert event["scope"] == "session"
    assert event["address"] == "127.0.0.1"
    assert event["session"] == Approval.objects.get().session_hash[:8]


def test_what_ends_an_approval_is_an_event(user, endpoint, heard):
    cancelled, _ = ask(user)
    approvals.cancel(cancelled.pk)
    Approval.objects.create(user=user, status=Status.ACCEPTED)
    approvals.revoke(user)
    past = timezone.now() - timedelta(minutes=5)
    Approval.objects.create(status=Status.SENT, deadline=past)
    approvals.expire()

    assert heard.names == ["requested", "cancelled", "revoked", "expired"]


def test_what_staff_end_says_who_did_it(user, heard):
    root = get_user_model().objects.create_superuser("root")
    later = timezone.now() + timedelta(seconds=60)
    Approval.objects.create(user=user, status=Status.SENT, deadline=later)
    granted = Approval.objects.create(user=user, status=Status.ACCEPTED)
    client = Client()
    client.force_login(root)

    client.post(f"/admin/django_magiclink/approval/{granted.pk}/revoke/")

    assert sorted(heard.names) == ["cancelled", "revoked"]
    assert {event["by"] for event in heard.events} == {root.pk}
    assert {event["user"] for event in heard.events} == {user.pk}


def test_what_ends_by_itself_is_by_nobody(user, heard):
    Approval.objects.create(user=user, status=Status.ACCEPTED)

    approvals.revoke(user)

    assert "by" not in heard.events[0]


def test_a_login_without_the_phone_is_allowed_and_ended_in_events(user, heard):
    bypass = Bypass(user=user, reason="The phone was lost.")

    bypasses.allow(bypass, user)
    bypasses.end(Bypass.objects.all(), user)

    made, ended = [each for each in heard.events if each["event"] == "bypass"]
    assert (made["outcome"], ended["outcome"]) == ("allowed", "ended")
    assert (made["by"], made["reason"]) == (user.pk, "The phone was lost.")


def test_a_report_is_one_event(browser, endpoint, sandbox, heard):
    started = browser.start(browser.get("/payroll/"))
    sandbox.reject()
    browser.finish(started)
    until(lambda: "rejected" in heard.names)
    heard.lines.clear()

    browser.post(f"{started.json()['status_url']}report/")

    # The lock that it brings may be heard of too, if the decline is still followed up.
    assert [name for name in heard.names if name != "notice"] == ["reported"]


def test_a_notice_says_what_its_user_is_told(user, heard):
    by = get_user_model().objects.create_superuser("root")
    approval = Approval.objects.create(user=user)

    notices.of_phone(user, by)
    notices.give(user, "locked", until=timezone.now())
    notices.give(user, "accepted_after_failures", approval=approval, failures=3)

    phone, locked, accepted = heard.events
    assert (phone["outcome"], phone["phone"], phone["by"]) == (
        "phone_changed",
        "+46*******05",
        by.pk,
    )
    assert locked["until"].endswith("+00:00")
    assert (accepted["approval"], accepted["failures"]) == (str(approval.pk), 3)
    assert {event["name"] for event in heard.events} == {"anna"}


def test_keys_are_events_without_their_secrets(endpoint, sandbox, heard, user):
    key = ApiKey.objects.get()

    key_changed.send(ApiKey, endpoint=endpoint, key=key, action="entered", user=user)
    key_changed.send(ApiKey, endpoint=endpoint, key=key, action="retired", user=None)
    key_expiring.send(ApiKey, endpoint=endpoint, key=key, days=3)

    assert heard.names == ["key", "key", "key_expiring"]
    assert {event["endpoint"] for event in heard.events} == {"sandbox"}
    assert {event["key"] for event in heard.events} == {str(key.pk)}
    assert heard.events[0]["name"] == "anna"
    assert "name" not in heard.events[1]
    assert [line for line in heard.lines if sandbox.api_key in line] == []


def test_an_export_and_a_purge_are_events(db, heard):
    client = Client()
    client.force_login(get_user_model().objects.create_superuser("root"))
    client.get("/admin/django_magiclink/approval/export/?scope=payroll").getvalue()
    retention.purge()

    exported, purged = heard.events
    assert (exported["event"], exported["name"], exported["rows"]) == (
        "exported",
        "root",
        0,
    )
    assert exported["filters"] == {"scope": "payroll"}
    assert (purged["event"], purged["rows"]) == ("purged", 0)
    assert purged["before"].endswith("+00:00")


def test_a_row_that_is_gone_is_still_an_event(db, heard):
    approval = Approval()

    approval_changed.send(Approval, pk=approval.pk, status=Status.SENT)

    assert heard.names == ["sent"]


def test_who_does_not_listen_pays_no_query(db):
    approval = Approval.objects.create()
    logger = logging.getLogger("django_magiclink.events")
    assert not logger.isEnabledFor(logging.INFO)

    with CaptureQueriesContext(connection) as queries:
        approval_changed.send(Approval, pk=approval.pk, status=Status.SENT)

    assert len(queries) == 0


@pytest.mark.covers("R54", "A60")
def test_what_others_write_stays_within_its_line(user, endpoint, heard, caplog):
    get_user_model().objects.update(username=HOSTILE)
    user.refresh_from_db()
    ask(user)

    assert heard.events[0]["name"] == HOSTILE
    messages = [r.getMessage() for r in caplog.records if r.name.endswith(".events")]
    for line in [*heard.lines, *messages]:
        assert line.isprintable()
    assert messages[0].startswith("time=")
    # No name can pretend to be another field.
    assert 'name="' in messages[0]


@pytest.mark.covers("R54", "A60")
def test_the_formatter_keeps_other_records_to_a_line_too():
    formatter = events.JSONFormatter()
    try:
        raise ValueError(HOSTILE)
    except ValueError:
        broken = sys.exc_info()
    record = logging.LogRecord("x", 40, "", 1, "A %s\r\n", (HOSTILE,), broken)

    line = formatter.format(record)

    assert line.isprintable()
    read = json.loads(line)
    assert (read["logger"], read["level"]) == ("x", "ERROR")
    assert read["message"] == f"A {HOSTILE}\r\n"
    assert "Traceback" in read["exception"]


def test_what_others_call_an_event_is_none_of_ours():
    record = logging.makeLogRecord({"msg": "Hello", "event": "login"})

    line = events.JSONFormatter().format(record)

    assert json.loads(line)["message"] == "Hello"


def test_without_time_zones_an_event_is_in_utc_too(db, heard, settings):
    settings.USE_TZ = False

    events.emit("purged", before=None)

    assert heard.events[0]["time"].endswith("+00:00")


def test_the_formatter_can_be_named_before_there_are_models():
    code = (
        "import sys, django_magiclink.events; print('django.db.models' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)

    assert done.returncode == 0, done.stderr


def test_the_page_has_each_event_and_no_other():
    [table] = re.findall(
        r"\| event \| when \|\n\|---\|---\|\n((?:\|.+\n)+)", PAGE.read_text()
    )
    rows = dict(re.findall(r"^\| `(\w+)` \| (.+) \|$", table, re.M))

    assert rows == events.EVENTS
    assert set(Status) - {Status.PENDING} <= set(events.EVENTS)


def test_only_events_of_the_table_are_written(heard):
    used = re.findall(r'emit\(\s*"(\w+)"', Path(events.__file__).read_text())

    assert set(used) | set(Status) - {Status.PENDING} == set(events.EVENTS)
