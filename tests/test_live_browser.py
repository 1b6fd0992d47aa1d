"""A page that waits, in Chromium: it hears the answer, and looks where it cannot."""

import re
import time
from collections import Counter
from contextlib import ExitStack
from functools import partial
from http.cookies import SimpleCookie

import pytest
from playwright.sync_api import Route, expect

from .browsers import hide
from .servers import until
from .test_live import HOSTILE

pytestmark = [pytest.mark.processes, pytest.mark.needs("chromium")]

CODE = re.compile(r"\d\d")
#: The address of a status.
LOOK = re.compile(r"/magiclink/[0-9a-f-]{36}/$")


@pytest.fixture
def sandbox(mideye):
    mideye.script("manual")
    yield mideye
    mideye.reset()


class Waiting:
    """A page that has asked the phone, in which time stands still."""

    def __init__(self, page, visitor):
        self.page, self.visitor = page, visitor
        self._looks = Counter()
        for event in ("request", "requestfinished", "requestfailed"):
            page.on(event, partial(self._note, event))

    def looks_in(self, seconds):
        """Let time pass, and return how often the page has looked meanwhile."""
        before = self._looks["request"]
        for _ in range(seconds):
            self.page.clock.run_for(1000)
            self.page.wait_for_timeout(20)
            while self._looks["request"] > self._looks["answered"]:
                self.page.wait_for_timeout(20)
        return self._looks["request"] - before

    def _note(self, event, request):
        if LOOK.search(request.url):
            self._looks["request" if event == "request" else "answered"] += 1


@pytest.fixture
def wait(chrome, sites, sandbox):
    """Opens a page of this kind of site that asks the phone, and stops its clock."""
    with ExitStack() as stack:

        def wait(cut=False, **server):
            site = sites("sqlite", **server)
            visitor = site.visitor()
            context = stack.enter_context(chrome.new_context())
            url = f"http://127.0.0.1:{site.port}"
            crumbs = SimpleCookie(visitor.headers["Cookie"])
            context.add_cookies(
                [
                    {"name": name, "value": crumb.value, "url": url}
                    for name, crumb in crumbs.items()
                ]
            )
            page = context.new_page()
            if cut:
                page.route("**/live/**", lambda route: route.abort())
            waiting = Waiting(page, visitor)
            page.clock.install()
            page.goto(f"{url}/once/")
            page.get_by_role("button", name="Ask my phone").click()
            expect(page.locator("[data-code]")).to_have_text(CODE)
            sandbox.wait_for_calls(1)
            page.clock.pause_at(time.time() + 1)
            return waiting

        yield wait


def quiet(waiting):
    """Return once the page looks no more, as it hears."""
    until(lambda: waiting.looks_in(5) == 0)


def test_a_page_that_hears_goes_on_by_itself(wait, sandbox):
    waiting = wait(**HOSTILE)
    quiet(waiting)

    # No timer of the page fires meanwhile.
    sandbox.accept(waiting.visitor.number)

    expect(waiting.page.locator("body")).to_have_text("once ran", timeout=30_000)


@pytest.mark.parametrize(
    "server", [HOSTILE | {"cut": True}, {}], ids=["cut off", "wsgi"]
)
def test_a_page_that_hears_nothing_looks(wait, sandbox, server):
    waiting = wait(**server)

    assert waiting.looks_in(10) >= 3
    sandbox.accept(waiting.visitor.number)
    until(lambda: waiting.visitor.approvals("a.status = 'accepted'"))
    waiting.page.clock.run_for(1500)

    expect(waiting.page.locator("body")).to_have_text("once ran", timeout=30_000)


def test_a_page_looks_again_at_once_when_its_stream_breaks(wait):
    waiting = wait(**HOSTILE, PURPOSE="to be killed")
    quiet(waiting)

    with waiting.page.expect_request(LOOK, timeout=10_000):
        waiting.visitor.site.process.kill()


@pytest.mark.parametrize("server", [HOSTILE, {}], ids=["asgi", "wsgi"])
def test_a_hidden_tab_asks_for_nothing_and_looks_when_it_is_seen(wait, sandbox, server):
    waiting = wait(**server)

    hide(waiting.page, True)
    waiting.looks_in(20)
    assert waiting.looks_in(20) == 0
    sandbox.accept(waiting.visitor.number)
    until(lambda: waiting.visitor.approvals("a.status = 'accepted'"))
    hide(waiting.page, False)

    expect(waiting.page.locator("body")).to_have_text("once ran", timeout=30_000)


@pytest.mark.parametrize(("header", "pause"), [("30", 29), ("soon", 3)])
def test_a_page_waits_as_long_as_the_site_says(wait, header, pause):
    waiting = wait()
    headers = {"Retry-After": header}
    busy = partial(Route.fulfill, status=503, headers=headers, body="")
    waiting.page.route(LOOK, busy)
    while not waiting.looks_in(1):
        pass
    expect(waiting.page.locator("[data-message]")).to_contain_text("No connection")

    assert waiting.looks_in(pause) == 0
    assert waiting.looks_in(2) == 1
