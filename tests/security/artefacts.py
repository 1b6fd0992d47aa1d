"""All that the app leaves behind while a test drives it, and a leak into each of it."""

import http.client
import logging
import sys
import traceback
from contextlib import contextmanager
from pathlib import Path

from django.contrib.admin.models import CHANGE, LogEntry
from django.contrib.auth import SESSION_KEY
from django.core.cache import cache
from django.core.signals import got_request_exception
from django.utils.log import AdminEmailHandler
from django.views.debug import ExceptionReporter, SafeExceptionReporterFilter

from django_magiclink.dispatchers import get_dispatcher
from django_magiclink.dispatchers.thread import ThreadDispatcher

from ..conftest import Browser
from .stores import (
    cached,
    challenges,
    copies,
    dump,
    form_left_out,
    is_html,
    mails,
    rows,
)

#: Whose frames hold both on purpose.
TESTS = str(Path(__file__).parent.parent)


class Log(logging.Handler):
    """Keeps each record as the line it becomes, and as what any handler can reach."""

    def __init__(self):
        super().__init__(logging.DEBUG)
        self.lines, self.records = [], []

    def emit(self, record):
        self.lines.append(self.format(record))
        self.records.append(repr(vars(record)))


class Watched(Browser):
    """Keeps all that it is answered."""

    def __init__(self, answers):
        super().__init__(raise_request_exception=False)
        self.answers = answers

    def request(self, **environ):
        response = super().request(**environ)
        self.answers.append(response)
        return response


class Stage:
    """Where a test drives the app, and where what the app leaves behind is kept."""

    def __init__(self, settings, capfd, monkeypatch):
        self.settings, self.capfd, self.monkeypatch = settings, capfd, monkeypatch
        self.log = Log()
        self.answers, self.admin_answers = [], []
        self.browsers = []
        self.jobs, self.objects = [], []
        self.exceptions, self.frames = [], []

    @contextmanager
    def watching(self):
        """Watch logs, jobs and crashes while the block runs."""
        patch = self.monkeypatch
        # What http.client prints, if anybody switches it on.
        patch.setattr(http.client.HTTPConnection, "debuglevel", 1)
        patch.setattr(ThreadDispatcher, "dispatch", self._dispatching())
        mailer = AdminEmailHandler(include_html=True)
        mailer.setLevel(logging.ERROR)
        every = [logging.getLogger(), *map(logging.getLogger, _names())]
        levels = [each.level for each in every]
        got_request_exception.connect(self._crashed)
        for each in every:
            each.setLevel(logging.DEBUG)
            if each.parent is None or not each.propagate:
                each.addHandler(self.log)
        logging.getLogger("django.request").addHandler(mailer)
        try:
            yield self
        finally:
            logging.getLogger("django.request").removeHandler(mailer)
            for each, level in zip(every, levels, strict=True):
                each.setLevel(level)
                each.removeHandler(self.log)
            got_request_exception.disconnect(self._crashed)

    def browser(self, user, answers=None):
        """Return a browser of ``user``, whose session and answers are searched."""
        browser = Watched(self.answers if answers is None else answers)
        browser.force_login(user)
        self.browsers.append((self.settings.SESSION_ENGINE, browser))
        return browser

    def catch(self, error):
        """Keep all that a tracer could take of an exception."""
        self.exceptions += traceback.format_exception(error)
        while error is not None:
            self.exceptions += [repr(error), str(error), repr(vars(error))]
            self._keep_frames(None, error)
            error = error.__cause__ or error.__context__

    def _dispatching(self):
        dispatch = ThreadDispatcher.dispatch

        def dispatching(dispatcher, *args, **options):
            self.jobs.append(repr((args, options)))
            dispatch(dispatcher, *args, **options)

        return dispatching

    def _crashed(self, request, **kwargs):
        error = sys.exc_info()[1]
        self.exceptions += traceback.format_exception(error)
        self._keep_frames(request, error)

    def _keep_frames(self, request, error):
        # As Django hides what is marked with sensitive_variables, which it does not do
        # under DEBUG. A tracer that knows nothing of the mark takes those too.
        if self.settings.DEBUG:
            return
        reporter = ExceptionReporter(request, type(error), error, error.__traceback__)
        self.frames += [
            repr(frame["vars"])
            for frame in reporter.get_traceback_frames()
            if not frame["filename"].startswith(TESTS)
        ]

    def collect(self):
        """Return all artefacts by their kind, each a list of texts."""
        html = [each for each in self.answers if is_html(each)]
        every = [*self.answers, *self.admin_answers]
        return {
            "lines of the log": self.log.lines,
            "records of the log": self.log.records,
            "standard output": [*self.capfd.readouterr()],
            "pages": [each.text for each in html if each.status_code != 500],
            "bodies for programs": [
                each.text for each in self.answers if not is_html(each)
            ],
            "headers and cookies": [
                f"{each.items()} {each.cookies.output()}" for each in every
            ],
            "signed challenges": list(challenges(self.answers)),
            "pages of the admin": [form_left_out(each) for each in self.admin_answers],
            "history of the admin": [
                repr(row) for row in LogEntry.objects.values_list()
            ],
            "fixture": [dump()],
            "rows of the database": list(rows()),
            "jobs": self.jobs,
            "cache": list(cached()),
            "sessions": list(self._sessions()),
            "mails": list(mails()),
            "pages of an error under DEBUG": [
                each.text for each in html if each.status_code == 500
            ],
            "exceptions": self.exceptions,
            "frames": self.frames,
            "settings": [repr(SafeExceptionReporterFilter().get_safe_settings())],
            "objects": [text for one in self.objects for text in (repr(one), str(one))],
            "copies": [text for one in self.objects for text in copies(one)],
        }

    def _sessions(self):
        for engine, browser in self.browsers:
            self.settings.SESSION_ENGINE = engine
            yield repr(dict(browser.session.items()))

    def plant(self, leak, browser, root):
        """Let ``leak`` get into every kind of artefact, most of them by the app."""
        logging.getLogger("urllib3.connectionpool").debug("GET %s", leak)
        print(leak)
        refused = browser.get("/called/", {"who": leak})
        browser.get("/called/", {"who": leak}, headers={"Accept": "text/html"})
        challenge = {"challenge": refused.json()["challenge"]}
        browser.post("/magiclink/start/", challenge, headers={"Accept": "text/html"})
        session = browser.session
        session["leak"] = leak
        session.save()
        root.get("/admin/django_magiclink/approval/")
        LogEntry.objects.create(
            user_id=session[SESSION_KEY], action_flag=CHANGE, object_repr=leak
        )
        get_dispatcher().dispatch(leak)
        cache.set("leak", leak)
        self.objects.append([leak])
        self.settings.INNOCENT = leak

        def leaking(*args, **options):
            local = leak
            raise ValueError(local)

        self.monkeypatch.setattr("django_magiclink.views.approvals.request", leaking)
        for self.settings.DEBUG in (False, True):
            browser.post("/magiclink/start/", challenge)


def _names():
    return [*logging.getLogger().manager.loggerDict]
