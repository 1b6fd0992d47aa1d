"""One approval through the whole app, and something that goes wrong at a moment."""

import time
from contextlib import ExitStack, contextmanager, suppress
from itertools import count
from random import Random

from django.contrib.auth import get_user_model
from django.db import DatabaseError
from django.utils import timezone

from django_magiclink import approvals
from django_magiclink.dispatchers import BaseDispatcher
from django_magiclink.models import PhoneNumber
from django_magiclink.sandbox.records import ACCEPTED, REJECTED
from django_magiclink.sandbox.wire import code_response

from ..conftest import Browser

MOMENTS = ("before send", "sent", "waiting", "answer read", "saving", "resume")
#: A window, a single use, and a single use that is a form: how often each may run.
VIEWS = (
    ("/payroll/", None, 99),
    ("/once/?page=2", None, 1),
    ("/transfer/", {"amount": "10", "payee": "Bo"}, 1),
)
TRUTHS = ("accept", "accept", "reject", "nobody")
#: What the browser does while the phone rings; the moment is before, within or after.
ACTS = ((), ("poll",), ("repeat",), ("cancel",), ("repeat", "poll"))
#: Seconds that are waited for a server which never ends its answer.
PATIENCE = 0.05

_serial = count(1)


class Killed(BaseException):
    """The end of a process, as its threads feel it."""


class HeldDispatcher(BaseDispatcher):
    """Keeps the jobs, for the run to deliver."""

    jobs = []
    error = None

    def dispatch(self, pk):
        if self.error is not None:
            raise self.error
        self.jobs.append(pk)


class Run:
    """
    A seed's user, view and phone, and what of it may have run.

    ``strike`` is what goes wrong in the app, ``play`` what the server sends instead of
    its answer. A body may run only while ``may_run``, which the app has no part in.
    """

    def __init__(
        self, sandbox, moment, seed, *, strike, play, slow=False, before_start=False
    ):
        self.sandbox, self.moment, self.seed = sandbox, moment, seed
        self.slow, self.before_start = slow, before_start
        self.strike, self.play = strike, play
        self.random, number = Random(seed), int(seed.rpartition("-")[2])
        self.odd = number % 2
        self.path, self.form, self.times = VIEWS[number % len(VIEWS)]
        self.truth = TRUTHS[number % len(TRUTHS)]
        self.acts = self.random.choice(ACTS)
        self.acts_before = self.random.randrange(len(self.acts) + 1)
        self.number = f"+4670{next(_serial):07}"
        self.user = get_user_model().objects.create(username=self.number)
        PhoneNumber.objects.create(
            user=self.user, number=self.number, verified_at=timezone.now()
        )
        self.browser = Browser(raise_request_exception=False)
        self.browser.force_login(self.user)
        self.mending, self.ending = ExitStack(), ExitStack()
        self.is_broken = self.struck = False
        self.said = self.recorded = self.touched = False
        self.visits = self.ran = 0
        self.wrong = []

    # What is true, as the harness alone knows it.

    @property
    def may_run(self):
        granted = self.said and self.recorded and not self.touched
        return granted and self.visits < self.times

    def break_until_repeated(self, context):
        """Stay in ``context`` until the guarded request has been sent once in it."""
        self.is_broken = True
        return self.mending.enter_context(context)

    @contextmanager
    def mistakes(self):
        """Keep those of the harness from being taken for faults, which end a call."""
        try:
            yield
        except Exception as error:
            self.complain(repr(error))
            raise

    def complain(self, what):
        self.wrong.append(f"{what} (seed {self.seed})")

    def touch(self):
        """Note that the approval is no longer what the phone was asked for."""
        self.touched = True

    def visit(self, *, healthy=False):
        """Send the guarded request; if all is ``healthy``, what may run must run."""
        allowed, self.ran = self.may_run, 0
        with suppress(Killed):
            self.send(self.path, self.form)
        if self.ran > allowed:
            self.complain("a view ran that nobody had approved")
        if healthy and self.ran < allowed:
            self.complain("a view stayed closed that somebody had approved")
        self.visits += self.ran

    def send(self, path, form=None):
        send = self.browser.get if form is None else self.browser.post
        return send(path, form)

    # What the browser does meanwhile.

    def poll(self):
        self.browser.get(f"/magiclink/{self.pk}/")

    def repeat(self):
        self.visit()

    def cancel(self):
        answer = self.browser.post(f"/magiclink/{self.pk}/cancel/")
        # Only what is undecided can be given up.
        if answer.status_code == 200 and answer.json()["status"] == "cancelled":
            self.touch()

    # The run.

    def at(self, moment):
        if self.strike and self.moment == moment and not self.struck:
            self.struck = True
            with self.mistakes():
                self.strike(self)

    def go(self):
        """Go through all of it."""
        with self.ending, self.mending:
            refused = self.send(self.path, self.form)
            if self.before_start:
                self.at("before send")
            self.ask(refused, played=self.play and self.moment != "resume")
            self.deliver()
            rung = [call.number for call in self.sandbox.calls]
            if rung.count(self.number) > 1:
                self.complain("the phone was rung more than once")
            if self.moment == "resume":
                self.visit()
                self.at("resume")
                if self.play:
                    self.ask_again()
            if self.is_broken:
                self.visit()
                self.mending.close()
            self.visit(healthy=True)
        self.sandbox.reset()

    def ask(self, refused, *, played):
        self.playing = played
        if played and self.moment in ("sent", "waiting", "resume"):
            # The sandbox is to play a fault; which one it is, is decided in play().
            delay = 60 if self.moment == "waiting" else 0
            self.sandbox.script("drop", self.number, delay)
        else:
            self.sandbox.script("manual", self.number)
        HeldDispatcher.jobs.clear()
        if refused.status_code == 401:
            self.browser.start(refused)
        self.pk = next(iter(HeldDispatcher.jobs), None)

    def deliver(self):
        # As a dispatcher's thread does: whatever ends the job ends with it.
        if self.pk is not None:
            with suppress(DatabaseError, Killed):
                self.at("before send")
                approvals.perform(self.pk)

    def ask_again(self):
        """Have the server fail where another view is asked for."""
        self.path, self.form, self.said = "/default/", None, False
        self.ask(self.send(self.path), played=True)
        if self.pk is None:
            self.complain("the second approval was never asked for")
        self.deliver()

    # What the phone and the server do, once the request has been sent.

    def ring(self):
        if self.playing and self.moment in ("before send", "sent", "resume"):
            return
        until_one_rings(self.sandbox, self.number)
        for act in self.acts[: self.acts_before]:
            getattr(self, act)()
        self.at("waiting")
        for act in self.acts[self.acts_before :]:
            getattr(self, act)()
        sessions = self.sandbox.sessions
        for session in sessions.ringing(self.number):
            if self.truth == "nobody" or (self.playing and self.moment == "waiting"):
                session.end()
            else:
                code = ACCEPTED if self.truth == "accept" else REJECTED
                sessions.answer(session, code)

    def answer(self, handler, data, send):
        if self.playing and self.moment == "answer read":
            self.interfere(handler)
            return
        self.said |= data == code_response(ACCEPTED, 200)
        send(handler, data)
        if self.playing and self.moment == "saving":
            self.interfere(handler)

    def interfere(self, handler):
        handler.close_connection = True
        self.play(handler.connection, self.sandbox.sessions.stopping)

    @property
    def is_slow(self):
        return self.slow and self.playing and self.moment != "saving"


def until_one_rings(sandbox, number):
    for _ in range(5000):
        if sandbox.sessions.ringing(number):
            return
        time.sleep(0.001)
    raise AssertionError("No phone rang.")
