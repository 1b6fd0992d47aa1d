"""What holds when real processes and threads meet at one real database."""

from collections import Counter

import pytest

from ..servers import Peak, Site, until
from ..storms import start_of, storm

pytestmark = pytest.mark.processes

REPEATS = 200
WAITS = 100
DELIVERIES = 5
#: So many are enough to find a planted defect, and where 300 have passed already.
FEW = 20
#: One for each thread of the web and one for each process's waits, at both sites. Those
#: that were closed a moment ago are counted too.
MOST_CONNECTIONS = 2 * Site.WORKERS * (Site.THREADS + 1) + 5
NEEDS = pytest.mark.needs("postgres")
POSTGRES = pytest.param("postgres", marks=NEEDS)
ATOMIC = pytest.param({"ATOMIC_REQUESTS": "True"}, id="atomic")


@pytest.fixture(params=["sqlite", POSTGRES])
def kind(request):
    return request.param


@pytest.fixture
def options():
    """What is special about the site."""
    return {}


@pytest.fixture
def sandbox(mideye):
    mideye.script("manual")
    yield mideye
    mideye.reset()


@pytest.fixture
def site(sites, kind, options, sandbox):
    site = sites(kind, **options)
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


@pytest.mark.covers("R05")
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


@pytest.mark.covers("R05")
@pytest.mark.parametrize("options", [ATOMIC])
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


@pytest.mark.parametrize("options", [ATOMIC])
def test_parallel_repeats_find_a_use_that_a_crash_takes_back(
    site, visitor, sandbox, tmp_path
):
    note = tmp_path / "note"
    visitor.approve("/count/", sandbox)

    answers = repeat(FEW, visitor, f"/planted_crash/?note={note}")

    assert answers == {500: FEW}
    assert note.read_text() == "ran\n" * FEW


@pytest.mark.covers("R07", "A24")
@pytest.mark.parametrize(
    ("kind", "starts", "workers", "threads"),
    [
        pytest.param("sqlite", 1_000, Site.WORKERS, Site.THREADS, id="sqlite"),
        # One thread each, so that sixteen processes share the work evenly.
        pytest.param("postgres", 10_000, 16, 1, marks=NEEDS, id="postgres"),
    ],
)
def test_a_flood_of_starts_rings_once(
    sites, sandbox, tmp_path, kind, starts, workers, threads
):
    size = {"workers": workers, "threads": threads}
    # The prompt must ring for longer than a busy machine takes.
    size |= {"MAGICLINK_TIMEOUT": "300"}

    with Site(tmp_path, sites.database(kind), sandbox, **size) as site:
        visitor = site.visitor()
        start = start_of(visitor, "/once/")
        answers = storm(site, starts, lambda number: start.send())
        sandbox.accept(visitor.number)
        all_decided(visitor)

    assert statuses(answers) == {201: 1, 200: starts - 1}
    assert len({answer.json["id"] for answer in answers}) == 1
    assert len(set(site.took())) == workers
    assert len(sandbox.calls) == 1
    assert visitor.approvals() == visitor.approvals("a.status = 'accepted'") == 1


def test_parallel_starts_find_one_without_the_slot(site, visitor, sandbox):
    refused = visitor.get("/once/")

    answers = site.together(
        FEW, lambda number: visitor.start(refused, "/planted_start/")
    )

    assert statuses(answers)[201] > 1
    until(lambda: len(sandbox.prompts(visitor.number)) == statuses(answers)[201])


@pytest.mark.covers("R07")
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


@pytest.mark.covers("R05", "R07")
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


@pytest.mark.covers("R45", "A47")
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


@pytest.mark.covers("R46", "A50")
@pytest.mark.parametrize("kind", [POSTGRES])
def test_100_waits_hold_no_connection(site, sandbox):
    visitors = site.crowd(WAITS)
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
    visitors = site.crowd(planted)

    with Peak(site.database) as peak:
        site.together(planted, lambda each: visitors[each].get("/planted_wait/"))
        until(lambda: all_ring(visitors, sandbox))
        until(lambda: site.database.held()[1] == planted)

    assert peak.connections > MOST_CONNECTIONS
