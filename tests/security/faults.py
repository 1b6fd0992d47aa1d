"""What can go wrong: 15 faults of the server, and 12 around the app."""

from contextlib import contextmanager
from functools import partial

import pytest
from django.contrib.auth import HASH_SESSION_KEY
from django.contrib.sessions.models import Session
from django.core.cache.backends.locmem import LocMemCache
from django.db import OperationalError, connection
from django.test import override_settings
from django.utils import timezone

from django_magiclink import stepup
from django_magiclink.exceptions import Busy
from django_magiclink.models import Endpoint, PhoneNumber
from django_magiclink.sandbox import faults
from django_magiclink.sandbox.records import ACCEPTED
from django_magiclink.sandbox.wire import JSON, code_response, response

from .moments import PATIENCE, HeldDispatcher, Killed

# What the server does wrong, and when, by moment:
#
# before send  as soon as somebody connects, before it has read the request
# sent         as soon as it has read the request; the phone rings on
# waiting      while the phone rings and before anybody has tapped
# answer read  in place of the answer, once the phone's owner has tapped
# saving       right behind the true answer, on the same connection
# resume       when another view is asked for, after the true answer for the first


def sends(data, connection, stopping):
    connection.sendall(data)


def answers_late(connection, stopping):
    stopping.wait(2 * PATIENCE)
    connection.sendall(code_response(ACCEPTED, 200))


def of_sandbox(name):
    return partial(faults.play, name)


def accepted(status, *fields):
    body = b'{"code": "TOUCH_ACCEPTED"}'
    return partial(sends, response(status, JSON, body, *fields))


SERVER = {
    "accepted with 204": accepted(204),
    "accepted with 302": accepted(302, "Location: /api/sfwa/redirected"),
    "accepted with 403": of_sandbox("accepted_403"),
    "accepted with 500": of_sandbox("accepted_500"),
    "wrong case": of_sandbox("lower_case"),
    "nested code": of_sandbox("nested"),
    "duplicate keys": of_sandbox("duplicate_key"),
    "two objects": of_sandbox("two_objects"),
    "truncated body": of_sandbox("bad_length"),
    "unknown code": of_sandbox("unknown_code"),
    "gateway timeout": of_sandbox("gateway_timeout"),
    "gzip": of_sandbox("gzip"),
    "reset": of_sandbox("reset"),
    "dripping body": of_sandbox("drip_body"),
    "late answer": answers_late,
}
SLOW = {"dripping body", "late answer"}

# What goes wrong in the app, from the moment on. "Until" tells when it is mended; the
# approval must then open its view after all, if it was given and nobody spoilt it.
# "Before send" is after the start unless it says otherwise.


def database_fails(run):
    """Every query, until the request has been repeated."""

    def fail(*args):
        raise OperationalError("the server closed the connection unexpectedly")

    run.break_until_repeated(connection.execute_wrapper(fail))


def cache_fails(run):
    """Where the sessions are, until the request has been repeated."""

    def fail(*args, **options):
        raise ConnectionError("the cache is down")

    patch = run.break_until_repeated(pytest.MonkeyPatch.context())
    for name in ("get", "set", "add", "delete"):
        patch.setattr(LocMemCache, name, fail)


def field_key_is_wrong(run):
    """The API key cannot be decrypted, until the request has been repeated."""
    other = ["b3RoZXItb3RoZXItb3RoZXItb3RoZXItb3RoZXItb3Q="]
    run.break_until_repeated(override_settings(MAGICLINK_FIELD_KEYS=other))


@contextmanager
def without_endpoints():
    Endpoint.objects.update(enabled=False)
    yield
    Endpoint.objects.update(enabled=True)


def endpoint_is_disabled(run):
    """Until the request has been repeated. What was sent may still be answered."""
    run.break_until_repeated(without_endpoints())


def user_is_deactivated(run):
    """For good, or for a moment."""
    for active in (False, True)[: 1 + run.odd]:
        run.user.is_active = active
        run.user.save()
    run.touch()


def password_is_changed(run):
    """In this session, which goes on, or elsewhere, and the user logs in again."""
    run.user.set_password("another")
    run.user.save()
    if run.odd:
        session = run.browser.session
        session[HASH_SESSION_KEY] = run.user.get_session_auth_hash()
        session.save()
    else:
        run.browser.force_login(run.user)
    run.touch()


def phone_is_changed(run):
    phone = PhoneNumber.objects.get(user=run.user)
    phone.number = "+46709999999"
    phone.save()
    run.touch()


def session_is_flushed(run):
    """And the user logs in again."""
    Session.objects.all().delete()
    run.browser.cookies.clear()
    run.browser.force_login(run.user)
    run.touch()


def clock_steps(run):
    """
    An hour ahead, past every deadline and age, or an hour back.

    An answer that was taken by the earlier clock then lies ahead, and is of no use.
    """
    hour = timezone.timedelta(hours=-1 if run.odd else 1)
    now = timezone.now
    patch = run.ending.enter_context(pytest.MonkeyPatch.context())
    patch.setattr(timezone, "now", lambda: now() + hour)
    if not run.odd or run.moment in ("saving", "resume"):
        run.touch()


def dispatcher_takes_nothing(run):
    """
    Before send: of the approval itself. Else of another, wanted at that moment.

    It is busy, or its broker is down.
    """
    patch = run.break_until_repeated(pytest.MonkeyPatch.context())
    error = ConnectionError("no broker") if run.odd else Busy()
    patch.setattr(HeldDispatcher, "error", error)
    if run.moment != "before send":
        refused = run.browser.get("/default/")
        assert run.browser.start(refused).status_code in (429, 503)


def job_is_delivered_again(run):
    """By a queue that gives a job to two workers: at most one may ring the phone."""
    run.deliver()


def process_dies(run):
    """The worker; at "resume" the web process, between the use and the view."""
    if run.moment != "resume":
        raise Killed
    passes = stepup._passes

    def pass_and_die(*args):
        if passes(*args):
            run.visits += 1
            raise Killed
        return False

    patch = run.break_until_repeated(pytest.MonkeyPatch.context())
    patch.setattr(stepup, "_passes", pass_and_die)


INFRASTRUCTURE = {
    "database down": database_fails,
    "cache down": cache_fails,
    "wrong field key": field_key_is_wrong,
    "endpoint disabled": endpoint_is_disabled,
    "user deactivated": user_is_deactivated,
    "password changed": password_is_changed,
    "phone changed": phone_is_changed,
    "session flushed": session_is_flushed,
    "clock step": clock_steps,
    "dispatcher busy": dispatcher_takes_nothing,
    "job delivered again": job_is_delivered_again,
    "process dies": process_dies,
}
FAULTS = [*SERVER, *INFRASTRUCTURE]
#: What must be in place when the app hands the job over.
BEFORE_START = {dispatcher_takes_nothing}
