"""What holds when real processes and threads meet at one real database."""

from collections import Counter
from contextlib import ExitStack
from functools import cache

import pytest

from django_magiclink.sandbox import Sandbox

from .servers import Peak, PostgreSQL, Site, SQLite, until

pytestmark = pytest.mark.processes

REPEATS = 200
STARTS = 300
WAITS = 100
DELIVERIES = 5
#: So many are enough to find a planted defect, and where 300 have passed already.
FEW = 20
#: One for each thread of the web and one for each process's waits, at both sites. Those
#: that were closed a moment ago are counted too.
MOST_CONNECTIONS = 2 * Site.WORKERS * (Site.THREADS + 1) + 5
POSTGRES = pytest.param("postgres", marks=pytest.mark.needs("postgres"))


@pytest.fixture(scope="module")
def mideye():
    with Sandbox() as sandbox:
        yield sandbox


@pytest.fixture(scope="module")
def sites(mideye, tmp_path_factory):
    """What starts the site that a test asks for, unless it runs already."""
    with ExitStack() as running:

        @cache
        def database(kind):
            if kind == "postgres":
                return running.enter_context(PostgreSQL())
            return running.enter_context(SQLite(tmp_path_factory.mktemp("sqlite")))

        @cache
        def site(kind, atomic):
            folder = tmp_path_factory.mktemp("site")
            return running.enter_context(Site(folder, database(kind), mideye, atomic))

        yield site


@pytest.fixture(params=["sqlite", POSTGRES])
def kind(request):
    return request.param


@pytest.fixture
def atomic():
    """ATOMIC_REQUESTS of the site."""
    return False


@pytest.fixture
def sandbox(mideye):
    mideye.script("manual")
    yield mideye
    mideye.reset()


@pytest.fixture
def site(sites, kind, atomic, sandbox):
    site = sites(kind, atomic)
    site.said()
    yield site
    said = site.said()
    # Shown for a test that fails.
    print(said)
    assert "is lost" not in said


@pytest.fixture
def visitor(site):
    return site.visitor()


@pytest.fixture
def runs(site):
    """How many bodies of views have run since the test began."""
    before = site.database.count("tests_run")
    return lambda: site.database.count("tests_run") - before


def statuses(answers):
    return Counter(answer.status for answer in answers)


def all_decided(visitor):
    undecided = "a.status IN ('pending', 'sent', 'confirming')"
    return until(lambda: visitor.approvals(undecided) == 0)


def repeat(times, visitor, path):
    return statuses(visitor.site.together(times, lambda number: visitor.get(path)))


def test_of_200_parallel_repeats_one_runs(site, visitor, runs, sandbox):
    visitor.approve("/count/", sandbox)

    answers = repeat(REPEATS, visitor, "/count/")

    assert answers == {200: 1, 401: REPEATS - 1}
    assert runs() == 1
    assert visitor.approvals("a.status = 'consumed'") == 1


def test_parallel_repeats_find_a_guard_that_looks_first(site, visitor, runs, sandbox):
    visitor.approve("/count/", sandbox)

    answers = repeat(FEW, visitor, "/planted_use/")

    assert answers[200] > 1
    assert runs() == answers[200]


@pytest.mark.parametrize("atomic", [True])
def test_of_200_parallel_repeats_one_runs_also_when_it_crashes(
    site, visitor, runs, sandbox, tmp_path
):
    note = tmp_path / "note"
    path = f"/crash/?note={note}"
    visitor.approve(path, sandbox)

    answers = repeat(REPEATS, visitor, path)

    assert answers == {500: 1, 401: REPEATS - 1}
    assert note.read_text() == "ran\n"
    # What the view did is taken back, that it was approved is not.
    assert runs() == 0
    assert visitor.approvals("a.status = 'consumed'") == 1


@pytest.mark.parametrize("atomic", [True])
def test_parallel_repeats_find_a_use_that_a_crash_takes_back(
    site, visitor, sandbox, tmp_path
):
    note = tmp_path / "note"
    visitor.approve("/count/", sandbox)

    answers = repeat(FEW, visitor, f"/planted_crash/?note={note}")

    assert answers == {500: FEW}
    assert note.read_text() == "ran\n" * FEW


def test_300_parallel_starts_ring_once(site, visitor, sandbox):
    refused = visitor.get("/once/")

    answers = site.together(STARTS, lambda number: visitor.start(refused))

    assert statuses(answers) == {201: 1, 200: STARTS - 1}
    assert len({answer.json["id"] for answer in answers}) == 1
    sandbox.accept(visitor.number, within=60)
    all_decided(visitor)
    assert len(sandbox.calls) == 1
    assert visitor.approvals() == visitor.approvals("a.status = 'accepted'") == 1


def test_parallel_starts_find_one_without_the_slot(site, visitor, sandbox):
    refused = visitor.get("/once/")

    answers = site.together(
        FEW, lambda number: visitor.start(refused, "/planted_start/")
    )

    assert statuses(answers)[201] > 1
    until(lambda: len(sandbox.prompts(visitor.number)) == statuses(answers)[201])


def test_sessions_and_users_who_share_a_phone_ring_it_once(site, sandbox):
    first = site.visitor()
    visitors = [first, first.elsewhere(), site.visitor(number=first.number)]
    refused = [visitor.get("/once/") for visitor in visitors]

    def start(number):
        who = number % len(visitors)
        return who, visitors[who].start(refused[who])

    answers = site.together(FEW * len(visitors), start)

    each = [
        statuses(answer for who, answer in answers if who == one)
        for one in range(len(visitors))
    ]
    assert each.count({201: 1, 200: FEW - 1}) == 1
    assert each.count({429: FEW}) == len(visitors) - 1
    limited = [answer.json for _, answer in answers if answer.status == 429]
    assert {problem["reason"] for problem in limited} == {"limited"}
    assert all(1 <= problem["retry_after"] <= 100 for problem in limited)
    sandbox.accept(first.number, within=60)
    for visitor in visitors:
        all_decided(visitor)
    assert len(sandbox.calls) == 1


def test_the_first_tabs_of_an_older_session_share_one_approval(site, sandbox):
    visitor = site.visitor(older="yes")

    answers = site.together(FEW, lambda number: visitor.start(visitor.get("/once/")))

    assert statuses(answers) == {201: 1, 200: FEW - 1}
    sandbox.accept(visitor.number, within=60)
    all_decided(visitor)
    assert len(sandbox.calls) == 1
    assert repeat(FEW, visitor, "/once/") == {200: 1, 401: FEW - 1}


def deliver(visitor, view, sandbox):
    """Deliver one job several times at once, and once more when all is over."""
    path = f"/{view}/{visitor.get('/queue/').text}/"
    sandbox.script("accept", delay=0.2)
    answers = visitor.site.together(DELIVERIES, lambda number: visitor.get(path))
    return statuses([*answers, visitor.get(path)])


def test_a_job_that_is_delivered_again_does_not_ring_again(site, visitor, sandbox):
    assert deliver(visitor, "deliver", sandbox) == {200: DELIVERIES + 1}

    assert len(sandbox.calls) == 1
    assert visitor.approvals("a.status = 'accepted'") == 1


def test_deliveries_find_a_claim_that_looks_first(site, visitor, sandbox):
    assert deliver(visitor, "planted_delivery", sandbox) == {200: DELIVERIES + 1}

    assert len(sandbox.calls) > 1


def all_ring(visitors, sandbox):
    ringing = {prompt.number for prompt in sandbox.prompts()}
    return ringing >= {visitor.number for visitor in visitors}


@pytest.mark.parametrize("kind", [POSTGRES])
def test_100_waits_hold_no_connection(site, sandbox):
    visitors = site.together(WAITS, lambda number: site.visitor())
    refused = site.together(WAITS, lambda each: visitors[each].get("/once/"))
    accepted = "django_magiclink_approval WHERE status = 'accepted'"
    before = site.database.count(accepted)

    with Peak(site.database) as peak:
        answers = site.together(WAITS, lambda each: visitors[each].start(refused[each]))
        until(lambda: all_ring(visitors, sandbox))
        until(lambda: site.database.held()[1] == 0)
        assert all_ring(visitors, sandbox)
        for visitor in visitors:
            sandbox.accept(visitor.number)
        until(lambda: site.database.count(accepted) == before + WAITS)

    assert statuses(answers) == {201: WAITS}
    assert 0 < peak.connections <= MOST_CONNECTIONS


@pytest.mark.parametrize("kind", [POSTGRES])
def test_connections_that_waits_hold_are_seen(site, sandbox):
    planted = MOST_CONNECTIONS + 5
    visitors = site.together(planted, lambda number: site.visitor())

    with Peak(site.database) as peak:
        site.together(planted, lambda each: visitors[each].get("/planted_wait/"))
        until(lambda: all_ring(visitors, sandbox))
        until(lambda: site.database.held()[1] == planted)

    assert peak.connections > MOST_CONNECTIONS
