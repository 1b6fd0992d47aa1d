"""Celery's workers wait: what the broker carries, and what ends in the middle."""

import base64
import json
import os
import signal
import socket
import time
from collections import Counter
from contextlib import ExitStack, closing
from random import Random

import pytest

from ..brokers import CELERY, Redis, celery_worker
from ..servers import Site, Sites, until
from .test_crashes import FEW, pass_time

pytestmark = [pytest.mark.processes, pytest.mark.needs("postgres", "redis")]

#: Processes that are killed while phones ring or are about to.
KILLS = 100


@pytest.fixture
def sandbox(mideye):
    mideye.script("manual")
    yield mideye
    mideye.reset()


@pytest.fixture(scope="module")
def redis():
    with Redis() as redis:
        yield redis


@pytest.fixture(scope="module")
def site(mideye, redis, tmp_path_factory):
    with Sites(mideye, tmp_path_factory) as sites:
        dispatcher = {"MAGICLINK_DISPATCHER": CELERY}
        yield sites("postgres", CELERY_BROKER_URL=redis.url, **dispatcher)


@pytest.fixture
def worker(site, redis, mideye, tmp_path):
    """A worker that is not started yet."""
    redis.client.flushall()
    return work(site, redis, mideye, tmp_path, "--pool=threads", "--concurrency=50")


def work(site, redis, mideye, folder, *options):
    return celery_worker(
        folder,
        site.database,
        redis.url,
        *options,
        MIDEYE_URL=mideye.url,
        MIDEYE_API_KEY=mideye.api_key,
    )


def messages(redis):
    return [json.loads(each) for each in redis.client.lrange("celery", 0, -1)]


def test_the_whole_path_goes_by_a_worker(site, sandbox, worker):
    visitor = site.visitor()

    with worker:
        visitor.approve("/once/", sandbox)
        opened = visitor.get("/once/")
        again = visitor.get("/once/")

    assert (opened.status, again.status) == (200, 401)
    assert len(sandbox.calls) == 1


@pytest.mark.covers("R50")
def test_the_broker_carries_the_id_of_an_approval_and_nothing_else(
    site, sandbox, redis, worker
):
    visitor = site.visitor()
    started = visitor.start(visitor.get("/once/")).json

    [message] = messages(redis)

    args, kwargs, _ = json.loads(base64.b64decode(message["body"]))
    assert (args, kwargs) == ([started["id"]], {})
    assert message["headers"]["ignore_result"] is True
    for secret in (visitor.number, visitor.name, sandbox.api_key):
        assert secret not in json.dumps(message)
    # How Celery shows the arguments in its log.
    assert message["headers"]["argsrepr"] == f"['{started['id']}']"


@pytest.mark.covers("R44", "A46")
def test_without_a_broker_the_page_hears_it_at_once(site, sandbox, redis, worker):
    visitors = [site.visitor() for _ in range(3)]
    refusals = [visitor.get("/once/") for visitor in visitors]
    started, seconds = [], []
    redis.down()
    try:
        for visitor, refused in zip(visitors, refusals, strict=True):
            begin = time.monotonic()
            started.append(visitor.start(refused))
            seconds.append(time.monotonic() - begin)
    finally:
        redis.up()
    failed = "a.status = 'failed' AND a.error_kind = 'dispatch' AND a.live_slot IS NULL"

    assert {(each.status, each.json["reason"]) for each in started} == {(503, "busy")}
    # The quickest, as a machine with much else to do may be late once.
    assert min(seconds) < 1
    assert [visitor.approvals(failed) for visitor in visitors] == [1, 1, 1]
    with worker:
        visitor.approve("/once/", sandbox)
    assert visitor.get("/once/").status == 200


@pytest.mark.covers("R44", "A46")
def test_a_broker_that_says_nothing_keeps_nobody_waiting(
    site, sandbox, tmp_path_factory
):
    folder = tmp_path_factory.mktemp("mute")
    with ExitStack() as running:
        mute = running.enter_context(closing(socket.create_server(("127.0.0.1", 0))))
        for scheme in ("redis", "amqp"):
            url = f"{scheme}://127.0.0.1:{mute.getsockname()[1]}//"
            options = {"MAGICLINK_DISPATCHER": CELERY, "CELERY_BROKER_URL": url}
            with Site(folder, site.database, sandbox, workers=1, **options) as other:
                visitor = other.visitor()
                refused = visitor.get("/once/")
                begin = time.monotonic()
                started = visitor.start(refused)
                seconds = time.monotonic() - begin

            assert (started.status, started.json["reason"]) == (503, "busy")
            assert seconds < 5


@pytest.mark.covers("R45", "A47")
def test_a_job_that_is_delivered_five_times_rings_once(site, sandbox, redis, worker):
    visitor = site.visitor()
    started = visitor.start(visitor.get("/once/")).json
    [message] = redis.client.lrange("celery", 0, -1)
    redis.client.lpush("celery", *[message] * 4)

    with worker:
        until(lambda: sandbox.prompts(visitor.number))
        until(lambda: worker.said().count(" succeeded in ") == 4)
        sandbox.accept(visitor.number)
        until(lambda: visitor.get(started["status_url"]).json["final"])

    assert len(sandbox.calls) == 1
    assert visitor.get("/once/").status == 200


@pytest.mark.covers("R49", "A47")
def test_what_waited_too_long_for_a_worker_is_never_sent(site, sandbox, worker):
    visitor = site.visitor()
    started = visitor.start(visitor.get("/once/")).json

    pass_time(site, 31, [visitor])
    status = visitor.get(started["status_url"]).json
    with worker:
        until(lambda: " succeeded in " in worker.said())
        # It has not counted as a ring, so nothing rests.
        visitor.approve("/once/", sandbox)

    assert status["status"] == "expired"
    assert status["message"].startswith("Your phone could not be asked in time.")
    assert len(sandbox.calls) == 1


@pytest.mark.covers("R49", "A43", "A47")
def test_a_worker_that_is_killed_leaves_no_grant_and_no_second_ring(
    site, sandbox, worker
):
    visitor = site.visitor()
    with worker:
        started = visitor.start(visitor.get("/once/")).json
        until(lambda: sandbox.prompts(visitor.number))
        worker.stop(signal.SIGKILL)
        sandbox.accept(visitor.number)
        worker.start()
        waiting = visitor.get(started["status_url"]).json
        pass_time(site, 71, [visitor])
        over = visitor.get(started["status_url"]).json

    assert (waiting["status"], over["status"]) == ("sent", "expired")
    assert len(sandbox.calls) == 1
    assert visitor.get("/once/").status == 401


@pytest.mark.covers("A49")
def test_a_worker_that_is_asked_to_end_hears_the_phones_first(site, sandbox, worker):
    visitors = site.crowd(20)
    with worker:
        started = [one.start(one.get("/once/")).json for one in visitors]
        until(lambda: len(sandbox.prompts()) == len(visitors))
        worker.process.send_signal(signal.SIGTERM)
        for visitor in visitors:
            sandbox.accept(visitor.number)
        worker.process.wait(10)

    ends = [
        visitor.get(each["status_url"]).json["status"]
        for visitor, each in zip(visitors, started, strict=True)
    ]
    assert ends == ["accepted"] * len(visitors)


@pytest.mark.covers("R49", "A43", "A47")
def test_100_processes_killed_at_random_moments_grant_nothing_and_ring_once(
    site, redis, sandbox, tmp_path
):
    visitors = site.crowd(KILLS)
    refused = [visitor.get("/once/") for visitor in visitors]
    sandbox.script("accept", delay=0.3)
    # Each takes one job at a time, and another takes its place when it is killed.
    prefork = ["--pool=prefork", "--concurrency=2", "--prefetch-multiplier=1"]
    random, killed, started = Random(47), [], []

    with work(site, redis, sandbox, tmp_path, *prefork) as worker:
        for visitor, each in zip(visitors, refused, strict=True):
            started.append(visitor.start(each).json)
            time.sleep(random.random() * 0.4)
            children = until(lambda: children_of(worker.process.pid))
            killed.append(random.choice(children))
            os.kill(killed[-1], signal.SIGKILL)
        until(lambda: not redis.client.llen("celery"))
        until(lambda: all(call.code for call in sandbox.calls))
        time.sleep(1)
        lost = [one for one in visitors if one.approvals("a.status = 'sent'")]
        pass_time(site, 71, visitors)
        ends = [
            visitor.get(each["status_url"]).json["status"]
            for visitor, each in zip(visitors, started, strict=True)
        ]

    granted = [one for one in visitors if one.approvals("a.status = 'accepted'")]
    passed = [one for one in visitors if one.get("/once/").status == 200]
    assert len(killed) == KILLS
    assert set(ends) == {"accepted", "expired"}
    assert passed == granted
    assert max(Counter(call.number for call in sandbox.calls).values()) == 1
    assert len(lost) > FEW
    assert len(granted) > FEW


def children_of(pid):
    with open(f"/proc/{pid}/task/{pid}/children") as children:
        return [int(each) for each in children.read().split()]
