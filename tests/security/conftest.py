import contextlib

import pytest
from django.core.cache import cache

from django_magiclink import client
from django_magiclink.signals import security_notice

from .wire import Authority, Server


def pytest_itemcollected(item):
    ids = [each for mark in item.iter_markers("covers") for each in mark.args]
    if ids:
        item.user_properties.append(("covers", " ".join(ids)))


@pytest.hookimpl(wrapper=True)
def pytest_report_teststatus(report):
    category, letter, word = yield
    ids = dict(getattr(report, "user_properties", ())).get("covers")
    if ids and word == "PASSED":
        # With "-v", what the test is about.
        word = f"{word} {ids}"
    return category, letter, word


@pytest.fixture
def empty_cache():
    cache.clear()
    yield cache
    cache.clear()


@pytest.fixture
def serve():
    with contextlib.ExitStack() as stack:

        def start(script, **options):
            server = Server(script, **options)
            stack.callback(server.stop)
            return server

        yield start


@pytest.fixture
def hurry(monkeypatch):
    monkeypatch.setattr(client, "GRACE", -14.7)


@pytest.fixture(scope="module")
def authority():
    return Authority()


@pytest.fixture(scope="module")
def tls(authority, tmp_path_factory):
    return authority.server_context(tmp_path_factory.mktemp("tls") / "server.pem")


@pytest.fixture(params=["http", "https"])
def transports(request):
    return request.getfixturevalue("tls") if request.param == "https" else None


@pytest.fixture
def notices():
    """What users should hear of: their name, the kind of notice, and its details."""
    heard = []

    def hear(user, kind, details, **kwargs):
        heard.append((user.get_username(), kind, details))

    security_notice.connect(hear)
    yield heard
    security_notice.disconnect(hear)
