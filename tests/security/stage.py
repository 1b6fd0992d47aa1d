"""Tells a run of :mod:`.moments` where the app and the server have got to."""

import time

from django.http import HttpResponse

from django_magiclink import recording, transport
from django_magiclink.sandbox import faults
from django_magiclink.sandbox.handler import Handler

from .. import views
from .moments import PATIENCE


class Stage:
    """Where the runs take place: it tells the run of the day what happens when."""

    def __init__(self, monkeypatch):
        self.run = None
        for owner, name, replacement in [
            (transport.Call, "fetch", self._fetch),
            (transport._Connection, "getresponse", self._getresponse),
            (recording, "record", self._record),
            (views, "ran", self._ran),
            (Handler, "_send", self._send),
            (Handler, "handle", self._handle),
            (faults, "play", self._play),
        ]:
            original = getattr(owner, name)
            monkeypatch.setattr(owner, name, replacement(original))

    def play(self, run):
        """Go through a run."""
        self.run = run
        run.go()

    def _fetch(self, original):
        def fetch(call, *args):
            self.run.at("sent")
            if self.run.is_slow:
                call.deadline = time.monotonic() + PATIENCE
            reply = original(call, *args)
            self.run.at("answer read")
            return reply

        return fetch

    def _getresponse(self, original):
        def getresponse(connection):
            with self.run.mistakes():
                self.run.ring()
            return original(connection)

        return getresponse

    def _record(self, original):
        def record(answers):
            run = self.run
            run.at("saving")
            statuses = original(answers)
            run.recorded = not run.touched
            return statuses

        return record

    def _ran(self, original):
        def ran(request, view):
            self.run.ran += 1
            return HttpResponse(view)

        return ran

    def _send(self, original):
        return lambda handler, data: self.run.answer(handler, data, original)

    def _handle(self, original):
        def handle(handler):
            run = self.run
            if run.playing and run.moment == "before send":
                run.interfere(handler)
            else:
                original(handler)

        return handle

    def _play(self, original):
        return lambda name, *where: self.run.play(*where)
