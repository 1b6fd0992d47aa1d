"""What is purged when, and what never is."""

import os
import subprocess
import sys
import threading
from datetime import timedelta
from io import StringIO

import django
import pytest
import time_machine
from celery import Celery
from celery.contrib.testing.worker import start_worker
from celery.signals import setup_logging
from django.core.management import CommandError, call_command
from django.db import connection, connections
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from django_magiclink import approvals, limits, retention
from django_magiclink.models import Approval
from django_magiclink.schedule import celery as celery_tasks
from django_magiclink.schedule import tasks
from django_magiclink.signals import approvals_purged
from django_magiclink.status import UNDECIDED, Status

from ..servers import ROOT, PostgreSQL, surroundings
from ..test_lifecycle import wanted

ENDED = sorted(set(Status) - UNDECIDED - {Status.ACCEPTED})
PERSONAL = {
    "user_name": "anna",
    "masked_number": "+46*******05",
    "address": "192.0.2.7",
    "user_agent": "Firefox",
    "text": "Pay Bo",
}

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.covers("R55", "A61"),
]


def make(days, **values):
    """Return an approval that was asked for so many days ago, and is over."""
    created = timezone.now() - timedelta(days=days)
    past = dict.fromkeys(["created", "start_by", "deadline", "live_until"], created)
    return Approval.objects.create(**past | values)


def grant(user, days, **values):
    return make(days, status=Status.ACCEPTED, user=user, **values)


def decline(user, ago, times=1, **values):
    """Return an approval of a user who has declined so often, so long ago."""
    at = timezone.now() - ago
    ended = dict.fromkeys(["created", "sent", "answered", "deadline", "live_until"], at)
    whose = {"user": user, "number_hash": "a" * 64, "status": Status.REJECTED}
    for _ in range(times):
        Approval.objects.create(**whose | ended | values)
    return Approval(user=user, number_hash="a" * 64)


def make_many(count, days, **values):
    created = timezone.now() - timedelta(days=days)
    past = dict.fromkeys(["created", "start_by", "deadline", "live_until"], created)
    Approval.objects.bulk_create(Approval(**past | values) for _ in range(count))


def left():
    return set(Approval.objects.values_list("pk", flat=True))


@pytest.fixture
def purges():
    """What the signal told."""
    told = []

    def receive(sender, rows, before, **kwargs):
        told.append(rows)

    approvals_purged.connect(receive)
    yield told
    approvals_purged.disconnect(receive)


@pytest.mark.parametrize("status", ENDED)
def test_what_has_ended_goes_when_it_is_too_old(status, settings):
    settings.MAGICLINK_RETENTION_DAYS = 10
    make(11, status=status)
    kept = make(9, status=status)

    assert retention.purge() == 1

    assert left() == {kept.pk}


@pytest.mark.parametrize("status", sorted(UNDECIDED))
def test_what_is_still_asked_stays_however_old_it_is(status):
    far = timezone.now() + timedelta(seconds=60)
    live = make(40, status=status, deadline=far)
    make(40, status=status)

    assert retention.purge() == 1

    assert left() == {live.pk}


def test_what_still_holds_a_phone_stays():
    far = timezone.now() + timedelta(seconds=60)
    held = {"status": Status.CANCELLED, "live_slot": "x", "live_until": far}
    live = make(40, **held)
    make(40, **held | {"live_slot": "y", "live_until": timezone.now() - timedelta(2)})
    make(40, **held | {"live_slot": None})

    assert retention.purge() == 2

    assert left() == {live.pk}


def test_what_a_guard_would_let_pass_stays_and_goes_on_to(user):
    kept = grant(
        user,
        300,
        binding="b" * 64,
        answered=timezone.now() - timedelta(days=300),
        **PERSONAL,
    )

    assert retention.purge() == 0

    year = wanted(max_age=366 * 86400)
    assert approvals.find(year) == kept.pk
    assert approvals.find(wanted(max_age="session")) == kept.pk
    assert approvals.revoke(user) == 1


def test_of_an_old_grant_only_the_personal_data_goes(user):
    old = grant(user, 31, scope="payroll", **PERSONAL)
    recent = grant(user, 29, **PERSONAL)

    retention.purge()

    old.refresh_from_db()
    recent.refresh_from_db()
    assert {getattr(old, name) for name in PERSONAL} == {""}
    assert (old.status, old.scope) == (Status.ACCEPTED, "payroll")
    assert {name: getattr(recent, name) for name in PERSONAL} == PERSONAL


def test_a_grant_that_no_window_reaches_goes(user):
    grant(user, 368)
    kept = grant(user, 365)

    assert retention.purge() == 1

    assert left() == {kept.pk}


def test_a_site_with_short_windows_keeps_no_old_grants(user):
    grant(user, 31)

    assert retention.purge(grants=1) == 1


def test_what_nobody_can_use_any_more_is_no_grant(user):
    kept = grant(user, 31)
    make(31, status=Status.ACCEPTED)

    assert retention.purge() == 1

    assert left() == {kept.pk}


@pytest.mark.covers("R08", "A25")
def test_a_purge_lifts_no_lock(user, settings):
    settings.MAGICLINK_LIMITS = {"lock_seconds": 7 * 86400}
    next_one = decline(user, timedelta(days=4), times=3, **PERSONAL)
    before = limits.locked_until(next_one)

    assert retention.purge(days=3) == 0

    assert before
    assert limits.locked_until(next_one) == before
    assert {getattr(Approval.objects.first(), name) for name in PERSONAL} == {""}


@pytest.mark.covers("R56")
def test_a_purge_lifts_no_lock_of_a_report(user):
    reported = timezone.now() - timedelta(minutes=6)
    next_one = decline(user, timedelta(days=1, minutes=5), reported=reported)
    before = limits.locked_until(next_one)

    retention.purge(days=1)

    assert before
    assert limits.locked_until(next_one) == before


def test_what_can_lock_nothing_any_more_goes(user, settings):
    settings.MAGICLINK_LIMITS = {"lock_seconds": 7 * 86400}
    decline(user, timedelta(days=16))
    decline(user, timedelta(days=4), sent=None)
    decline(user, timedelta(days=4), status=Status.CONSUMED)

    assert retention.purge(days=3) == 3


def test_a_clock_a_day_ahead_harms_nothing_that_is_live(user):
    soon = timezone.now() + timedelta(seconds=30)
    asked = [make(0, status=status, deadline=soon) for status in UNDECIDED]
    held = make(0, status=Status.FAILED, live_slot="x", live_until=soon)
    opening = grant(user, 365.5)
    recent = make(28, status=Status.REJECTED)

    with time_machine.travel(timezone.now() + timedelta(days=1), tick=False):
        retention.purge()
        retention.purge(days=1)

    live = {approval.pk for approval in [*asked, held, opening]}
    assert left() >= live
    assert recent.pk not in left()


def test_nothing_is_kept_for_less_than_a_day():
    make(2)

    with pytest.raises(ValueError, match="a day at least"):
        retention.purge(days=0)

    assert len(left()) == 1


def test_it_goes_in_batches_each_in_a_transaction_of_its_own():
    make_many(25, 40, status=Status.REJECTED)
    retention.tidy()

    with CaptureQueriesContext(connection) as queries:
        deleted = retention.purge(batch=10)

    sql = [query["sql"] for query in queries]
    assert deleted == 25
    of_approvals = 'DELETE FROM "django_magiclink_approval"'
    assert len([each for each in sql if each.startswith(of_approvals)]) == 3
    assert len([each for each in sql if each.startswith("BEGIN")]) == 5


def test_who_kills_it_midway_can_start_it_again(monkeypatch, purges):
    make_many(25, 40, status=Status.REJECTED)
    live = make(40, status=Status.SENT, deadline=timezone.now() + timedelta(60))
    delete = retention._delete

    def killed(rows):
        if len(left()) < 10:
            raise KeyboardInterrupt
        return delete(rows)

    with monkeypatch.context() as patch:
        patch.setattr(retention, "_delete", killed)
        with pytest.raises(KeyboardInterrupt):
            retention.purge(batch=10)
    assert len(left()) == 6

    assert retention.purge(batch=10) == 5

    assert left() == {live.pk}
    assert retention.purge() == 0
    assert purges == [20, 5, 0]


def test_two_at_once_delete_all_and_nothing_twice(user):
    make_many(300, 40, status=Status.REJECTED)
    kept = grant(user, 40)
    deleted = []

    def run():
        try:
            deleted.append(retention.purge(batch=7))
        finally:
            connections.close_all()

    threads = [threading.Thread(target=run) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    retention.purge()
    assert left() == {kept.pk}
    assert sum(deleted) <= 300


MADE = """
from datetime import timedelta
from django.utils import timezone
from django_magiclink.models import Approval
from django.contrib.auth import get_user_model
anna = get_user_model().objects.create_user("anna")
old = timezone.now() - timedelta(days=40)
times = dict.fromkeys(["created", "deadline", "live_until"], old)
for status, count in [("rejected", 3000), ("accepted", 100)]:
    Approval.objects.bulk_create(
        Approval(status=status, user=anna, text="Pay Bo", **times) for _ in range(count)
    )
"""


@pytest.mark.processes
@pytest.mark.needs("postgres")
def test_two_processes_share_the_work_on_postgresql():
    with PostgreSQL() as database:
        django = [sys.executable, "-m", "django"]
        environment = os.environ | surroundings(database)
        shell = [*django, "shell", "-c", MADE]
        subprocess.run(shell, env=environment, check=True, cwd=ROOT)

        purge = [*django, "magiclink_purge", "--batch=20"]
        options = {"env": environment, "stdout": subprocess.PIPE, "cwd": ROOT}
        processes = [subprocess.Popen(purge, text=True, **options) for _ in range(2)]
        said = [process.communicate(timeout=90)[0] for process in processes]

        deleted = [int(each.split()[0]) for each in said]
        assert sum(deleted) == 3000
        assert database.count("django_magiclink_approval WHERE text = ''") == 100
        assert database.count("django_magiclink_approval") == 100


@pytest.mark.covers("R51")
def test_each_purge_is_told(purges, caplog, user):
    caplog.set_level("INFO", "django_magiclink")
    make(40, status=Status.REJECTED)
    grant(user, 40, **PERSONAL)

    retention.purge()

    assert purges == [1]
    [line] = [each for each in caplog.messages if "were deleted" in each]
    assert line.startswith("1 approvals from before ")
    assert line.endswith(" were deleted, and 1 blanked.")


def command(name, *options):
    said = StringIO()
    call_command(name, *options, stdout=said)
    return said.getvalue().strip()


def test_the_command_purges(user):
    make_many(3, 40, status=Status.REJECTED)
    make(20, status=Status.REJECTED)
    grant(user, 40)

    dry = command("magiclink_purge", "--dry-run")
    assert len(left()) == 5

    assert dry == "3 approvals would be deleted."
    assert command("magiclink_purge", "--batch", "2") == "3 approvals were deleted."
    assert command("magiclink_purge", "--days", "10") == "1 approvals were deleted."
    assert command("magiclink_purge", "--grants=1") == "1 approvals were deleted."


@pytest.mark.parametrize(
    ("option", "said"),
    [
        ("--days=0", "a day at least"),
        ("--days=9999999", "long ago"),
        ("--grants=9999999", "long ago"),
        ("--grants=-1", "no less than 0"),
        ("--batch=0", "one row at least"),
        ("--batch=-1", "one row at least"),
    ],
)
def test_the_command_says_what_cannot_be(option, said, purges):
    make(40, status=Status.REJECTED)

    with pytest.raises(CommandError, match=said):
        command("magiclink_purge", option)

    assert len(left()) == 1
    assert purges == []


def test_the_command_marks_what_nobody_finished():
    overdue = make(1, status=Status.SENT)

    assert command("magiclink_expire") == "1 approvals have expired."

    overdue.refresh_from_db()
    assert overdue.status == Status.EXPIRED


@pytest.mark.parametrize("name", ["magiclink_expire", "magiclink_purge"])
def test_the_commands_run_without_time_zones(name, settings):
    settings.USE_TZ = False
    make(40, status=Status.SENT)

    assert command(name).startswith("1 approvals ")


@pytest.fixture
def celery():
    app = Celery("tests", set_as_current=True)
    app.conf.update(
        broker_url="memory://",
        result_backend="cache+memory://",
        worker_redirect_stdouts=False,
    )
    app.set_default()

    def leave_logging_alone(**kwargs):
        """With a receiver, Celery does not set up that of the whole process."""

    setup_logging.connect(leave_logging_alone)
    yield app
    setup_logging.disconnect(leave_logging_alone)


def test_a_celery_worker_purges_and_expires(celery):
    make(40, status=Status.REJECTED)
    make(1, status=Status.SENT)
    assert celery_tasks.purge.name == "django_magiclink.purge"

    with start_worker(celery, pool="solo", perform_ping_check=False):
        purged = celery.send_task("django_magiclink.purge", kwargs={"days": 30})
        expired = celery.send_task("django_magiclink.expire")

        assert purged.get(timeout=60) == 1
        assert expired.get(timeout=60) == 1

    assert list(Approval.objects.values_list("status", flat=True)) == [Status.EXPIRED]


def test_a_task_of_the_tasks_framework_purges_and_expires(settings):
    framework = "django" if django.VERSION >= (6, 0) else "django_tasks"
    places = {"django": "django.tasks", "django_tasks": "django_tasks"}
    backend = f"{places[framework]}.backends.immediate.ImmediateBackend"
    settings.TASKS = {"default": {"BACKEND": backend}}
    make(40, status=Status.REJECTED)
    make(1, status=Status.SENT)

    purged, expired = tasks.purge.enqueue(days=30), tasks.expire.enqueue()

    assert (purged.return_value, expired.return_value) == (1, 1)
    assert list(Approval.objects.values_list("status", flat=True)) == [Status.EXPIRED]
