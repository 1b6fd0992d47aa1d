"""A person who looks at the dashboard in Chromium, under a strict policy."""

import pytest
from django.contrib.auth import get_user_model
from django.core.cache import cache
from django.test import Client
from django.utils import timezone
from playwright.sync_api import expect

from django_magiclink.models import Approval
from django_magiclink.outcomes import Outcome
from django_magiclink.status import Status

from .browsers import hide, launched

pytestmark = [pytest.mark.needs("chromium"), pytest.mark.django_db(transaction=True)]

PATH = "/admin/django_magiclink/approval/dashboard/"
POLICY = {"content-security-policy": "default-src 'self'"}
DRAWN = """canvas => canvas.getContext("2d").getImageData(
    0, 0, canvas.width, canvas.height).data.some(value => value)"""
#: How a colour of the style sheet reads once it is computed.
RATIO = """name => {
    const read = (colour) => {
        const one = document.createElement("canvas").getContext("2d");
        one.fillStyle = colour;
        one.fillRect(0, 0, 1, 1);
        return one.getImageData(0, 0, 1, 1).data;
    };
    const light = ([r, g, b]) => [r, g, b].map((value) => value / 255).map((value) =>
        value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4
    ).reduce((sum, value, at) => sum + value * [0.2126, 0.7152, 0.0722][at], 0);
    const styles = getComputedStyle(document.querySelector(".magiclink-dashboard"));
    const [low, high] = [
        styles.getPropertyValue(`--magiclink-${name}`),
        styles.getPropertyValue("--magiclink-paper"),
    ].map((colour) => light(read(colour.trim()))).sort((a, b) => a - b);
    return (high + 0.05) / (low + 0.05);
}"""
COLOUR = """() => Chart.getChart(document.querySelector("[data-card=time] canvas"))
    .data.datasets[0].backgroundColor"""


@pytest.fixture(scope="module")
def chrome():
    with pytest.MonkeyPatch.context() as patch, launched() as browser:
        # It has an event loop in this thread, of which the tests' queries know nothing.
        patch.setenv("DJANGO_ALLOW_ASYNC_UNSAFE", "1")
        yield browser


@pytest.fixture(autouse=True)
def _nothing_remembered():
    cache.clear()


def ask(status=Status.ACCEPTED):
    now = timezone.now()
    columns = {"scope": "payroll", "endpoint_name": "main", "sent": now}
    return Approval.objects.create(status=status, answered=now, **columns)


def strict(route):
    answer = route.fetch(max_redirects=0)
    route.fulfill(response=answer, headers={**answer.headers, **POLICY})


@pytest.fixture
def open_page(chrome, live_server):
    """Return a function that opens the dashboard, with such options of a context."""
    contexts = []

    def open_page(**options):
        client = Client()
        client.force_login(get_user_model().objects.create_superuser("root"))
        context = chrome.new_context(base_url=live_server.url, **options)
        contexts.append(context)
        cookie = {"name": "sessionid", "value": client.cookies["sessionid"].value}
        context.add_cookies([{**cookie, "url": live_server.url}])
        context.route("**/*", strict)
        page = context.new_page()
        page.said, page.asked = [], []
        page.on("console", lambda message: page.said.append(message.text))
        page.on("pageerror", lambda error: page.said.append(str(error)))
        page.on("request", lambda asked: page.asked.append(asked.url))
        page.clock.install()
        page.goto(PATH)
        return page

    yield open_page
    for context in contexts:
        context.close()


def data_requests(page):
    return sum("/dashboard/data/" in url for url in page.asked)


def pass_seconds(page, seconds):
    before = data_requests(page)
    page.clock.fast_forward(seconds * 1000)
    # What is under way answers before this does.
    page.evaluate("() => fetch('/static/django_magiclink/admin/dashboard.css')")
    return data_requests(page) - before


def value(page, tile):
    return page.locator(f"[data-tile={tile}] [data-value]")


def test_all_charts_are_drawn_under_a_strict_policy(open_page):
    ask()

    page = open_page()

    expect(page.locator(".magiclink-ready")).to_be_visible()
    canvases = page.locator("canvas[role=img][aria-label]")
    expect(canvases).to_have_count(5)
    page.clock.run_for(1000)
    assert all(canvas.evaluate(DRAWN) for canvas in canvases.all())
    assert page.said == []
    # The proof that it would have been heard.
    page.evaluate("document.body.setAttribute('style', 'color: red')")
    assert "Content Security Policy" in page.said[0]


def test_nothing_comes_from_elsewhere(open_page, live_server):
    page = open_page()

    expect(page.locator(".magiclink-ready")).to_be_visible()
    assert not [url for url in page.asked if not url.startswith(live_server.url)]


def test_fresh_numbers_come_without_a_reload(open_page):
    page = open_page()
    expect(value(page, "approvals")).to_have_text("0")
    page.get_by_text("Table: By scope").click()
    ask()

    page.clock.fast_forward(10_000)

    expect(value(page, "approvals")).to_have_text("1")
    expect(page.locator("[data-card=scopes] tbody tr")).to_contain_text(["payroll"])
    expect(page.locator("[data-card=scopes] .magiclink-empty")).to_be_hidden()
    labels = "() => Chart.getChart(document.querySelector"
    drawn = page.evaluate(f"{labels}('[data-card=scopes] canvas')).data.labels")
    assert drawn == ["payroll"]
    assert page.said == []


def test_the_numbers_can_be_held_still(open_page):
    page = open_page()
    pause = page.get_by_role("button", name="Pause")

    pause.click()

    expect(pause).to_have_attribute("aria-pressed", "true")
    assert pass_seconds(page, 60) == 0
    ask()
    pause.click()
    expect(pause).to_have_attribute("aria-pressed", "false")
    expect(value(page, "approvals")).to_have_text("1")


def test_a_hidden_tab_asks_for_nothing(open_page):
    page = open_page()
    hide(page, True)

    assert pass_seconds(page, 60) == 0
    ask()
    hide(page, False)
    expect(value(page, "approvals")).to_have_text("1")


def test_the_charts_follow_the_theme(open_page):
    page = open_page(color_scheme="light")
    expect(page.locator(".magiclink-ready")).to_be_visible()
    light = page.evaluate(COLOUR)

    page.emulate_media(color_scheme="dark")
    page.wait_for_function(f"before => ({COLOUR})() !== before", arg=light)
    dark = page.evaluate(COLOUR)
    # The admin's own switch goes on from "auto", which is dark, to light.
    page.locator("button.theme-toggle:visible").first.click()
    page.wait_for_function(f"before => ({COLOUR})() !== before", arg=dark)

    assert page.evaluate(COLOUR) == light


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_each_colour_is_seen_against_the_page(open_page, scheme):
    page = open_page(color_scheme=scheme)

    ratios = {name: page.evaluate(RATIO, name) for name in Outcome.values}

    assert {name: ratio for name, ratio in ratios.items() if ratio < 3} == {}


def test_who_wants_no_motion_sees_none(open_page):
    page = open_page(reduced_motion="reduce")
    moving = "() => Chart.getChart(document.querySelector('canvas')).options.animation"

    expect(page.locator(".magiclink-ready")).to_be_visible()
    assert page.evaluate(moving) is False


def test_whoever_is_logged_out_is_told_and_asks_no_more(open_page):
    page = open_page()
    trouble = page.locator("[data-trouble]")
    expect(trouble).to_be_hidden()

    page.context.clear_cookies()
    page.clock.fast_forward(10_000)

    expect(trouble).to_have_text(
        "The numbers are not refreshed any more. Load the page again."
    )
    assert pass_seconds(page, 60) == 0


def test_a_server_that_is_away_is_asked_again(open_page):
    page = open_page()
    page.context.route("**/dashboard/data/**", lambda route: route.abort())
    page.clock.fast_forward(10_000)
    trouble = page.locator("[data-trouble]")
    expect(trouble).to_have_text("The numbers could not be refreshed. Trying again.")

    ask()
    page.context.unroute("**/dashboard/data/**")
    page.clock.fast_forward(10_000)

    expect(value(page, "approvals")).to_have_text("1")
    expect(trouble).to_be_hidden()


def test_without_a_script_the_tables_stand_open(open_page):
    ask()

    page = open_page(java_script_enabled=False)

    expect(page.locator("[data-card=time] tbody tr")).to_have_count(24)
    expect(page.locator("[data-card=scopes] table")).to_be_visible()
    expect(page.locator("canvas").first).to_be_hidden()
    expect(page.locator("[data-pause]")).to_be_hidden()


@pytest.mark.parametrize("width", [320, 1280])
def test_nothing_is_cut_off(open_page, width):
    ask()

    page = open_page(viewport={"width": width, "height": 800})

    expect(page.locator(".magiclink-ready")).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth") <= width
