import importlib

import pytest
from django.contrib.auth import SESSION_KEY
from django.contrib.auth.signals import user_logged_in, user_logged_out
from django.db import OperationalError
from django.test import RequestFactory

from django_magiclink import binding

BACKENDS = ["db", "cached_db", "cache", "file", "signed_cookies"]


@pytest.fixture(params=BACKENDS)
def session(request, db):
    name = f"django.contrib.sessions.backends.{request.param}"
    session = importlib.import_module(name).SessionStore()
    session[SESSION_KEY] = "1"
    session.save()
    return session


def again(session):
    """The same session, as another request loads it."""
    return type(session)(session.session_key)


@pytest.mark.parametrize("user", ["1", "2"])
def test_a_nonce_is_of_one_user(session, user):
    first = binding.renew_nonce(session)
    session[SESSION_KEY] = user

    assert (binding.nonce(session) == first) == (user == "1")
    assert binding.has_nonce(session) == (user == "1")


def test_tabs_that_come_first_in_parallel_arrive_at_one_nonce(session):
    one, other = again(session), again(session)

    binding.keep_nonce(one)
    one.save()
    binding.keep_nonce(other)
    other.save()

    assert binding.nonce(one) == binding.nonce(other)
    assert binding.nonce(again(one)) == binding.nonce(one)


def test_a_nonce_that_is_kept_is_written_once(session):
    binding.keep_nonce(session)
    session.save()
    session = again(session)

    binding.keep_nonce(session)

    assert not session.modified


def test_a_nonce_outlives_a_new_key_and_not_a_flush(session):
    binding.renew_nonce(session)
    before = binding.session_hash(session)

    session.cycle_key()
    assert binding.session_hash(session) == before

    session.flush()
    session[SESSION_KEY] = "1"
    session.save()
    assert binding.session_hash(session) != before


def test_a_session_without_a_key_gets_a_random_nonce(session):
    fresh, other = type(session)(), type(session)()

    assert binding.nonce(fresh) != binding.nonce(other)
    assert binding.nonce(fresh) == binding.nonce(fresh)


def test_a_login_without_a_session_is_left_alone(user):
    request = RequestFactory().get("/")

    for signal in (user_logged_in, user_logged_out):
        signal.send(type(user), request=request, user=user)
        signal.send(type(user), request=None, user=user)

    assert not hasattr(request, "session")


def test_a_database_that_is_down_keeps_nobody_from_logging_out(
    user, client, monkeypatch, caplog
):
    def down(*args):
        raise OperationalError("secret")

    client.force_login(user)
    monkeypatch.setattr("django_magiclink.approvals.revoke", down)

    client.logout()

    assert SESSION_KEY not in client.session
    assert "were not ended: OperationalError" in caplog.text


def test_a_login_by_token_makes_no_session(user, session):
    request = RequestFactory().get("/")
    request.session = type(session)()

    user_logged_in.send(type(user), request=request, user=user)

    assert request.session.is_empty()


class TokenUser:
    pk = 7


def test_a_user_without_a_password_is_bound_too(session):
    def bind(**changes):
        values = {
            "purpose": "step-up",
            "user": TokenUser(),
            "session": session,
            "scope": "payroll",
            "endpoint": "",
            "code": "show",
            "digest": "d",
        }
        return binding.bind(**values | changes)

    changed = [
        bind(),
        bind(purpose="login"),
        bind(scope="other"),
        bind(endpoint="other"),
        bind(code=""),
        bind(digest="e"),
    ]
    assert len(set(changed)) == len(changed)
    assert bind() == changed[0]
