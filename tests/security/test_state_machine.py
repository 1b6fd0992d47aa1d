"""20,000 steps in any order, after each of which the app is as it must be."""

import pytest
from hypothesis import Phase, seed
from hypothesis import settings as options
from hypothesis.stateful import run_state_machine_as_test

from django_magiclink import transport
from django_magiclink.conf import DEFAULT_LIMITS

from .. import views
from .cast import ANSWERS, LISTED
from .machine import OFTEN, Machine
from .plants import PLANTS, nothing_rests
from .world import KeptJobs, fetch

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.slow,
    pytest.mark.covers("R01", "R03", "R04", "R05", "R06", "R07"),
    pytest.mark.covers("R08", "R12", "R21", "R44", "R45"),
]

#: What must have happened, or the steps would show little.
MUST_HAPPEN = {
    "guarded: ran",
    "guarded: cleared",
    "guarded: to be approved",
    "guarded: login",
    "guarded: no_phone",
    "guarded: no_endpoint",
    "open: ran",
    *(f"start: {reason}" for reason in ("new", "joined", "limited", "busy")),
    *(f"start: {reason}" for reason in ("expired", "inactive", "no_phone")),
    "start: no_endpoint",
    "report: True",
    "report: False",
    *(f"answer: {name}" for name in ANSWERS),
    *(" > ".join(move) for move in LISTED),
}

#: Runs from one seed. Those of one resemble each other, so several seeds see more; and
#: the constants of whichever modules are imported have a part in what a seed brings.
ROUND = 15


@pytest.fixture
def play(monkeypatch, settings, caplog):
    caplog.set_level("CRITICAL")
    monkeypatch.setattr(transport.Call, "fetch", fetch)
    monkeypatch.setattr(
        views, "ran", lambda *args: Machine.world_of_today.ran_view(*args)
    )
    settings.MAGICLINK_DISPATCHER = f"{KeptJobs.__module__}.KeptJobs"
    Machine.happened.clear()

    def go(at, limits=False, **changes):
        monkeypatch.setattr(Machine, "limits", limits)
        settings.MAGICLINK_LIMITS = {} if limits else dict.fromkeys(DEFAULT_LIMITS)
        often = options(OFTEN, max_examples=ROUND, stateful_step_count=100, **changes)
        run_state_machine_as_test(seed(at)(Machine), settings=often)

    return go


def test_whatever_happens_the_app_does_as_it_must(play):
    happened = Machine.happened
    for at in range(30):
        play(at, limits=at % 4 == 3)
        if happened["steps"] >= 20_000 and happened.keys() >= MUST_HAPPEN:
            break

    print()
    for what, times in sorted(happened.items()):
        print(f"{times:7} {what}")
    assert happened["steps"] >= 20_000
    assert MUST_HAPPEN - happened.keys() == set()


@pytest.mark.parametrize("plant", PLANTS)
def test_a_planted_defect_is_found(play, monkeypatch, plant):
    plant(monkeypatch)

    with pytest.raises(AssertionError):
        for at in range(10):
            play(at, limits=plant is nothing_rests, phases=[Phase.generate])
