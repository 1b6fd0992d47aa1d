"""27 faults at 6 moments with 20 seeds each: no view runs that was not approved."""

import gc
import logging
import os

import pytest
from django.utils import timezone

from django_magiclink import approvals, client, recording, wanted
from django_magiclink.client import Answer
from django_magiclink.models.moves import ApprovalQuerySet
from django_magiclink.sandbox import Sandbox
from django_magiclink.status import Status

from .faults import BEFORE_START, FAULTS, INFRASTRUCTURE, SERVER, SLOW
from .moments import MOMENTS, HeldDispatcher, Run
from .stage import Stage

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.slow,
    # The runs ask the same phone all the time.
    pytest.mark.usefixtures("unlimited"),
]

SEED = os.environ.get("MAGICLINK_TEST_SEED", "1")
SEEDS = 20


@pytest.fixture(scope="module")
def sandbox():
    with Sandbox() as sandbox:
        yield sandbox


@pytest.fixture(scope="module", autouse=True)
def little_to_collect():
    # All that is loaded by now stays; to look through it takes a tenth of the time.
    gc.collect()
    gc.freeze()
    yield
    gc.unfreeze()


@pytest.fixture
def play(endpoint, sandbox, settings, monkeypatch):
    settings.MAGICLINK_DISPATCHER = f"{HeldDispatcher.__module__}.HeldDispatcher"
    settings.MAGICLINK_TIMEOUT = 15
    # Nobody reads these here, and to format them takes a fifth of the time.
    for name in ("django.request", "django_magiclink"):
        monkeypatch.setattr(logging.getLogger(name), "disabled", True)
    stage = Stage(monkeypatch)

    def play(fault, moment, seeds=SEEDS):
        """Return the runs; what is wrong in one has the seed that shows it again."""
        if fault == "cache down":
            settings.SESSION_ENGINE = "django.contrib.sessions.backends.cached_db"
        strike, runs = INFRASTRUCTURE.get(fault), []
        for number in range(seeds):
            run = Run(
                sandbox,
                moment,
                f"{SEED}-{fault}-{moment}-{number}",
                strike=strike,
                before_start=strike in BEFORE_START,
                play=SERVER.get(fault),
                slow=fault in SLOW,
            )
            stage.play(run)
            runs.append(run)
        return runs

    return play


def wrong(runs):
    return [found for run in runs for found in run.wrong]


def test_there_are_3240_runs():
    assert (len(FAULTS), len(MOMENTS), SEEDS) == (27, 6, 20)


@pytest.mark.covers("R01", "R02", "R03", "R04", "R05", "R12", "R21", "R45")
@pytest.mark.covers("A06", "A08", "A15", "A36", "A38", "A44", "A46", "A47")
@pytest.mark.parametrize("moment", MOMENTS)
@pytest.mark.parametrize("fault", FAULTS)
def test_no_fault_at_any_moment_opens_a_view(play, fault, moment):
    assert wrong(play(fault, moment)) == []


@pytest.mark.parametrize("moment", MOMENTS)
def test_without_a_fault_each_approved_view_runs(play, moment):
    runs = play("none", moment)

    approved = [run.truth == "accept" and "cancel" not in run.acts for run in runs]
    assert wrong(runs) == []
    assert [run.visits > 0 for run in runs] == approved
    assert sum(approved) > 4


def take_any_answer(monkeypatch):
    def accept(code, http_status):
        return Answer(
            code=code,
            http_status=http_status,
            status=Status.ACCEPTED,
            documented=True,
            error_kind="",
        )

    monkeypatch.setattr(client, "_interpret", accept)


def take_late_answers(monkeypatch):
    advance = ApprovalQuerySet.advance_all

    def advance_at_any_time(rows, pks, target, **options):
        if target == Status.ACCEPTED:
            columns = {"status": target, "answered": timezone.now()}
            return pks if rows.filter(pk__in=pks).update(**columns) else []
        return advance(rows, pks, target, **options)

    monkeypatch.setattr(ApprovalQuerySet, "advance_all", advance_at_any_time)
    # It looks at the phone once more, which would keep this defect from mattering.
    monkeypatch.setattr(recording, "_refusals", lambda pks: {})


def use_twice(monkeypatch):
    monkeypatch.setattr(approvals, "consume", approvals.find)


def bind_to_nothing(monkeypatch):
    monkeypatch.setattr(wanted, "bind", lambda *, scope, **parts: scope)


@pytest.mark.parametrize(
    ("plant", "fault", "moment"),
    [
        (take_any_answer, "wrong case", "answer read"),
        (take_any_answer, "accepted with 500", "waiting"),
        (take_late_answers, "clock step", "saving"),
        (take_late_answers, "phone changed", "answer read"),
        (use_twice, "process dies", "resume"),
        (bind_to_nothing, "session flushed", "resume"),
        (bind_to_nothing, "password changed", "waiting"),
    ],
)
def test_a_planted_defect_is_seen(play, monkeypatch, plant, fault, moment):
    plant(monkeypatch)

    found = wrong(play(fault, moment))

    assert found[0].startswith("a view ran that nobody had approved (seed ")
