import os
import threading
import uuid

import pytest
from django.db import connection, connections

from django_magiclink import approvals
from django_magiclink.dispatchers import BaseDispatcher, writer
from django_magiclink.dispatchers.thread import ThreadDispatcher
from django_magiclink.exceptions import Busy
from django_magiclink.models import Approval
from django_magiclink.status import Status

from .servers import until
from .test_lifecycle import ask, state

pytestmark = pytest.mark.django_db(transaction=True)


def waiting():
    return [one for one in threading.enumerate() if "magiclink-wait" in one.name]


def test_the_call_is_made_in_the_background(user, endpoint, sandbox):
    sandbox.script("manual")

    approval, _ = ask(user, ThreadDispatcher().dispatch)

    sandbox.wait_for_calls(1)
    assert state(approval) == Status.SENT
    sandbox.accept()
    until(lambda: state(approval) == Status.ACCEPTED)


def test_the_caller_waits_with_the_immediate_dispatcher(
    browser, endpoint, sandbox, settings
):
    settings.MAGICLINK_DISPATCHER = (
        "django_magiclink.dispatchers.immediate.ImmediateDispatcher"
    )
    sandbox.script("accept")

    started = browser.start(browser.get("/payroll/"))

    assert started.json()["status"] == "accepted"
    assert browser.get("/payroll/").status_code == 200


def test_no_more_wait_than_may(user, endpoint, sandbox, settings):
    settings.MAGICLINK_MAX_WAITING = 1
    sandbox.script("manual")
    dispatcher = ThreadDispatcher()
    first, _ = ask(user, dispatcher.dispatch)
    sandbox.wait_for_calls(1)

    with pytest.raises(Busy):
        dispatcher.dispatch(first.pk)
    sandbox.accept()
    until(lambda: not waiting())
    dispatcher.dispatch(first.pk)
    until(lambda: not waiting())

    assert len(sandbox.calls) == 1


@pytest.mark.covers("R10", "A28")
@pytest.mark.parametrize(("most", "strangers"), [(1, 1), (4, 2)])
def test_strangers_fill_no_more_than_half_of_it(monkeypatch, settings, most, strangers):
    settings.MAGICLINK_MAX_WAITING = most
    gate = threading.Event()
    monkeypatch.setattr(approvals, "perform", lambda pk, run: gate.wait(60))
    dispatcher = ThreadDispatcher()
    for _ in range(strangers):
        dispatcher.dispatch_of_stranger(uuid.uuid4())

    with pytest.raises(Busy):
        dispatcher.dispatch_of_stranger(uuid.uuid4())
    for _ in range(most - strangers):
        dispatcher.dispatch(uuid.uuid4())
    with pytest.raises(Busy):
        dispatcher.dispatch(uuid.uuid4())
    gate.set()
    until(lambda: not waiting())
    # Who is done makes room.
    dispatcher.dispatch_of_stranger(uuid.uuid4())
    until(lambda: not waiting())


def test_a_system_without_threads_to_spare_is_busy(user, endpoint, monkeypatch):
    dispatcher = ThreadDispatcher()
    started = threading.Thread.start

    def start(self):
        if "magiclink-wait" in self.name:
            raise RuntimeError("can't start new thread")
        started(self)

    monkeypatch.setattr(threading.Thread, "start", start)

    for _ in range(3):
        approval, _ = ask(user, dispatcher.dispatch)
        assert state(approval) == Status.FAILED
        assert approval.error_kind == "busy"


def test_a_forked_process_starts_its_own_threads(monkeypatch):
    dispatcher = ThreadDispatcher()
    before = dispatcher._of_this_process(), writer._of_this_process()
    assert before == (dispatcher._of_this_process(), writer._of_this_process())

    monkeypatch.setattr(os, "getpid", lambda: -1)

    assert dispatcher._of_this_process() is not before[0]
    assert writer._of_this_process() is not before[1]


def test_a_database_that_is_down_loses_the_answer_and_grants_nothing(
    user, endpoint, sandbox, monkeypatch, caplog, unlimited
):
    def down(*args, **kwargs):
        raise ConnectionError("+46701740605")

    dispatcher = ThreadDispatcher()
    sandbox.script("accept")
    with monkeypatch.context() as patch:
        patch.setattr("django_magiclink.recording.record", down)
        approval, _ = ask(user, dispatcher.dispatch)
        until(lambda: not waiting())

    assert state(approval) == Status.SENT
    assert "is lost: ConnectionError" in caplog.text
    assert "+46701740605" not in caplog.text
    Approval.objects.update(live_slot=None, deadline=approval.created)
    again, _ = ask(user, dispatcher.dispatch)
    until(lambda: state(again) == Status.ACCEPTED)


def test_waiting_threads_open_no_connection(user, endpoint, sandbox, monkeypatch):
    used = set()
    monkeypatch.setattr(writer, "_writer", None)
    original = connections["default"].__class__.connect

    def connect(self):
        used.add(threading.current_thread().name)
        original(self)

    monkeypatch.setattr(connections["default"].__class__, "connect", connect)
    sandbox.script("accept")
    approval, _ = ask(user, ThreadDispatcher().dispatch)
    until(lambda: state(approval) == Status.ACCEPTED)

    assert "magiclink-writer" in used
    assert not [name for name in used if "wait" in name]


def test_the_writer_gives_its_connection_back_when_it_is_idle(monkeypatch):
    closed = threading.Event()
    monkeypatch.setattr(writer._Writer, "IDLE", 0.01)
    monkeypatch.setattr(writer.connections, "close_all", closed.set)
    one = writer._Writer()

    assert one.run(connection.is_usable) is not None

    assert closed.wait(5)
    assert one.run(lambda: 5) == 5


def test_the_writer_goes_on_when_a_connection_does_not_close(monkeypatch, caplog):
    def broken():
        raise ConnectionError

    monkeypatch.setattr(writer.connections, "close_all", broken)
    one = writer._Writer()

    with pytest.raises(ZeroDivisionError):
        one.run(lambda: 1 / 0)

    assert one.run(lambda: 5) == 5
    assert "did not close: ConnectionError" in caplog.text


def test_perform_runs_its_steps_where_it_is_told(user, endpoint, sandbox):
    sandbox.script("accept")
    approval, _ = ask(user)
    steps = []

    def run(step, later=False):
        steps.append((step, later))
        return step()

    approvals.perform(approval.pk, run)

    # The claim, the answer, and what follows it.
    assert [later for _, later in steps] == [False, False, True]


def test_a_dispatcher_of_a_project_keeps_no_room_unless_it_wants_to():
    taken = []

    class Own(BaseDispatcher):
        dispatch = staticmethod(taken.append)

    Own().dispatch_of_stranger("an id")

    assert taken == ["an id"]


def test_a_dispatcher_of_a_project_says_nothing_unless_it_wants_to():
    assert BaseDispatcher().check() == []


@pytest.fixture
def waiters():
    return ThreadDispatcher()._of_this_process()


def test_a_process_that_ends_marks_what_it_waits_for(user, endpoint, sandbox):
    sandbox.script("manual")
    dispatcher = ThreadDispatcher()
    sent, _ = ask(user, dispatcher.dispatch)
    sandbox.wait_for_calls(1)

    dispatcher._of_this_process()._give_up()

    row = Approval.objects.get(pk=sent.pk)
    assert (row.status, row.error_kind) == (Status.FAILED, "restart")
    # Its phone may still ring.
    assert row.live_slot is not None


def test_what_was_never_sent_keeps_no_number(user, endpoint, sandbox):
    pending, _ = ask(user, lambda pk: None)

    approvals.interrupt([pending.pk])

    row = Approval.objects.get(pk=pending.pk)
    assert (row.status, row.live_slot) == (Status.FAILED, None)


def test_a_child_that_ends_leaves_its_parents_waits(waiters, monkeypatch):
    monkeypatch.setattr(approvals, "interrupt", pytest.fail)
    waiters.process = os.getpid() - 1

    waiters._give_up()


def test_marks_that_fail_are_a_line_in_the_log(waiters, monkeypatch, caplog):
    def fail(pks):
        raise RuntimeError("with what is in a row")

    monkeypatch.setattr(approvals, "interrupt", fail)

    waiters._give_up()

    assert "0 approvals are lost: RuntimeError" in caplog.messages
