import threading
import uuid
from concurrent.futures import ThreadPoolExecutor, wait
from datetime import timedelta

import pytest
from django.contrib.auth import get_user_model
from django.utils import timezone

from django_magiclink import recording
from django_magiclink.dispatchers import writer
from django_magiclink.models import Approval, PhoneNumber
from django_magiclink.phones import hash_number
from django_magiclink.recording import Outcome, Recording, record
from django_magiclink.signals import approval_changed
from django_magiclink.status import Status

from .servers import until

NUMBER = "+46701740605"


def rang(**columns):
    """Make an approval whose phone rings, of a user of its own."""
    user = get_user_model().objects.create(username=uuid.uuid4().hex)
    PhoneNumber.objects.create(user=user, number=NUMBER, verified_at=timezone.now())
    later = timezone.now() + timedelta(seconds=60)
    return Approval.objects.create(
        user=user,
        status=Status.SENT,
        number_hash=hash_number(NUMBER),
        live_slot=uuid.uuid4().hex,
        sent=timezone.now(),
        deadline=later,
        **columns,
    )


def answer(approval, status=Status.ACCEPTED, seconds=0):
    """Return the phone's answer, of so many seconds ago."""
    columns = {
        "answer_code": f"TOUCH_{status.upper()}",
        "http_status": 200,
        "error_kind": "",
        "answered": timezone.now() - timedelta(seconds=seconds),
        "live_slot": None,
    }
    return Recording(approval=approval, outcome=Outcome(status=status, columns=columns))


def failure(approval):
    columns = {"answer_code": "", "http_status": None, "error_kind": "timeout"}
    outcome = Outcome(status=Status.FAILED, columns=columns)
    return Recording(approval=approval, outcome=outcome)


def test_each_of_many_answers_is_what_it_would_be_alone(database):
    plain, typed, declined, lost, late, unheard, deactivated = approvals = [
        rang(code_mode="type" if place == 1 else "") for place in range(7)
    ]
    for approval in (late, unheard):
        Approval.objects.advance(approval.pk, Status.CANCELLED)
    get_user_model().objects.filter(pk=deactivated.user_id).update(is_active=False)

    statuses = record(
        [
            answer(plain),
            answer(typed),
            answer(declined, Status.REJECTED),
            failure(lost),
            answer(late),
            failure(unheard),
            answer(deactivated),
        ]
    )

    for approval in approvals:
        approval.refresh_from_db()
    assert statuses == [
        Status.ACCEPTED,
        Status.CONFIRMING,
        Status.REJECTED,
        Status.FAILED,
        None,
        None,
        Status.FAILED,
    ]
    assert [approval.status for approval in approvals] == [
        status or Status.CANCELLED for status in statuses
    ]
    assert [approval.error_kind for approval in approvals] == [
        *[""] * 3,
        "timeout",
        "",
        "",
        "inactive",
    ]
    # Only the phones that have not answered may still do so.
    held = [approval for approval in approvals if approval.live_slot is not None]
    assert held == [lost, unheard]


def test_which_of_several_alike_came_too_late_is_known(database):
    approvals = [rang() for _ in range(4)]
    for approval in approvals[::2]:
        Approval.objects.advance(approval.pk, Status.CANCELLED)

    statuses = record([answer(approval) for approval in approvals])

    assert statuses == [None, Status.ACCEPTED] * 2


def test_each_keeps_the_moment_of_its_own_tap(database):
    answers = [answer(rang(), seconds=seconds) for seconds in range(3)]

    record(answers)

    for one in answers:
        one.approval.refresh_from_db()
        assert one.approval.answered == one.outcome.columns["answered"]


def test_receivers_hear_of_each(db, django_capture_on_commit_callbacks):
    heard, approvals = [], [rang() for _ in range(3)]

    def hear(pk, status, **kwargs):
        heard.append((pk, status))

    approval_changed.connect(hear)
    try:
        with django_capture_on_commit_callbacks(execute=True):
            record([answer(approval) for approval in approvals])
    finally:
        approval_changed.disconnect(hear)

    assert set(heard) == {(approval.pk, Status.ACCEPTED) for approval in approvals}


def waiting(one):
    return sum(map(len, (one._joint, one._single, one._later)))


@pytest.fixture
def held(monkeypatch):
    """Give a writer that is kept busy, a way to let it go on, and what it wrote."""
    written, gate, one = [], threading.Event(), writer._Writer()

    def write(answers):
        names = [answer.approval for answer in answers]
        written.append(names)
        if "broken" in names:
            raise ConnectionError
        return names

    monkeypatch.setattr(recording, "record", write)
    with ThreadPoolExecutor(8) as pool:
        pool.submit(one.run, gate.wait)
        until(lambda: not one._any())

        def run(*steps):
            futures = []
            for count, (step, later) in enumerate(steps, 1):
                futures.append(pool.submit(one.run, step, later))
                until(lambda count=count: waiting(one) == count)
            gate.set()
            wait(futures)
            return futures

        yield run, written


def called(name):
    return Recording(approval=name, outcome=None), False


def test_answers_that_come_while_others_are_written_go_together(held):
    run, written = held

    futures = run(
        (lambda: written.append("later"), True),
        called("first"),
        (lambda: written.append("start"), False),
        called("second"),
    )

    # What nobody waits for is the last, and answers come before starts.
    assert written == [["first", "second"], "start", "later"]
    assert [future.result() for future in futures[1::2]] == ["first", "second"]


def test_an_answer_that_cannot_be_written_costs_no_other_its_own(held, caplog):
    run, written = held

    first, broken, last = run(called("first"), called("broken"), called("last"))

    assert written == [["first", "broken", "last"], ["first"], ["broken"], ["last"]]
    assert (first.result(), last.result()) == ("first", "last")
    assert isinstance(broken.exception(), ConnectionError)
    assert "done singly: ConnectionError" in caplog.text


def test_only_so_many_answers_lock_their_rows_at_a_time(held, monkeypatch):
    monkeypatch.setattr(writer._Writer, "MOST", 2)
    run, written = held

    run(*(called(name) for name in "abc"))

    assert written == [["a", "b"], ["c"]]
