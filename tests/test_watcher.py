"""What event streams hear in one process, step by step."""

import asyncio
import threading
import uuid
from datetime import timedelta
from functools import partial

import pytest
import time_machine
from django.contrib.sessions.backends.db import SessionStore
from django.db import DatabaseError, connection, connections, transaction
from django.test import AsyncClient, AsyncRequestFactory, RequestFactory
from django.urls import reverse
from django.utils import timezone

from django_magiclink.live import events, live_url, rows, stream, watcher
from django_magiclink.models import Approval, news
from django_magiclink.sessions import leave_alone
from django_magiclink.status import Status

pytestmark = pytest.mark.django_db(transaction=True)

WAITING, CHANGED, SILENT = b"data: waiting\n\n", b"data: changed\n\n", b":\n\n"


def ask(**fields):
    times = dict.fromkeys(["deadline", "live_until"], timezone.now() + timedelta(1))
    return Approval.objects.create(**{"status": Status.SENT} | times | fields)


def accept(pk):
    Approval.objects.filter(pk=pk).update(status=Status.ACCEPTED)
    connections.close_all()


async def hear(pk, act=None, seconds=30):
    """Return all that a stream says, which does ``act`` once it waits."""
    heard = []
    until = timezone.now().timestamp() + seconds
    async with asyncio.timeout(30):
        async for part in events(pk, until):
            heard.append(part)
            if act and part == WAITING:
                await asyncio.to_thread(act)
    return heard


def threads():
    return [each for each in threading.enumerate() if "watcher" in each.name]


def test_a_stream_ends_with_the_wait_and_leaves_nothing():
    approval = ask()

    heard = asyncio.run(hear(approval.pk, partial(accept, approval.pk)))

    assert heard == [WAITING, CHANGED]
    assert watcher._watchers == {}
    for thread in threads():
        thread.join(10)
    assert threads() == []


def test_a_stream_that_is_left_ends_its_watcher():
    async def leave():
        parts = events(ask_later, timezone.now().timestamp() + 30)
        assert await anext(parts) == WAITING
        await parts.aclose()
        async with asyncio.timeout(10):
            while watcher._watchers:
                await asyncio.sleep(0.05)

    ask_later = ask().pk

    asyncio.run(leave())

    assert watcher._watchers == {}


def test_two_pages_of_one_approval_hear_the_same():
    async def both():
        async with asyncio.timeout(30):
            return await asyncio.gather(
                hear(approval.pk, partial(accept, approval.pk)), hear(approval.pk)
            )

    approval = ask()

    assert asyncio.run(both()) == [[WAITING, CHANGED]] * 2


def test_a_page_that_leaves_takes_nothing_from_another():
    async def one_of_two():
        until = timezone.now().timestamp() + 30
        leaves, stays = events(approval.pk, until), events(approval.pk, until)
        heard = [await anext(leaves), await anext(stays)]
        await leaves.aclose()
        await asyncio.to_thread(accept, approval.pk)
        return heard + [part async for part in stays]

    approval = ask()

    assert asyncio.run(one_of_two()) == [WAITING, WAITING, CHANGED]


def test_more_pages_wait_than_one_query_takes(monkeypatch):
    monkeypatch.setattr(rows, "FEW", 2)

    async def all_of_them():
        async with asyncio.timeout(30):
            return await asyncio.gather(
                *(hear(each.pk, partial(accept, each.pk)) for each in waiting)
            )

    waiting = [ask() for _ in range(5)]

    assert asyncio.run(all_of_them()) == [[WAITING, CHANGED]] * 5


def test_a_stream_says_that_it_lives(monkeypatch):
    monkeypatch.setattr(stream, "KEEP_ALIVE", 0.1)

    async def begin():
        parts = events(pk, timezone.now().timestamp() + 30)
        heard = [await anext(parts), await anext(parts), await anext(parts)]
        await parts.aclose()
        return heard

    pk = ask().pk

    assert asyncio.run(begin()) == [WAITING, SILENT, SILENT]


def test_a_stream_ends_in_time():
    heard = asyncio.run(hear(ask().pk, seconds=0.5))

    assert (heard[0], heard[-1]) == (WAITING, CHANGED)


def test_an_approval_past_its_deadline_waits_no_more():
    approval = ask(deadline=timezone.now() - timedelta(seconds=1))

    assert asyncio.run(hear(approval.pk)) == [WAITING, CHANGED]


def test_a_database_that_fails_is_said_once(monkeypatch, caplog):
    changed, failures = rows._changed, iter(range(2))

    def fail_twice(pks):
        if next(failures, None) is not None:
            raise DatabaseError("gone, with what is in a row")
        return changed(pks)

    monkeypatch.setattr(rows, "_changed", fail_twice)
    monkeypatch.setattr(watcher, "RETRY", 0.05)
    approval = ask()

    heard = asyncio.run(hear(approval.pk, partial(accept, approval.pk)))

    assert heard == [WAITING, CHANGED]
    assert caplog.messages.count("Waiting pages hear nothing: DatabaseError") == 1
    assert "in a row" not in caplog.text


def test_a_stream_lets_go_of_the_connections_of_its_request():
    connection.ensure_connection()

    stream._let_go()

    assert connection.connection is None


def test_a_stream_leaves_the_transaction_of_a_test_alone():
    with transaction.atomic():
        stream._let_go()

        assert connection.connection is not None


def test_an_address_is_given_to_a_page_that_can_wait(client):
    request = AsyncRequestFactory().get("/")
    approval = ask()

    url = live_url(request, approval)

    assert url.startswith("/magiclink/live/")
    assert live_url(request, None) is None
    assert live_url(request, ask(status=Status.CONFIRMING)) is None
    assert live_url(RequestFactory().get("/"), approval) is None
    # Under WSGI the address leads nowhere.
    assert client.get(url).status_code == 404


async def open_stream(url):
    response = await AsyncClient().get(url)
    if not response.streaming:
        return response.status_code
    return [part async for part in response.streaming_content]


def test_an_address_opens_a_stream_as_long_as_the_wait_may_last():
    request = AsyncRequestFactory().get("/")
    approval = ask(timeout=60, sent=timezone.now())
    url = live_url(request, approval)
    accept(approval.pk)

    with time_machine.travel(timezone.now() + timedelta(seconds=69)):
        heard = asyncio.run(open_stream(url))
    with time_machine.travel(timezone.now() + timedelta(seconds=71)):
        late = asyncio.run(open_stream(url))

    assert heard == [WAITING, CHANGED]
    assert late == 404


@pytest.mark.usefixtures("atomic_requests")
def test_a_stream_is_in_no_transaction():
    approval = ask(timeout=60, sent=timezone.now())
    url = live_url(AsyncRequestFactory().get("/"), approval)
    accept(approval.pk)

    assert asyncio.run(open_stream(url)) == [WAITING, CHANGED]


def test_an_address_of_nobody_is_404():
    url = reverse("django_magiclink:live", args=["anything"])

    assert asyncio.run(open_stream(url)) == 404


def test_who_waits_hears_although_the_site_cannot_be_told(monkeypatch, caplog):
    def fail(*args):
        raise DatabaseError

    monkeypatch.setattr(connection, "vendor", "postgresql")
    monkeypatch.setattr(news, "notify", fail)

    news.wake("default", [uuid.uuid4()], Status.ACCEPTED)

    assert caplog.messages == ["Waiting pages are not told: DatabaseError"]


@pytest.mark.parametrize("status", [Status.SENT, Status.CONSUMED, Status.REVOKED])
def test_what_no_page_waits_for_is_not_told(monkeypatch, status):
    monkeypatch.setattr(connection, "vendor", "postgresql")
    monkeypatch.setattr(news, "notify", pytest.fail)

    news.wake("default", [uuid.uuid4()], status)


def test_a_session_that_changed_already_is_saved(rf):
    request = rf.get("/")
    request.session = SessionStore()
    request.session["login"] = "signed anew"
    changed = request.session

    leave_alone(request)

    assert request.session is changed
