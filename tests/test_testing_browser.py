"""The phone of the test kit, in a browser that Playwright steers."""

from concurrent.futures import ThreadPoolExecutor

import pytest
import requests

from django_magiclink.testing import answer_phone

from .browsers import launched
from .conftest import NUMBER

pytestmark = pytest.mark.needs("chromium")

TEXTS = {"authentication-text": "Pay 5 SEK", "sms-text": "Open the link"}


@pytest.fixture
def page(chrome):
    context = chrome.new_context()
    yield context.new_page()
    context.close()


class Remote:
    """
    A thing of Playwright's, used in its own thread from another.

    Where it is called it switches greenlets, which hides the lines of who calls it from
    coverage.
    """

    def __init__(self, thread, thing):
        self._thread, self._thing = thread, thing

    def __getattr__(self, name):
        return self._do(getattr, self._thing, name)

    def __call__(self, *args, **kwargs):
        return self._do(self._thing, *args, **kwargs)

    def __enter__(self):
        return self._do(self._thing.__enter__)

    def __exit__(self, *error):
        return self._do(self._thing.__exit__, *error)

    def _do(self, function, *args, **kwargs):
        value = self._thread.submit(function, *args, **kwargs).result()
        plain = value is None or isinstance(value, (str, bool))
        return value if plain else Remote(self._thread, value)


@pytest.fixture
def remote_page():
    with ThreadPoolExecutor(1) as thread:
        browser = launched()
        chrome = thread.submit(browser.__enter__).result()
        yield Remote(thread, chrome).new_context().new_page()
        thread.submit(browser.__exit__, None, None, None).result()


@pytest.fixture
def rings(mideye):
    """Ask the phone as a site does, and return what is to come of it."""
    query = {"msisdn": NUMBER, "touch-timeout": "60"} | TEXTS
    headers = {"api-key": mideye.api_key}
    url = f"{mideye.url}/api/sfwa/auth"

    def ask():
        with requests.get(url, query, headers=headers) as answer:
            return answer.json()["code"]

    with ThreadPoolExecutor() as pool:
        yield lambda: pool.submit(ask)
        mideye.reset()


@pytest.mark.parametrize("answer", ["accept", "reject"])
@pytest.mark.parametrize("app", [True, False], ids=["push", "sms"])
def test_the_phone_is_answered_in_a_page_of_its_own(mideye, rings, page, app, answer):
    mideye.set_phone(NUMBER, app=app)
    asked = rings()

    shown = answer_phone(page, mideye.phone_url(NUMBER), answer)

    assert shown == "Pay 5 SEK"
    assert asked.result() == f"TOUCH_{answer.upper()}ED"
    assert page.context.browser.contexts == [page.context]


def test_it_waits_for_a_ring_that_is_not_the_last_one(mideye, rings, page):
    url = mideye.phone_url(NUMBER)

    first, _ = rings(), answer_phone(page, url, "reject")
    second, _ = rings(), answer_phone(page, url)

    assert (first.result(), second.result()) == ("TOUCH_REJECTED", "TOUCH_ACCEPTED")


def test_it_is_the_same_from_another_thread(mideye, rings, remote_page):
    asked = rings()

    assert answer_phone(remote_page, mideye.phone_url(NUMBER)) == "Pay 5 SEK"
    assert asked.result() == "TOUCH_ACCEPTED"


def test_a_context_will_do_as_well_as_a_page(mideye, rings, page):
    rings()

    assert answer_phone(page.context, mideye.phone_url(NUMBER)) == "Pay 5 SEK"


def test_a_page_whose_context_is_only_its_own_will_do_too(mideye, rings, chrome):
    page = chrome.new_page()
    rings()

    assert answer_phone(page, mideye.phone_url(NUMBER)) == "Pay 5 SEK"
    page.close()


def test_there_are_two_answers(page):
    with pytest.raises(ValueError, match="'maybe' is neither"):
        answer_phone(page, "about:blank", "maybe")

    assert page.context.pages == [page]
