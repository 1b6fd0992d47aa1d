"""What holds when more is asked of a site than it can do."""

from collections import Counter
from contextlib import closing, contextmanager

import pytest

from ..servers import Site, until
from ..storms import Letter, start_of, storm

pytestmark = pytest.mark.processes

POOL = 20
WEB = 8
USERS, FEW = 1_000, 61
#: Besides those that wait and gunicorn's: the main thread, and the writer.
MOST_THREADS = POOL + WEB + 4


@pytest.fixture
def sandbox(mideye):
    mideye.script("manual")
    yield mideye
    mideye.reset()


def wait_all(sites, sandbox, folder, users, **environment):
    """Let so many users start at one process; return the answers, and its threads."""
    preparing, database = sites("postgres"), sites.database("postgres")
    visitors = preparing.crowd(users)
    size = {"workers": 1, "threads": WEB, "MAGICLINK_MAX_WAITING": str(POOL)}

    with Site(folder, database, sandbox, **size | environment) as site:
        starts = storm(
            preparing, users, lambda each: start_of(visitors[each], "/once/", site)
        )
        look = Letter(visitors[0], "GET", "/threads/", site=site)

        def act(number):
            answer = starts[number].send()
            return answer.status, int(look.send().text) if number % 20 == 0 else 0

        answers, threads = zip(*storm(site, users, act), strict=True)
        until(lambda: len(sandbox.prompts()) >= POOL)
        print(said := site.said())

    assert "Traceback" not in said
    return Counter(answers), max(threads)


@pytest.mark.covers("R47")
@pytest.mark.needs("postgres")
def test_of_1000_starts_no_more_wait_than_may(sites, sandbox, tmp_path):
    answers, threads = wait_all(sites, sandbox, tmp_path, USERS)

    assert answers == {201: POOL, 503: USERS - POOL}
    assert threads <= MOST_THREADS
    assert len(sandbox.calls) == POOL


@pytest.mark.needs("postgres")
def test_a_dispatcher_without_a_bound_is_found(sites, sandbox, tmp_path):
    path = "tests.planted.Unbounded"

    answers, threads = wait_all(
        sites, sandbox, tmp_path, FEW, MAGICLINK_DISPATCHER=path
    )

    assert answers == {201: FEW}
    assert threads > MOST_THREADS


@contextmanager
def locked(database, kind):
    """Hold the lock of a SQLite file for longer than anybody waits for it."""
    with closing(database.connect()) as connection:
        connection.execute(f"BEGIN {kind}")
        yield
        connection.rollback()


@pytest.fixture
def impatient(sites, sandbox):
    """A site that waits for a lock of SQLite for a short time only."""
    site = sites("sqlite", SQLITE_TIMEOUT="0.3")
    site.said()
    yield site
    # Shown for a test that fails.
    print(site.said())


@pytest.mark.covers("R02", "A51")
@pytest.mark.parametrize("kind", ["IMMEDIATE", "EXCLUSIVE"])
def test_a_locked_database_refuses_a_start_and_a_look(impatient, sandbox, kind):
    visitor = impatient.visitor()
    start = start_of(visitor, "/once/")
    other = impatient.visitor()
    status_url = other.start(other.get("/once/")).json["status_url"]
    until(lambda: sandbox.prompts(other.number))

    with locked(impatient.database, kind):
        refused = start.send()
        look = other.get(status_url)
    after = start.send()
    # Else it would ring in the next test, which counts the calls.
    until(lambda: sandbox.prompts(visitor.number))

    assert (refused.status, refused.json["reason"]) == (503, "busy")
    assert look.status == (200 if kind == "IMMEDIATE" else 503)
    assert after.status == 201


@pytest.mark.covers("R02", "A51")
@pytest.mark.parametrize("kind", ["IMMEDIATE", "EXCLUSIVE"])
def test_a_database_that_is_locked_when_it_is_used_opens_nothing(
    impatient, sandbox, kind
):
    visitor = impatient.visitor()
    visitor.approve("/once/", sandbox)
    runs = impatient.database.count("tests_run")

    with locked(impatient.database, kind):
        uses = {visitor.get("/once/").status for _ in range(3)}

    assert not uses & {200, 204}
    assert impatient.database.count("tests_run") == runs
    assert visitor.get("/once/").status == 200
    assert visitor.get("/once/").status == 401


@pytest.mark.covers("R02", "A51")
def test_a_database_that_is_locked_when_the_answer_comes_grants_nothing(
    impatient, sandbox
):
    visitor = impatient.visitor()
    started = visitor.start(visitor.get("/once/"))
    until(lambda: sandbox.prompts(visitor.number))

    with locked(impatient.database, "IMMEDIATE"):
        sandbox.accept(visitor.number)
        said = until(lambda: lost(impatient))
    status = visitor.get(started.json["status_url"]).json

    assert "is lost: OperationalError" in said
    assert visitor.number not in said
    assert status["status"] == "sent"
    assert visitor.get("/once/").status == 401
    calls = [call for call in sandbox.calls if call.number == visitor.number]
    assert len(calls) == 1


def lost(site):
    said = site.said()
    return said if "is lost" in said else ""
