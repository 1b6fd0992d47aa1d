"""What PostgreSQL tells the process in which pages wait."""

import asyncio
import uuid
from functools import partial

import pytest
from django.db import connections

from django_magiclink.live import listening, rows, watcher
from django_magiclink.models import Approval, news
from django_magiclink.status import Status

from .servers import until
from .test_watcher import CHANGED, WAITING, accept, ask, hear

pytestmark = pytest.mark.needs("postgres")


@pytest.fixture
def postgres(on_postgres):
    yield on_postgres
    Approval.objects.all().delete()


@pytest.fixture
def seldom(monkeypatch):
    """Let the next look be later than a test lasts."""
    monkeypatch.setattr(watcher, "SAFETY", 1000)


def once_it_listens(cluster, act):
    until(cluster.listeners)
    act()


@pytest.mark.usefixtures("seldom")
def test_each_move_is_told_to_who_looks_no_more(postgres, monkeypatch):
    looks = []
    changed = rows.Rows.changed

    def look(self, pks):
        looks.append(len(pks))
        return changed(self, pks)

    def move():
        # For longer than the listener waits for its first word.
        until(lambda: looks.count(0) > 15)
        Approval.objects.advance(approval.pk, Status.REJECTED)
        connections.close_all()

    monkeypatch.setattr(rows.Rows, "changed", look)
    monkeypatch.setattr(listening, "PATIENCE", 2)
    monkeypatch.setattr(listening, "RETRY", 0.1)
    approval = ask()

    heard = asyncio.run(hear(approval.pk, partial(once_it_listens, postgres, move)))

    assert heard == [WAITING, CHANGED]


@pytest.mark.usefixtures("seldom")
def test_the_words_of_other_listeners_are_passed_over(postgres):
    def say():
        # PostgreSQL says the same twice only if it is said in two transactions.
        for word in ("nonsense", uuid.uuid4(), approval.pk, approval.pk):
            postgres.query(f"SELECT pg_notify('{news.CHANNEL}', '{word}')")

    approval = ask()

    heard = asyncio.run(hear(approval.pk, partial(once_it_listens, postgres, say)))

    assert heard == [WAITING, CHANGED]


def test_a_pooler_that_brings_no_word_is_noticed(postgres, monkeypatch, caplog):
    monkeypatch.setattr(listening, "notify", lambda *args: None)
    monkeypatch.setattr(listening, "PATIENCE", 1)
    monkeypatch.setattr(listening, "RETRY", 0.1)
    approval = ask()

    def accept_later():
        until(lambda: "tell what changes: TimeoutError" in caplog.text)
        accept(approval.pk)

    assert asyncio.run(hear(approval.pk, accept_later)) == [WAITING, CHANGED]
    assert "The database does not tell what changes: TimeoutError" in caplog.messages


def test_a_listener_that_failed_tries_again(postgres, monkeypatch, caplog):
    monkeypatch.setattr(listening, "CHANNEL", "no channel at all")
    monkeypatch.setattr(listening, "RETRY", 0.1)
    approval = ask()

    def accept_later():
        until(lambda: caplog.text.count("does not tell") == 2)
        accept(approval.pk)

    assert asyncio.run(hear(approval.pk, accept_later)) == [WAITING, CHANGED]
    assert "The database does not tell what changes: SyntaxError" in caplog.messages
