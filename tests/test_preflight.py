"""Preflights, the card for a dialog, what htmx gets, and the page it leads to."""

from datetime import timedelta

import pytest
import time_machine
from django.core import signing
from django.test import Client
from django.utils import timezone

from django_magiclink.models import Approval, PhoneNumber
from django_magiclink.status import Status

from .conftest import NUMBER, Browser
from .doors.grants import GUARD, HTML, NAVIGATION, grant
from .models import Run
from .test_start import form, submit

pytestmark = pytest.mark.django_db

PREFLIGHT = {"X-Approval-Preflight": "1"}
DIALOG = {"X-Approval-Dialog": "1"}
HTMX = {"HX-Request": "true", "Accept": "*/*"}
HERE = "http://testserver/list/?page=2"

#: Every door: what is asked of it, and the options of its guard.
DOORS = {
    "decorator": ("/decorated/", {}),
    "async decorator": ("/adecorated/", {}),
    "single use": ("/single/", {"scope": "single", "max_age": 0}),
    "mixin": ("/mixed/", {}),
    "async mixin": ("/amixed/", {}),
    "middleware": ("/ruled/", {"scope": "rule"}),
    "middleware, async view": ("/aruled/", {"scope": "rule"}),
    "DRF": ("/api/", {}),
    "DRF, single use": ("/api/use/", {"max_age": 0}),
    "admin site": ("/guarded/", {}),
    "model admin": ("/models/tests/run/1/change/", {}),
}


@pytest.fixture(autouse=True)
def doors(settings):
    settings.ROOT_URLCONF = "tests.doors.urls"
    settings.MIDDLEWARE = [*settings.MIDDLEWARE, GUARD]
    settings.MAGICLINK_RULES = [
        {"view": "*ruled", "scope": "rule"},
        {"view": "ruled_one", "methods": ["POST"], "when": lambda request, pk: pk != 2},
        {"view": "silent", "max_age": 60, "text": "Look"},
    ]


@pytest.fixture
def staff(user):
    user.is_staff = user.is_superuser = True
    user.save()
    Run.objects.create(pk=1, view="there")
    return user


# Preflights.


@pytest.mark.parametrize("name", DOORS)
def test_a_preflight_runs_no_view_and_uses_nothing_up(
    browser, endpoint, staff, runs, name
):
    url, options = DOORS[name]
    refused = browser.post(url, headers=PREFLIGHT)
    assert refused.status_code == 401
    assert refused["Content-Type"] == "application/problem+json"
    assert "X-Approval" not in refused
    approval = grant(refused, **options)

    for _ in range(2):
        cleared = browser.post(url, headers=PREFLIGHT)
        assert cleared.status_code == 204
        assert cleared["X-Approval"] == "pass"
        assert "no-store" in cleared["Cache-Control"]
        assert cleared.content == b""

    approval.refresh_from_db()
    assert approval.status == Status.ACCEPTED
    assert runs() == ["there"]
    assert browser.post(url).status_code == 200
    assert len(runs()) == 2


@pytest.mark.parametrize(
    ("method", "url"),
    [
        # By its methods,
        ("get", "/ruled/2/"),
        ("get", "/attributed/"),
        ("get", "/api/attributed/"),
        ("options", "/api/attributed/"),
        # or by its "when".
        ("post", "/ruled/2/"),
        ("get", "/called/7/?when=no"),
    ],
)
def test_a_preflight_of_a_request_that_is_free_runs_no_view(
    browser, endpoint, runs, method, url
):
    cleared = getattr(browser, method)(url, headers=PREFLIGHT)

    assert cleared.status_code == 204
    assert cleared["X-Approval"] == "pass"
    assert runs() == []
    assert getattr(browser, method)(url).status_code == 200


def test_a_stranger_whom_all_lets_pass_runs_no_view_with_a_preflight(
    db, settings, runs
):
    settings.MAGICLINK_RULES = [{"all": True}]

    assert Client().get("/ruled/", headers=PREFLIGHT).status_code == 204
    assert runs() == []


def test_a_preflight_of_an_action_runs_nothing(browser, endpoint, staff, runs):
    chosen = {"action": "rename", "_selected_action": "1", "index": "0"}
    url = "/models/tests/run/"

    assert browser.post(url, chosen, headers=PREFLIGHT).status_code == 401
    grant(browser.post(url, chosen), scope="rename", max_age=0)
    assert browser.post(url, chosen, headers=PREFLIGHT)["X-Approval"] == "pass"

    assert runs() == ["there"]
    assert browser.post(url, chosen).status_code == 302
    assert runs() == ["renamed"]


@pytest.mark.django_db(transaction=True)
def test_a_preflight_may_be_the_one_that_asks(browser, endpoint, sandbox, runs):
    refused = browser.post("/single/", {"a": "1"}, headers=PREFLIGHT)
    browser.approve(refused, sandbox)

    assert browser.post("/single/", {"a": "1"}, headers=PREFLIGHT).status_code == 204
    assert browser.post("/single/", {"a": "1"}).status_code == 200
    assert browser.post("/single/", {"a": "1"}).status_code == 401
    assert runs() == ["single"]


@pytest.mark.parametrize("url", ["/single/", "/api/use/"])
@pytest.mark.parametrize("purpose", ["prefetch", "prefetch;prerender"])
def test_a_speculative_request_uses_nothing_up(browser, endpoint, runs, url, purpose):
    options = dict(dict(DOORS.values())[url])
    grant(browser.get(url), **options)

    refused = browser.get(url, headers={"Sec-Purpose": purpose})

    assert refused.status_code == 401
    assert "X-Approval" not in refused
    assert runs() == []
    assert browser.get(url).status_code == 200


def test_a_preflight_that_is_speculative_uses_nothing_up_either(
    browser, endpoint, runs
):
    grant(browser.get("/single/"), scope="single", max_age=0)
    headers = PREFLIGHT | {"Sec-Purpose": "prefetch"}

    assert browser.get("/single/", headers=headers).status_code in (204, 401)
    assert Approval.objects.get().status == Status.ACCEPTED
    assert runs() == []


# The card for a dialog.


def test_our_script_gets_a_card_in_the_problem(browser, endpoint, runs):
    secrets = {"password": "hunter2-canary", "amount": "10-canary"}

    refused = browser.post("/single/", secrets, headers=NAVIGATION | DIALOG | HTMX)

    problem = refused.json()
    card = problem["card"]
    assert refused.status_code == 401
    assert refused["Content-Type"] == "application/problem+json"
    assert set(problem) >= {"challenge", "start_url", "csrf_token", "card"}
    assert "<html" not in card
    assert "<body" not in card
    assert "<script" not in card
    assert "canary" not in refused.text
    assert NUMBER not in refused.text
    assert problem["phone"] in card
    assert form(refused_page(card), "data-start")[1]["challenge"]
    assert runs() == []


def refused_page(card):
    return type("Page", (), {"text": card})


def test_without_the_header_there_is_no_card(browser, endpoint):
    assert "card" not in browser.post("/single/").json()


@pytest.mark.parametrize("url", ["/ruled/", "/mixed/", "/api/", "/api/function/"])
def test_each_door_gives_the_card(browser, endpoint, url):
    refused = browser.post(url, headers=DIALOG)

    assert refused.status_code == 401
    assert "data-magiclink-card" in refused.json()["card"]


def test_a_card_says_what_is_missing_too(browser, endpoint):
    PhoneNumber.objects.all().delete()

    problem = browser.post("/single/", headers=DIALOG).json()

    assert problem["reason"] == "no_phone"
    assert "challenge" not in problem
    assert "no phone number is registered" in problem["card"]
    assert "<form" not in problem["card"]


def test_a_stranger_gets_a_card_that_leads_to_the_login(endpoint):
    headers = DIALOG | NAVIGATION | {"Referer": HERE}

    problem = Client().post("/single/", headers=headers).json()

    assert problem["reason"] == "login"
    assert "/login/?next=/list/%3Fpage%3D2" in problem["card"]
    assert "<form" not in problem["card"]


def test_a_card_of_another_site_has_no_fields(user, endpoint, runs):
    browser = Browser(enforce_csrf_checks=True)
    browser.force_login(user)
    headers = DIALOG | {"Origin": "https://evil.example"}

    # Django's own check comes first.
    assert browser.post("/single/", {"a": "1"}, headers=headers).status_code == 403
    assert runs() == []


@pytest.mark.django_db(transaction=True)
def test_a_start_from_the_card_answers_with_a_problem(
    browser, endpoint, sandbox, settings
):
    settings.MAGICLINK_MAX_WAITING = 0
    problem = browser.post("/single/", headers=DIALOG).json()
    fields = form(refused_page(problem["card"]), "data-start")[1]

    busy = browser.post(problem["start_url"], fields, headers=DIALOG | NAVIGATION)

    assert busy.status_code == 503
    assert busy.json()["reason"] == "busy"
    assert 'data-state="later"' in busy.json()["card"]


def test_the_script_may_start_only_on_this_site(browser, endpoint):
    own = {"Sec-Fetch-Site": "same-origin", "Sec-Fetch-Mode": "cors"}

    for headers, starts in [(own, "yes"), ({"Sec-Fetch-Site": "cross-site"}, "no")]:
        card = browser.post("/single/", headers=DIALOG | headers).json()["card"]
        assert f'data-autostart="{starts}"' in card


# htmx.


@pytest.mark.parametrize("method", ["post", "put", "delete"])
@pytest.mark.parametrize("url", ["/ruled/", "/single/", "/mixed/", "/api/"])
def test_htmx_gets_a_fragment(browser, endpoint, runs, method, url):
    headers = HTMX | NAVIGATION | {"HX-Current-URL": HERE}

    fragment = getattr(browser, method)(url, headers=headers)

    assert fragment.status_code == 401
    assert fragment["WWW-Authenticate"].startswith("MagicLink ")
    assert "HX-Redirect" not in fragment
    assert "HX-Request" in fragment["Vary"]
    assert "<html" not in fragment.text
    assert "<body" not in fragment.text
    assert "<main" not in fragment.text
    assert "data-magiclink-card" in fragment.text
    assert runs() == []


def test_htmx_that_gets_a_single_use_is_led_nowhere(browser, endpoint):
    fragment = browser.get("/single/", headers=HTMX | {"HX-Current-URL": HERE})

    assert fragment.status_code == 401
    assert "HX-Redirect" not in fragment
    assert "data-magiclink-card" in fragment.text


def led_to(browser, url="/silent/", **headers):
    answer = browser.get(url, headers=HTMX | {"HX-Current-URL": HERE} | headers)
    assert answer.status_code == 401
    assert answer.content == b""
    return answer["HX-Redirect"]


def test_htmx_that_gets_is_led_to_our_page(browser, endpoint, runs):
    address = led_to(browser)
    assert address.startswith("/magiclink/ask/?challenge=")

    page = browser.get(address, headers=NAVIGATION)

    assert page.status_code == 200
    assert "<html" in page.text
    assert "Look" in page.text
    assert 'href="/list/?page=2"' in page.text
    assert page["X-Frame-Options"] == "DENY"
    assert page["Cache-Control"] == "private, no-store"
    assert runs() == []


@pytest.mark.django_db(transaction=True)
def test_the_page_leads_back_and_htmx_goes_on(browser, endpoint, sandbox):
    sandbox.script("accept")
    page = browser.get(led_to(browser), headers=NAVIGATION)

    back = submit(browser, page, "data-start")

    assert back.status_code == 303
    assert back["Location"] == "/list/?page=2"
    browser.finish_row()
    assert browser.get("/silent/", headers=HTMX).content == b"silent"


def test_a_boosted_link_leads_to_the_page_that_it_is_for(browser, endpoint):
    page = browser.get(
        led_to(browser, "/silent/?a=1", **{"HX-Boosted": "true"}), headers=NAVIGATION
    )

    assert 'href="/silent/?a=1"' in page.text
    assert "/list/" not in page.text


def test_htmx_of_a_stranger_gets_a_fragment_that_leads_to_the_login(endpoint):
    headers = HTMX | {"HX-Current-URL": HERE}

    fragment = Client().get("/silent/", headers=headers)

    assert fragment.status_code == 401
    assert "HX-Redirect" not in fragment
    assert "/login/?next=/list/%3Fpage%3D2" in fragment.text


def test_our_script_is_led_nowhere_by_htmx(browser, endpoint):
    refused = browser.get("/silent/", headers=HTMX | DIALOG | {"HX-Current-URL": HERE})

    assert "HX-Redirect" not in refused
    assert "card" in refused.json()


# The page that htmx is led to.


def ask(token):
    return f"/magiclink/ask/?challenge={token}"


def test_the_page_shows_nothing_of_a_post(browser, endpoint):
    token = browser.post("/single/", {"a": "1"}).json()["challenge"]

    page = browser.get(ask(token), headers=NAVIGATION)

    assert page.status_code == 403
    assert "too old" in page.text


@pytest.mark.parametrize("token", ["", "nonsense", "a:b:c"])
def test_the_page_shows_nothing_that_is_not_ours(browser, endpoint, token):
    assert browser.get(ask(token), headers=NAVIGATION).status_code == 403
    assert browser.get("/magiclink/ask/", headers=NAVIGATION).status_code == 403
    assert browser.get(ask(token)).json()["reason"] == "expired"


def test_the_page_is_of_one_session(browser, endpoint, user, django_user_model):
    address = led_to(browser)
    thief, bo = Browser(), Browser()
    thief.force_login(user)
    bo.force_login(django_user_model.objects.create_user("bo"))

    for other in (thief, bo, Client()):
        page = other.get(address, headers=NAVIGATION)
        assert page.status_code == 403
        assert "Look" not in page.text
    assert browser.get(address, headers=NAVIGATION).status_code == 200


def test_the_page_comes_fresh_when_its_challenge_is_old(browser, endpoint):
    address = led_to(browser)

    with time_machine.travel(timezone.now() + timedelta(seconds=601)):
        page = browser.get(address, headers=NAVIGATION)

        assert page.status_code == 200
        token = form(page, "data-start")[1]["challenge"][0]
        assert signing.loads(token, salt="django_magiclink.challenge", max_age=5)


def test_the_page_only_looks(browser, endpoint, sandbox):
    address = led_to(browser)

    for method in ("post", "put", "delete", "options"):
        assert getattr(browser, method)(address).status_code == 405
    assert browser.head(address, headers=NAVIGATION).status_code == 200
    assert not Approval.objects.exists()
    assert sandbox.calls == []


def test_the_page_does_not_start_by_itself_for_another_site(browser, endpoint):
    address = led_to(browser)
    from_elsewhere = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-User": "?1"}

    page = browser.get(address, headers=NAVIGATION | from_elsewhere)

    assert 'data-autostart="no"' in page.text


def test_the_page_is_no_answer_to_a_program(browser, endpoint):
    answer = browser.get(led_to(browser), headers=HTML | {"Sec-Fetch-Dest": "empty"})

    assert answer["Content-Type"] == "application/problem+json"
    assert "card" not in answer.json()
