"""What holds when a process, the database or the whole site ends in the middle."""

import os
import signal
import time
from collections import Counter
from contextlib import ExitStack, suppress
from http.client import HTTPException
from random import Random
from threading import Event

import pytest

from ..servers import PostgreSQL, Site, until
from ..storms import storm

NEEDS = pytest.mark.needs("postgres")
pytestmark = [pytest.mark.processes, NEEDS]

#: Waits that a SIGTERM meets, and workers that are killed.
WAITS, KILLS = 20, 100
#: So many kills at least must have met a phone that rings.
FEW = 10


@pytest.fixture
def sandbox(mideye):
    mideye.script("manual")
    yield mideye
    mideye.reset()


@pytest.fixture
def site(sites, sandbox):
    site = sites("postgres")
    site.said()
    return site


def pass_time(site, seconds, visitors):
    """Let all times of what the visitors ask for lie further back."""
    moved = ", ".join(
        f"{name} = {name} - interval '{seconds} seconds'"
        for name in ("start_by", "deadline", "live_until")
    )
    names = ", ".join(f"'{visitor.name}'" for visitor in visitors)
    site.database.query(
        f"UPDATE django_magiclink_approval SET {moved} WHERE user_id IN "
        f"(SELECT id FROM auth_user WHERE username IN ({names})) RETURNING id"
    )


def kill(site, back=1):
    """Kill the process that took the latest start, or one before it."""
    with suppress(ProcessLookupError):
        os.kill(site.took()[-back], signal.SIGKILL)


@pytest.mark.covers("R48", "R49", "A43")
def test_a_killed_worker_leaves_no_grant_and_no_second_ring(site, sandbox):
    visitor = site.visitor()
    refused = visitor.get("/once/")
    started = visitor.start(refused).json
    until(lambda: sandbox.prompts(visitor.number))

    kill(site)
    sandbox.accept(visitor.number)
    waiting = visitor.get(started["status_url"]).json
    joined = visitor.start(refused)
    # Nobody listens to the phone for 60 s and 10 s of grace.
    pass_time(site, 69, [visitor])
    ringing = visitor.get(started["status_url"]).json
    pass_time(site, 2, [visitor])
    over = visitor.get(started["status_url"]).json
    calls = len(sandbox.calls)
    resting = visitor.start(refused)
    pass_time(site, 30, [visitor])
    again = visitor.start(refused)
    until(lambda: len(sandbox.calls) == 2)

    assert (waiting["status"], joined.status) == ("sent", 200)
    assert (ringing["status"], ringing["final"]) == ("sent", False)
    assert (over["status"], over["final"]) == ("expired", True)
    assert calls == 1
    assert (resting.status, again.status) == (429, 201)
    assert visitor.get("/once/").status == 401


@pytest.mark.covers("R48", "R49", "A43")
def test_100_workers_killed_at_random_moments_grant_nothing_and_ring_once(
    site, sandbox
):
    visitors = site.crowd(KILLS)
    refused = storm(site, KILLS, lambda each: visitors[each].get("/once/"), lines=8)
    random, moment, statuses = Random(43), Event(), []
    sandbox.script("accept", delay=0.3)

    def act(number):
        # Its process may be killed for another's sake.
        with suppress(OSError, HTTPException):
            statuses.append(visitors[number].start(refused[number]).status)
        moment.wait(random.random() * 0.4)
        kill(site, random.randint(1, 2))

    storm(site, KILLS, act, lines=3)
    killed = len(sandbox.calls)
    # One that has rung is joined or in the way.
    again = {until(lambda one=one: ask_again(one)) for one in visitors}
    until(lambda: all(call.code for call in sandbox.calls))
    undecided = "a.status IN ('pending', 'sent')"
    pass_time(site, 71, visitors)
    granted = [one for one in visitors if one.approvals("a.status = 'accepted'")]
    lost = [one for one in visitors if one.approvals(undecided)]
    passed = [one for one in visitors if one.get("/once/").status == 200]

    assert set(statuses) == {201}
    assert again <= {200, 201, 429}
    assert max(Counter(call.number for call in sandbox.calls).values()) == 1
    assert passed == granted
    assert len(lost) > FEW
    assert killed > FEW


@pytest.mark.covers("R02", "A44")
def test_a_database_that_is_down_when_the_answer_comes_grants_nothing(
    sandbox, tmp_path
):
    with ExitStack() as running:
        database = running.enter_context(PostgreSQL())
        # Else each thread's next request would still try the connection that broke.
        address = f"{database.url}&conn_health_checks=true"
        site = Site(tmp_path, database, sandbox, DATABASE_URL=address)
        running.enter_context(site)
        visitor = site.visitor()
        refused = visitor.get("/once/")
        started = visitor.start(refused).json
        until(lambda: sandbox.prompts(visitor.number))
        database.down()
        sandbox.accept(visitor.number)
        said = until(lambda: lost(site))
        database.up()
        status = visitor.get(started["status_url"]).json
        use = visitor.get("/once/").status
        pass_time(site, 71, [visitor])
        over = visitor.get(started["status_url"]).json
        # After what went unanswered a phone rests.
        pass_time(site, 30, [visitor])
        visitor.approve("/once/", sandbox)
        after = visitor.get("/once/").status

    assert "is lost: OperationalError" in said
    assert visitor.number not in said
    assert (status["status"], use) == ("sent", 401)
    assert over["status"] == "expired"
    assert after == 200


def lost(site):
    said = site.said()
    return said if "is lost" in said else ""


@pytest.mark.covers("R48", "A48")
def test_every_worker_of_a_preloaded_site_rings_phones(site, sandbox):
    before = len(site.took())

    def all_have_served():
        site.visitor().approve("/once/", sandbox)
        return len(set(site.took()[before:])) == site.WORKERS

    until(all_have_served)

    assert len(sandbox.calls) == len(site.took()) - before


@pytest.mark.covers("A48")
def test_a_dispatcher_that_forgets_the_fork_is_found(sites, sandbox, tmp_path):
    database, path = sites.database("postgres"), "tests.planted.Unforked"

    with Site(tmp_path, database, sandbox, MAGICLINK_DISPATCHER=path) as site:
        visitor = site.visitor()
        started = visitor.start(visitor.get("/once/"))
        with pytest.raises(TimeoutError):
            sandbox.wait_for_calls(1, within=2)

    assert started.status == 201


@pytest.mark.covers("R48", "A49")
def test_a_site_with_20_waits_ends_within_10_seconds_and_marks_them(
    sites, sandbox, tmp_path
):
    with Site(tmp_path, sites.database("postgres"), sandbox) as site:
        visitors = site.crowd(WAITS)
        started = [visitor.start(visitor.get("/once/")) for visitor in visitors]
        until(lambda: len(sandbox.prompts()) == WAITS)

        begin = time.monotonic()
        site.process.send_signal(signal.SIGTERM)
        site.process.wait(30)
        seconds = time.monotonic() - begin

    # The phone still rings, so nobody else may let it.
    marked = "a.status = 'failed' AND a.error_kind = 'restart' AND a.live_slot <> ''"
    assert [one.approvals(marked) for one in visitors] == [1] * WAITS
    for visitor in visitors:
        sandbox.accept(visitor.number)
    pass_time(site, 71, visitors)
    assert {answer.status for answer in started} == {201}
    assert seconds <= 10
    assert len(sandbox.calls) == WAITS
    assert not any(one.approvals("a.status = 'accepted'") for one in visitors)


def ask_again(visitor):
    """Return the status of a start, now that nobody is killed any more."""
    with suppress(OSError, HTTPException):
        refused = visitor.get("/once/")
        return 200 if refused.status == 200 else visitor.start(refused).status
