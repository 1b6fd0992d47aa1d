"""Pages that wait are told by an event stream: real servers, databases and Chromium."""

import asyncio
import http.client
import signal
import time
from contextlib import ExitStack, contextmanager

import pytest
from django.core import signing

from .servers import LISTENING, PATIENCE, Site, until

pytestmark = [pytest.mark.processes, pytest.mark.needs("postgres")]

#: A site whose middleware gets between a stream and its page, if it can.
HOSTILE = {
    "server": "uvicorn",
    "MORE_MIDDLEWARE": "django.middleware.gzip.GZipMiddleware,"
    "tests.views.UserOfEachRequest",
}
#: Connections of a process: its writer's, its watcher's, and the one that listens.
OWN = 3
CROWD = 1000
#: As many approvals again as there are numbers, like the one that waits.
COPY = """
    INSERT INTO django_magiclink_approval
    SELECT (jsonb_populate_record(a, jsonb_build_object(
        'id', gen_random_uuid(), 'live_slot', NULL,
        'deadline', now() + interval '10 minutes'))).*
    FROM django_magiclink_approval AS a, generate_series(1, {times})
    WHERE a.id = '{id}' RETURNING id
"""


@pytest.fixture
def sandbox(mideye):
    mideye.script("manual")
    yield mideye
    mideye.reset()


@pytest.fixture(params=["postgres", "sqlite"])
def site(request, sites, sandbox):
    return sites(request.param, **HOSTILE)


@pytest.fixture
def postgres(sites, sandbox):
    return sites("postgres", **HOSTILE)


class Stream:
    """What a page hears."""

    def __init__(self, visitor, url):
        address = ("127.0.0.1", visitor.site.port)
        self._connection = http.client.HTTPConnection(*address, timeout=PATIENCE)
        accepted = {"Accept": "text/event-stream", "Accept-Encoding": "gzip"}
        self._connection.request("GET", url, headers=visitor.headers | accepted)
        self.response = self._connection.getresponse()
        self.status, self.headers = self.response.status, self.response.headers

    def hear(self):
        """Return the next event, or nothing at the end."""
        while line := self.response.readline().decode():
            if line.startswith("data: "):
                return line.removeprefix("data: ").strip()
        return ""

    def close(self):
        """Leave."""
        self.response.close()
        self._connection.close()


@contextmanager
def listening(visitor, url):
    stream = Stream(visitor, url)
    try:
        yield stream
    finally:
        stream.close()


def start(site, path="/once/"):
    visitor = site.visitor()
    return visitor, visitor.start(visitor.get(path)).json


def set_status(database, rows, status):
    table = f"django_magiclink_approval SET status = '{status}' WHERE {rows}"
    database.query(f"UPDATE {table} RETURNING id")


def test_a_page_hears_that_its_phone_has_answered(site, sandbox):
    visitor, started = start(site)

    with listening(visitor, started["live_url"]) as stream:
        first = stream.hear()
        sandbox.wait_for_calls(1)
        sandbox.accept(visitor.number)
        then = stream.hear()
        seen = visitor.get(started["status_url"]).json["status"]
        end = stream.hear()

    assert (first, then, seen, end) == ("waiting", "changed", "accepted", "")


def test_a_stream_is_held_back_and_kept_by_nobody(site):
    visitor, started = start(site)

    with listening(visitor, started["live_url"]) as stream:
        # It has come through compression, which would be asked for.
        assert stream.hear() == "waiting"

    assert stream.headers["Content-Type"] == "text/event-stream"
    assert stream.headers["Content-Encoding"] == "identity"
    assert stream.headers["Cache-Control"] == "private, no-store, no-transform"
    assert stream.headers["X-Accel-Buffering"] == "no"
    assert stream.headers["Set-Cookie"] is None


def test_who_comes_late_hears_it_at_once(site, sandbox):
    visitor, started = start(site)
    sandbox.wait_for_calls(1)
    sandbox.reject(visitor.number)
    until(lambda: visitor.get(started["status_url"]).json["final"])

    with listening(visitor, started["live_url"]) as stream:
        assert [stream.hear() for _ in range(3)] == ["waiting", "changed", ""]


def test_a_status_of_another_release_is_news(site):
    visitor, started = start(site)

    with listening(visitor, started["live_url"]) as stream:
        assert stream.hear() == "waiting"
        # SQLite has no type for an id, which is in its table without hyphens.
        rows = f"id IN ('{started['id']}', '{started['id'].replace('-', '')}')"
        set_status(site.database, rows, "of_tomorrow")
        assert stream.hear() == "changed"


def test_a_stream_tells_no_stranger_what_has_changed(site, sandbox):
    visitor, started = start(site)
    stranger = site.visitor()

    with listening(stranger, started["live_url"]) as stream:
        sandbox.wait_for_calls(1)
        sandbox.accept(visitor.number)
        heard = [stream.hear(), stream.hear(), stream.hear()]

    assert heard == ["waiting", "changed", ""]
    assert stranger.get(started["status_url"]).status == 404


def test_only_an_address_that_was_given_is_a_stream(site):
    visitor, started = start(site)
    live = started["live_url"]

    assert visitor.get(f"{live[:-2]}x/").status == 404
    assert visitor.get("/magiclink/live/anything/").status == 404


def test_one_of_two_pages_that_leaves_takes_nothing_from_the_other(site, sandbox):
    visitor, started = start(site)

    with listening(visitor, started["live_url"]) as stays:
        with listening(visitor, started["live_url"]) as leaves:
            assert (stays.hear(), leaves.hear()) == ("waiting", "waiting")
        sandbox.wait_for_calls(1)
        sandbox.accept(visitor.number)

        assert stays.hear() == "changed"


def test_postgresql_tells_without_being_asked(postgres):
    visitor, started = start(postgres)

    with listening(visitor, started["live_url"]) as stream:
        assert stream.hear() == "waiting"
        until(lambda: postgres.database.listeners() == 1)
        # Nothing has changed: whoever looked would not say so.
        payload = started["id"]
        postgres.database.query(f"SELECT pg_notify('django_magiclink', '{payload}')")

        assert stream.hear() == "changed"


def test_pages_hear_also_when_the_listener_is_cut_off(postgres, sandbox):
    visitor, started = start(postgres)

    with listening(visitor, started["live_url"]) as stream:
        assert stream.hear() == "waiting"
        until(lambda: postgres.database.listeners() == 1)
        postgres.database.query(f"SELECT pg_terminate_backend(pid) FROM {LISTENING}")
        sandbox.wait_for_calls(1)
        sandbox.accept(visitor.number)

        assert stream.hear() == "changed"


def test_words_of_others_on_the_channel_are_passed_over(postgres, sandbox):
    visitor, started = start(postgres)

    with listening(visitor, started["live_url"]) as stream:
        assert stream.hear() == "waiting"
        until(lambda: postgres.database.listeners() == 1)
        postgres.database.query("SELECT pg_notify('django_magiclink', 'nonsense')")
        sandbox.wait_for_calls(1)
        sandbox.accept(visitor.number)

        assert stream.hear() == "changed"


def test_a_database_that_went_away_and_came_back_tells_again(sites, sandbox):
    site = sites("postgres", **HOSTILE)
    visitor, started = start(site)
    sandbox.wait_for_calls(1)

    with listening(visitor, started["live_url"]) as stream:
        assert stream.hear() == "waiting"
        site.database.down()
        until(lambda: "Waiting pages hear nothing" in site.said())
        site.database.up()
        set_status(site.database, f"id = '{started['id']}'", "rejected")

        assert stream.hear() == "changed"


def test_under_wsgi_there_is_no_stream(sites, sandbox, site):
    _, elsewhere = start(site)
    gunicorn = sites("sqlite")
    visitor, started = start(gunicorn)

    assert started["live_url"] is None
    # A worker would do nothing else.
    assert visitor.get(elsewhere["live_url"]).status == 404


async def wait_for_all(visitor, urls, act):
    """Open all streams, ``act``, and return what each has said."""
    # As the middleware asks who the user is, each has a connection for a moment.
    some = asyncio.Semaphore(20)

    async def open_stream(url):
        head = f"GET {url} HTTP/1.1\r\nHost: localhost\r\nCookie: {cookies}\r\n\r\n"
        async with some:
            stream = await asyncio.open_connection("127.0.0.1", visitor.site.port)
            stream[1].write(head.encode())
            await stream[0].readuntil(b"data: waiting\n\n")
        return stream

    cookies = visitor.headers["Cookie"]
    opened = await asyncio.gather(*map(open_stream, urls))
    await asyncio.to_thread(act)
    texts = await asyncio.gather(
        *(reader.readuntil(b"data: changed\n\n") for reader, _ in opened)
    )
    for _, writer in opened:
        writer.close()
    return texts


@pytest.mark.slow
@pytest.mark.covers("R46", "A50")
def test_1000_streams_hold_no_connection(sites, sandbox):
    site = sites("postgres", **HOSTILE)
    visitor, started = start(site)
    sandbox.wait_for_calls(1)
    ids = site.database.query(COPY.format(times=CROWD, id=started["id"]))
    urls = [live_url_of(pk) for (pk,) in ids]
    held = []

    def act():
        until(lambda: site.database.listeners() == 1)
        held.append(site.database.held())
        set_status(site.database, "TRUE", "accepted")

    texts = asyncio.run(wait_for_all(visitor, urls, act))
    until(lambda: site.database.listeners() == 0)

    assert len(texts) == CROWD
    connections, in_transaction = held[0]
    assert connections <= OWN
    assert in_transaction == 0


def live_url_of(pk):
    until = round(time.time()) + 600
    token = signing.dumps([pk.hex, until], salt="django_magiclink.live")
    return f"/magiclink/live/{token}/"


@pytest.mark.covers("R48", "A49")
def test_a_site_with_20_streams_ends_within_10_seconds(sites, sandbox, tmp_path):
    database = sites.database("sqlite")
    with Site(tmp_path, database, sandbox, **HOSTILE) as site, ExitStack() as stack:
        streams = []
        for _ in range(20):
            visitor, started = start(site)
            stream = stack.enter_context(listening(visitor, started["live_url"]))
            streams.append(stream)
            assert stream.hear() == "waiting"

        site.process.send_signal(signal.SIGTERM)

        site.process.wait(10)
