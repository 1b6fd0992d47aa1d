"""The phone of the test kit, in a browser that Playwright steers."""

from concurrent.futures import ThreadPoolExecutor

import pytest
import requests

from django_magiclink.testing import answer_phone

from .conftest import NUMBER

pytestmark = pytest.mark.needs("chromium")

TEXTS = {"authentication-text": "Pay 5 SEK", "sms-text": "Open the link"}


@pytest.fixture
def page(chrome):
    context = chrome.new_context()
    yield context.new_page()
    context.close()


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
def test_the_phone_is_answered_in_a_tab_of_its_own(mideye, rings, page, app, answer):
    mideye.set_phone(NUMBER, app=app)
    asked = rings()

    shown = answer_phone(page, mideye.phone_url(NUMBER), answer)

    assert shown == "Pay 5 SEK"
    assert asked.result() == f"TOUCH_{answer.upper()}ED"
    assert page.context.pages == [page]


def test_it_waits_for_a_ring_that_is_not_the_last_one(mideye, rings, page):
    url = mideye.phone_url(NUMBER)

    first, _ = rings(), answer_phone(page, url, "reject")
    second, _ = rings(), answer_phone(page, url)

    assert (first.result(), second.result()) == ("TOUCH_REJECTED", "TOUCH_ACCEPTED")


def test_a_context_will_do_as_well_as_a_page(mideye, rings, page):
    rings()

    assert answer_phone(page.context, mideye.phone_url(NUMBER)) == "Pay 5 SEK"


def test_there_are_two_answers(page):
    with pytest.raises(ValueError, match="'maybe' is neither"):
        answer_phone(page, "about:blank", "maybe")

    assert page.context.pages == [page]
