"""Which numbers are known does not show: neither to a clock nor to a flood."""

import json
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from http.client import HTTPConnection
from http.cookies import SimpleCookie
from itertools import count
from random import Random
from threading import Event
from urllib.parse import urlencode

import pytest

from django_magiclink.conf import DEFAULT_LIMITS
from django_magiclink.sandbox import Sandbox

from ..servers import PATIENCE, until

pytestmark = [
    pytest.mark.processes,
    pytest.mark.slow,
    pytest.mark.needs("postgres"),
]

EACH = 500
#: With the defect, of which a few tell enough.
FEW = 100
#: What a classifier may reach; a coin has 0.5.
MOST = 0.55
FLOOD = 10_000
#: Starts of each kind on a machine that has much to do, how many others start at a
#: time, and what a classifier may reach with so few.
BUSY, LOAD, MOST_WHEN_BUSY = 50, 40, 0.65
#: Seconds after which a start has taken more than one step.
LATE = 1.5
#: Walks at a time, fewer than the site has threads.
WALKERS = 10
CSRF = "c" * 32
WITHOUT_LIMITS = json.dumps(dict.fromkeys(DEFAULT_LIMITS))
ASK = "/login/phone/"
#: What is sent after the start, and the field that is posted with it.
LATER = {
    "page": ("GET", "wait/", None),
    "poll": ("GET", "status/", None),
    "code": ("POST", "status/", {"code": "00"}),
    "again": ("GET", "status/", None),
}

_unknown = count()


@pytest.fixture(scope="module")
def mideye():
    # An unanswered prompt rings for 0.6 s.
    with Sandbox(touch_timeout_scale=0.01) as sandbox:
        yield sandbox


def site_of(sites, settings="settings", **options):
    module = f"tests.phone_login.{settings}"
    return sites("postgres", DJANGO_SETTINGS_MODULE=module, **options)


def unknown():
    return f"+4671{next(_unknown):07}"


class Stranger:
    """Somebody without a login, who looks at each answer and at the clock."""

    def __init__(self, site, address="127.0.0.1"):
        self.site = site
        self.source = (address, 0)
        self.cookies = {"csrftoken": CSRF}

    def send(self, method, path, fields=None):
        """Return how long it took, and all of the answer that is not random."""
        headers = {
            "Accept": "application/json",
            "Cookie": "; ".join(
                f"{name}={self.cookies[name]}" for name in self.cookies
            ),
        }
        body = None
        if fields is not None:
            headers["Content-Type"] = "application/x-www-form-urlencoded"
            body = urlencode(fields | {"csrfmiddlewaretoken": CSRF})
        with closing(
            HTTPConnection(
                "127.0.0.1", self.site.port, PATIENCE, source_address=self.source
            )
        ) as connection:
            connection.connect()
            start = time.perf_counter()
            connection.request(method, ASK + path, body, headers)
            response = connection.getresponse()
            content = response.read()
            took = time.perf_counter() - start
        for crumb in map(SimpleCookie, response.headers.get_all("Set-Cookie", [])):
            self.cookies |= {name: morsel.value for name, morsel in crumb.items()}
        told = {
            name: len(value) if name == "Set-Cookie" else value
            for name, value in response.headers.items()
            if name != "Date"
        }
        return took, (response.status, told, len(content), self._poll(content))

    def walk(self, number):
        """Try to log in with ``number``; return the times and the answers."""
        found = {"start": self.send("POST", "", {"name": number})}
        for name, request in LATER.items():
            found[name] = self.send(*request)
        return found

    @staticmethod
    def _poll(content):
        try:
            body = json.loads(content)
        except ValueError:
            return None
        # A second may have passed.
        return {name: body[name] for name in body if name != "expires_in"}


def auc(those, others):
    """Return how well a number tells ``those`` from ``others``, either way round."""
    ranked = sorted([(one, 1) for one in those] + [(one, 0) for one in others])
    above = seen = 0
    for _, is_one in ranked:
        if is_one:
            above += seen
        else:
            seen += 1
    area = above / (len(those) * len(others))
    return max(area, 1 - area)


def measure(site, each):
    """Return the walks of numbers that are known, and of as many that are not."""
    known = [visitor.number for visitor in site.crowd(each)]
    walks = [(number, 1) for number in known]
    walks += [(unknown(), 0) for _ in range(each)]
    Random(1).shuffle(walks)
    with ThreadPoolExecutor(WALKERS) as pool:
        done = pool.map(lambda walk: Stranger(site).walk(walk[0]), walks)
        found = list(zip(done, (is_known for _, is_known in walks), strict=True))
    return [[walk for walk, kind in found if kind == wanted] for wanted in (1, 0)]


def areas(known, others):
    """Return what a classifier by each time reaches, and by all of them together."""
    times = [
        [{name: found[name][0] for name in found} for found in walks]
        for walks in (known, others)
    ]
    for one in [*times[0], *times[1]]:
        one["all"] = sum(one.values())
    return {
        name: auc(*([each[name] for each in walks] for walks in times))
        for name in times[0][0]
    }


@pytest.mark.covers("R26", "A30")
def test_a_clock_finds_a_start_that_takes_as_long_as_its_work(sites):
    site = site_of(sites, "planted", MAGICLINK_LIMITS=WITHOUT_LIMITS)

    found = areas(*measure(site, FEW))

    assert found["start"] > 0.8


@pytest.mark.covers("R26", "A30")
def test_known_and_unknown_numbers_are_told_apart_by_nothing(sites, mideye):
    site = site_of(sites, MAGICLINK_LIMITS=WITHOUT_LIMITS)
    mideye.reset()

    known, others = measure(site, EACH)
    reached = areas(known, others)
    if max(reached.values()) > MOST:
        # By chance one of 50 honest measures is: a leak is one the second time too.
        again = areas(*measure(site, EACH))
        reached = {name: min(reached[name], again[name]) for name in reached}

    print(reached)
    assert len(mideye.calls) >= EACH
    answers = [
        {json.dumps({name: walk[name][1] for name in walk}) for walk in walks}
        for walks in (known, others)
    ]
    assert answers[0] == answers[1]
    assert len(answers[0]) == 1
    assert max(reached.values()) <= MOST


@pytest.mark.covers("R26", "A30")
def test_a_machine_that_has_much_to_do_tells_no_more(sites, mideye):
    site = site_of(sites, workers=2, threads=32, MAGICLINK_LIMITS=WITHOUT_LIMITS)
    people = site.crowd(2 * BUSY)
    mideye.reset()

    reached = busy(site, people[:BUSY])
    if max(reached) > MOST_WHEN_BUSY:
        again = busy(site, people[BUSY:])
        reached = [min(pair) for pair in zip(reached, again, strict=True)]

    print(reached)
    assert max(reached) <= MOST_WHEN_BUSY


def busy(site, people):
    """
    Return what a classifier by the time of a start reaches while others flood the site.

    First by all of it, then by whether it was late: that is what a tail would show.
    """
    ends, found = Event(), [[], []]

    def flood():
        while not ends.is_set():
            Stranger(site).send("POST", "", {"name": unknown()})

    with ThreadPoolExecutor(LOAD) as pool:
        floods = [pool.submit(flood) for _ in range(LOAD)]
        for one in people:
            for kind, name in enumerate([unknown(), one.number]):
                found[kind].append(Stranger(site).send("POST", "", {"name": name})[0])
        ends.set()
    for each in floods:
        each.result()
    late = [sum(took > LATE for took in times) / len(times) for times in found]
    return auc(*found), 0.5 + abs(late[0] - late[1]) / 2


@pytest.mark.covers("R10", "A26", "A28")
def test_a_flood_of_unknown_numbers_rings_nobody_and_leaves_nothing(sites, mideye):
    site = site_of(sites, workers=2, threads=32)
    [victim] = site.crowd(1)
    mideye.reset()
    # What other tests have begun within this minute counts for everybody.
    site.database.query("DELETE FROM django_magiclink_approval RETURNING id")
    tables = ("approval", "phonenumber")
    sizes = [f"django_magiclink_{name}" for name in tables] + ["django_session"]
    before = [site.database.count(name) for name in sizes]

    with ThreadPoolExecutor(64) as pool:
        flood = [
            pool.submit(Stranger(site).send, "POST", "", {"name": unknown()})
            for _ in range(FLOOD)
        ]
        until(lambda: sum(each.done() for each in flood) > 100)
        # From elsewhere: an address that floods makes no phone ring any more.
        Stranger(site, "127.0.0.2").send("POST", "", {"name": victim.number})
        until(
            lambda: (
                not site.database.count(
                    "django_magiclink_approval WHERE live_slot IS NOT NULL"
                )
            )
        )
        victim.approve("/payroll/", mideye)
        opened, done = victim.get("/payroll/"), sum(each.done() for each in flood)
        statuses = {each.result()[1][0] for each in flood}

    assert done < FLOOD
    assert opened.status == 200
    assert statuses == {303}
    assert len(mideye.calls) == 2
    assert [site.database.count(name) for name in sizes] == [before[0] + 2, *before[1:]]
