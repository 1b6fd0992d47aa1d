"""The app with all that is around it: a clock, phones, a server, workers, browsers."""

import contextlib
import re
from datetime import UTC, datetime
from queue import SimpleQueue
from threading import Thread, current_thread
from urllib.parse import parse_qs, urlsplit
from uuid import UUID

import requests
import time_machine
from django.contrib.auth import HASH_SESSION_KEY, get_user_model
from django.contrib.sessions.models import Session
from django.db import connection
from django.http import HttpResponse
from django.utils import timezone

from django_magiclink import approvals
from django_magiclink.dispatchers import BaseDispatcher
from django_magiclink.exceptions import Busy
from django_magiclink.models import ApiKey, Approval, Endpoint, PhoneNumber
from django_magiclink.signals import approval_changed
from django_magiclink.transport import Reply

from ..conftest import Browser
from .cast import ANSWERS

NUMBERS = ["+46701740605", "+46701740606", "+46701740607"]
ENDPOINTS = {"": "main", "payments": "payments"}
_ROWS = f"""
    SELECT id, status, live_slot IS NOT NULL AND live_until >= %s
    FROM {Approval._meta.db_table}
"""
BEGIN = datetime(2026, 11, 22, 12, tzinfo=UTC)


class KeptJobs(BaseDispatcher):
    """Keeps each job until the test delivers it."""

    #: ``works``, ``busy`` or ``broken``.
    mood = "works"

    def dispatch(self, pk):
        if KeptJobs.mood == "busy":
            raise Busy
        if KeptJobs.mood == "broken":
            raise ConnectionError("no broker")


class Died(BaseException):
    """What ends a worker that is killed."""


class Delivery(Thread):
    """
    A worker with a job, which waits for the phone as long as the test likes.

    What it does in the database the test's own thread does for it, by ``run``.
    """

    def __init__(self, pk):
        super().__init__(daemon=True)
        self.pk, self._said, self._heard = pk, SimpleQueue(), SimpleQueue()

    def run(self):
        with contextlib.suppress(Died):
            approvals.perform(self.pk, run=self.hand_over)
        self._said.put(None)

    def hand_over(self, said, later=False):
        self._said.put(said)
        heard = self._heard.get()
        if isinstance(heard, BaseException):
            raise heard
        return heard

    def begin(self):
        """Return the URL at which it calls the server, ``None`` if it does not."""
        self.start()
        return self._listen()

    def go_on(self, reply):
        """Let the server answer: a reply, or an exception of the connection."""
        self._heard.put(reply)
        while (url := self._listen()) is not None:
            raise AssertionError(f"It asks again: {url}")
        self.join()

    def _listen(self):
        while callable(said := self._said.get()):
            try:
                done = said()
            except BaseException as error:
                self._heard.put(error)
                raise
            self._heard.put(done)
        return said


def fetch(call, url, headers):
    """Stands for the network: the reply is what the test makes of it."""
    call.stage, call.deadline = "sent", float("inf")
    try:
        return current_thread().hand_over(url)
    except requests.ConnectTimeout:
        call.stage = "connect"
        raise


class Prompt:
    """One on a phone, as the server has it."""

    def __init__(self, url, pk):
        query = {name: value for name, [value] in parse_qs(urlsplit(url).query).items()}
        self.pk, self.number = pk, query["msisdn"]
        self.ends = timezone.now().timestamp() + int(query["touch-timeout"])
        code = re.search(r"Code: (\d\d)", query["sms-text"])
        self.code = code and code[1]

    def is_live(self):
        return timezone.now().timestamp() < self.ends


class World:
    """The app, and what happens to it."""

    def __init__(self, names, browsers):
        # It does not run by itself: each second is the test's.
        self.clock = time_machine.travel(BEGIN, tick=False)
        self._time = self.clock.start()
        _empty()
        for name in ENDPOINTS.values():
            endpoint = Endpoint.objects.create(
                name=name,
                base_url="http://127.0.0.1:9",
                timeout=90 if name == "payments" else None,
            )
            ApiKey(endpoint=endpoint, name="tests").enter("key")
        for name, number in names.items():
            user = get_user_model().objects.create_user(name)
            PhoneNumber.objects.create(
                user=user, number=number, verified_at=timezone.now()
            )
        self.browsers = [Browser() for _ in range(browsers)]
        self.working, self.prompts, self.ran = {}, {}, []
        KeptJobs.mood = "works"
        self.changes = []
        approval_changed.connect(self._note)

    def _note(self, pk, status, **kwargs):
        self.changes.append((str(pk), status.value))

    def close(self):
        for pk in list(self.working):
            self.dies(pk)
        approval_changed.disconnect(self._note)
        self.clock.stop()

    def passes(self, seconds):
        self._time.shift(seconds)

    def user(self, name):
        return get_user_model().objects.get(username=name)

    def ran_view(self, request, view):
        self.ran.append((request.method, request.get_full_path()))
        return HttpResponse(view)

    def rows(self):
        """The status of each approval, and whether it keeps its number taken."""
        # Not by the ORM, which would take a third of the time of all this.
        now = connection.ops.adapt_datetimefield_value(timezone.now())
        with connection.cursor() as cursor:
            cursor.execute(_ROWS, [now])
            rows = cursor.fetchall()
        return {str(UUID(str(pk))): (status, bool(taken)) for pk, status, taken in rows}

    # The worker and the server.

    def deliver(self, pk, leaves):
        """Tell whether the server got a request, and check that it may."""
        delivery = Delivery(pk)
        url = delivery.begin()
        if url is None:
            return False
        if not leaves:
            delivery.go_on(requests.ConnectTimeout())
            return True
        prompt = Prompt(url, pk)
        assert pk not in self.prompts, "it rings a second time"
        others = [each for each in self.prompts.values() if each.is_live()]
        assert prompt.number not in [each.number for each in others], "two prompts"
        self.prompts[pk], self.working[pk] = prompt, delivery
        return True

    def answer(self, pk, name):
        status, body, _, over = ANSWERS[name]
        if over:
            self.prompts[pk].ends = 0
        reply = Reply(status, False, body) if status else requests.ConnectionError()
        self.working.pop(pk).go_on(reply)

    def dies(self, pk):
        """The worker is gone, whatever the phone says."""
        self.working.pop(pk).go_on(Died())

    # The browsers.

    def request(self, browser, action, kind, headers):
        """Return ``(what came of it, the response)``."""
        headers = (
            headers
            | {
                "plain": {},
                "preflight": {"X-Approval-Preflight": "1"},
                "prefetch": {"Sec-Purpose": "prefetch"},
            }[kind]
        )
        self.ran.clear()
        response = getattr(self.browsers[browser], action.method.lower())(
            action.path, dict(action.fields), headers=headers
        )
        if self.ran:
            assert self.ran == [(action.method, action.path)]
            assert response.status_code == 200
            return "ran", response
        if response.status_code == 204:
            return "cleared", response
        assert response.status_code == 401
        return response.json().get("reason", ""), response

    def start(self, browser, token, mood):
        KeptJobs.mood = mood
        return self.browsers[browser].post("/magiclink/start/", {"challenge": token})

    def post(self, browser, pk, step="", **fields):
        """Tell whether the approval is there for this browser."""
        url = f"/magiclink/{pk}/{step}"
        return self.browsers[browser].post(url, fields).status_code == 200

    def log_in(self, browser, name):
        self.browsers[browser].force_login(self.user(name))

    def log_out(self, browser):
        self.browsers[browser].post("/logout/")

    def change_password(self, name, kept_in):
        user = self.user(name)
        user.set_password(f"{user.password}+")
        user.save()
        if kept_in is not None:
            # As Django does for the session in which a password is changed.
            session = self.browsers[kept_in].session
            session[HASH_SESSION_KEY] = user.get_session_auth_hash()
            session.save()

    # Whoever is in charge. What is quiet passes the signals by, as an UPDATE does.

    def set_active(self, name, active, quietly):
        _change(
            get_user_model().objects.filter(username=name), quietly, is_active=active
        )

    def set_number(self, name, number, quietly):
        phone = PhoneNumber.objects.filter(user__username=name)
        if number is None:
            _change(phone, quietly, verified_at=None)
        else:
            _change(phone, quietly, number=number, verified_at=timezone.now())

    def set_enabled(self, name, enabled, quietly):
        rows = Endpoint.objects.filter(name=ENDPOINTS[name])
        _change(rows, quietly, enabled=enabled)


def _change(rows, quietly, **values):
    if quietly:
        rows.update(**values)
        return
    row = rows.get()
    for name, value in values.items():
        setattr(row, name, value)
    row.save()


def _empty():
    models = [Approval, ApiKey, Endpoint, PhoneNumber, Session, get_user_model()]
    for model in models:
        rows = model._default_manager.all()
        rows._raw_delete(rows.db)
    connection.queries_log.clear()
