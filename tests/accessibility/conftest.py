import json

import pytest
from django.conf import settings as configured
from playwright.sync_api import expect
from pytest_django.live_server_helper import LiveServer

from ..browsers import launched
from ..conftest import Browser
from ..doors.grants import GUARD
from .eyes import USUAL, faults

PASSWORD = "django.contrib.auth.backends.ModelBackend"


@pytest.fixture(scope="module")
def chrome():
    # Playwright's loop runs in this thread, which asks the database only in between.
    with pytest.MonkeyPatch.context() as patch, launched() as browser:
        patch.setenv("DJANGO_ALLOW_ASYNC_UNSAFE", "1")
        yield browser


@pytest.fixture
def sandbox(mideye):
    mideye.script("manual")
    yield mideye
    mideye.reset()


@pytest.fixture
def server(settings, transactional_db):
    """Started with these settings, so that its middleware is theirs."""
    settings.ROOT_URLCONF = "tests.accessibility.urls"
    settings.MIDDLEWARE = [*settings.MIDDLEWARE, GUARD]
    settings.AUTHENTICATION_BACKENDS = [
        PASSWORD,
        "django_magiclink.backends.MagicLinkBackend",
    ]
    settings.MAGICLINK_SITE_NAME = "Harbour Bank"
    server = LiveServer("127.0.0.1")
    yield server
    server.stop()


@pytest.fixture
def context(chrome):
    context = chrome.new_context(viewport=USUAL)
    yield context
    context.close()


@pytest.fixture
def page(context):
    return context.new_page()


@pytest.fixture
def visit(page, server, endpoint):
    """Opens a page, for whoever :func:`come` has let in."""

    def visit(path):
        page.goto(f"{server.url}{path}")
        return page

    return visit


@pytest.fixture
def come(context, server):
    """Lets a user be whoever uses this browser."""

    def come(user):
        browser = Browser()
        browser.force_login(user, PASSWORD)
        name = configured.SESSION_COOKIE_NAME
        value = browser.cookies[name].value
        context.add_cookies([{"name": name, "value": value, "url": server.url}])

    return come


@pytest.fixture
def look(page):
    """Notes what is wrong with the page, by what it shows just then."""
    found = {}

    def look(name, *part, by=faults):
        wrong = by(page, *part)
        if wrong:
            found[name] = wrong

    yield look
    assert not found, json.dumps(found, indent=1)


@pytest.fixture
def press(page):
    """Presses the button of this name."""
    return lambda name: page.get_by_role("button", name=name, exact=True).click()


@pytest.fixture
def state(page):
    """Waits until the card is in this state."""

    def state(expected):
        card = page.locator("[data-magiclink-card]")
        expect(card).to_have_attribute("data-state", expected)

    return state


@pytest.fixture
def ask(page, press):
    """Asks the phone, and returns once it rings."""

    def ask(says="Answer on your phone"):
        press("Ask my phone")
        expect(page.get_by_role("status")).to_contain_text(says)

    return ask
