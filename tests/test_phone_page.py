"""The page where users add or change their phone, and the way to it."""

import pytest
from django.http import HttpResponse
from django.test import Client
from django.urls import include, path

from django_magiclink import bypasses, phone_urls, phone_views
from django_magiclink.decorators import approval_exempt
from django_magiclink.enrolment import change_number
from django_magiclink.models import Bypass, PhoneNumber

from .conftest import NUMBER, Browser
from .doors.grants import GUARD, NAVIGATION
from .doors.urls import urlpatterns as doors

pytestmark = pytest.mark.django_db(transaction=True)


def own(request):
    """Add a phone on a page of the project's own."""
    return change_number(request, request.POST["number"]) or HttpResponse("It counts")


urlpatterns = [
    path("my-phone/", include("django_magiclink.phone_urls")),
    path("own/", own),
    path("", include(doors)),
]
NEW = "+46701740677"
LOGIN = {"all": True, "scope": "login", "max_age": "session"}


@pytest.fixture(autouse=True)
def urls(settings):
    settings.ROOT_URLCONF = __name__


@pytest.fixture
def newcomer(django_user_model):
    """Somebody who has no phone yet."""
    browser = Browser()
    browser.user = django_user_model.objects.create_user("bo")
    browser.force_login(browser.user)
    return browser


@pytest.fixture
def second_step(settings):
    settings.MIDDLEWARE = [*settings.MIDDLEWARE, GUARD]
    settings.MAGICLINK_RULES = [LOGIN]


def text(response):
    return " ".join(response.content.decode().split())


def send(browser, number=NEW, query=""):
    return browser.post(f"/my-phone/{query}", {"number": number})


def test_the_page_shows_the_masked_phone(browser):
    page = browser.get("/my-phone/")

    assert page.status_code == 200
    assert "Approvals go to +46*******05." in text(page)
    assert NUMBER not in text(page)
    assert page["X-Frame-Options"] == "DENY"
    assert "no-store" in page["Cache-Control"]


@pytest.mark.covers("R23")
def test_a_first_phone_counts_once_it_has_agreed(newcomer, endpoint, sandbox):
    assert "No phone approves for you yet." in text(newcomer.get("/my-phone/"))

    newcomer.approve(send(newcomer), sandbox)
    assert not PhoneNumber.objects.verified(newcomer.user).exists()
    done = send(newcomer)

    assert done.status_code == 303
    page = text(newcomer.get(done["Location"]))
    assert "Your phone has agreed." in page
    assert "Approvals go to +46*******77." in page


@pytest.mark.covers("R22")
def test_another_phone_takes_the_place_of_one_that_agrees(
    browser, endpoint, sandbox, user
):
    for _ in range(2):
        browser.approve(send(browser), sandbox)
    send(browser)

    assert [call.number for call in sandbox.calls] == [NUMBER, NEW]
    assert PhoneNumber.objects.of(user) == NEW


@pytest.mark.parametrize("number", ["", "070-1740", "+46 not a number", "9" * 40])
def test_a_typo_rings_no_phone_and_is_not_lost(browser, endpoint, sandbox, number):
    page = send(browser, number)

    assert page.status_code == 400
    assert 'role="alert"' in text(page)
    assert f'value="{number}"' in text(page) or not number
    assert 'aria-invalid="true"' in text(page)
    assert sandbox.calls == []


@pytest.mark.parametrize(
    ("wanted", "landed"),
    [
        ("/payroll/?page=2", "/payroll/?page=2"),
        ("https://elsewhere.example/", "/my-phone/"),
        ("//elsewhere.example/", "/my-phone/"),
        ("javascript:alert()", "/my-phone/"),
    ],
)
def test_it_leads_back_on_this_site_only(newcomer, endpoint, sandbox, wanted, landed):
    query = f"?next={wanted.replace('?', '%3F')}"
    newcomer.approve(send(newcomer, query=query), sandbox)

    assert send(newcomer, query=query)["Location"] == landed
    page = text(newcomer.get(f"/my-phone/{query}"))
    assert (f'href="{wanted}"' in page) == (wanted == landed)


def test_strangers_log_in_first(user):
    assert Client().get("/my-phone/")["Location"] == "/login/?next=/my-phone/"
    assert Client().post("/my-phone/", {"number": NEW}).status_code == 302


def test_no_other_site_proposes_a_phone(user):
    browser = Browser(enforce_csrf_checks=True)
    browser.force_login(user)

    assert send(browser).status_code == 403


def test_where_the_project_keeps_the_numbers_there_is_no_page(browser, settings):
    settings.MAGICLINK_GET_PHONE_NUMBER = lambda user: NUMBER

    assert browser.get("/my-phone/").status_code == 404


# The way to it.


def test_whoever_has_no_phone_is_led_to_the_page_and_back(newcomer, endpoint):
    page = newcomer.get("/decorated/?a=1", headers=NAVIGATION)

    assert page.status_code == 401
    assert 'href="/my-phone/?next=%2Fdecorated%2F%3Fa%3D1"' in text(page)
    assert "Add yours first." in text(page)


def test_a_form_is_no_place_to_be_led_back_to(newcomer, endpoint):
    page = newcomer.post("/decorated/", headers=NAVIGATION)

    assert 'href="/my-phone/"' in text(page)


def test_without_the_page_nobody_is_led_there(newcomer, endpoint, settings):
    settings.ROOT_URLCONF = "tests.doors.urls"

    page = newcomer.get("/decorated/", headers=NAVIGATION)

    assert page.status_code == 401
    assert "Add your phone" not in text(page)


def test_where_the_project_keeps_the_numbers_nobody_is_led_there(
    newcomer, endpoint, settings
):
    settings.MAGICLINK_GET_PHONE_NUMBER = lambda user: None

    assert "Add your phone" not in text(newcomer.get("/decorated/", headers=NAVIGATION))


@pytest.mark.covers("R24", "A16")
def test_at_the_second_step_of_a_login_nobody_adds_a_phone(
    newcomer, endpoint, second_step, sandbox
):
    for path_ in ("/unguarded/", "/my-phone/"):
        page = newcomer.get(path_, headers=NAVIGATION)
        assert page.status_code == 401
        assert "Ask those who run this site" in text(page)
        assert "Add your phone" not in text(page)
    assert send(newcomer).json()["reason"] == "no_phone"
    assert sandbox.calls == []


@pytest.mark.covers("R23")
def test_a_site_may_trust_whoever_logs_in_first(
    newcomer, endpoint, second_step, sandbox, settings
):
    settings.MAGICLINK_EXEMPT = ["django_magiclink_phone:*"]
    page = newcomer.get("/unguarded/", headers=NAVIGATION)
    assert 'href="/my-phone/?next=%2Funguarded%2F"' in text(page)

    newcomer.approve(send(newcomer), sandbox)
    send(newcomer)

    # The phone that is new approves the login as well.
    refused = newcomer.get("/unguarded/")
    assert refused.json()["phone"] == "+46*******77"
    newcomer.approve(refused, sandbox)
    assert newcomer.get("/unguarded/").status_code == 200


PART = {"namespace": "bank", "scope": "login", "max_age": "session"}


@pytest.mark.covers("R24", "A10", "A16")
@pytest.mark.parametrize("path_", ["/my-phone/", "/own/"])
def test_nor_where_the_rule_for_the_login_names_another_part(
    newcomer, endpoint, second_step, settings, sandbox, path_
):
    settings.MAGICLINK_RULES = [PART]

    page = newcomer.get("/bank/free/", headers=NAVIGATION)
    refused = newcomer.post(path_, {"number": NEW})

    assert "Ask those who run this site" in text(page)
    assert (refused.json()["scope"], refused.json()["reason"]) == ("login", "no_phone")
    assert sandbox.calls == []
    assert not PhoneNumber.objects.exists()
    page = text(newcomer.get("/decorated/", headers=NAVIGATION))
    assert "Add your phone" not in page


@pytest.mark.covers("R24")
@pytest.mark.parametrize("path_", ["/my-phone/", "/own/"])
def test_a_rule_with_conditions_is_none_for_a_first_phone(
    newcomer, endpoint, second_step, settings, path_
):
    settings.MAGICLINK_RULES = [LOGIN | {"methods": ["PUT"]}]

    assert newcomer.post(path_, {"number": NEW}).json()["scope"] == "login"


@pytest.mark.covers("R22", "R23")
@pytest.mark.parametrize("rule", [PART, LOGIN])
def test_whoever_was_let_in_without_a_phone_adds_one(
    newcomer, endpoint, second_step, sandbox, settings, rule
):
    settings.MAGICLINK_RULES = [rule]
    let_in(newcomer, "/bank/free/")
    page = text(newcomer.get("/decorated/", headers=NAVIGATION))
    assert 'href="/my-phone/?next=%2Fdecorated%2F"' in page

    newcomer.approve(send(newcomer), sandbox)

    assert send(newcomer).status_code == 303
    assert PhoneNumber.objects.of(newcomer.user) == NEW


def let_in(browser, path_):
    bypasses.allow(Bypass(user=browser.user, reason="Lost"), None)
    page = browser.get(path_, headers=NAVIGATION).content.decode()
    challenge = page.split('name="challenge" value="')[1].split('"')[0]
    browser.post("/magiclink/bypass/", {"challenge": challenge})
    assert browser.get(path_).status_code == 200


@pytest.mark.parametrize(
    "exempt", [approval_exempt(phone_views.change), phone_views.change]
)
def test_the_page_may_be_exempt_by_a_mark(
    newcomer, endpoint, second_step, settings, exempt, monkeypatch
):
    monkeypatch.setattr(phone_urls.urlpatterns[0], "callback", exempt)

    page = text(newcomer.get("/unguarded/", headers=NAVIGATION))

    marked = exempt is not phone_views.change
    assert ("Add your phone" in page) == marked
    assert (newcomer.get("/my-phone/").status_code == 200) == marked


def test_a_rule_for_the_login_that_cannot_be_read_for_the_page_leads_nowhere(
    newcomer, endpoint, second_step, settings
):
    settings.MAGICLINK_RULES = [PART | {"params": ["account"]}]

    page = text(newcomer.get("/bank/free/?account=1", headers=NAVIGATION))
    other = text(newcomer.get("/decorated/", headers=NAVIGATION))

    assert "Add your phone" not in page
    assert "Add your phone" not in other


@pytest.mark.covers("R22")
def test_nor_does_that_let_a_thief_of_the_password_change_a_phone(
    browser, endpoint, second_step, sandbox, settings, user
):
    settings.MAGICLINK_EXEMPT = ["django_magiclink_phone:*"]

    refused = send(browser)

    assert refused.json()["phone"] == "+46*******05"
    assert PhoneNumber.objects.of(user) == NUMBER


def test_a_rule_without_a_scope_for_the_login_leads_to_no_page_that_it_closes(
    newcomer, endpoint, second_step, settings
):
    settings.MAGICLINK_RULES = [{"all": True}]

    page = newcomer.get("/my-phone/", headers=NAVIGATION)

    assert page.status_code == 401
    assert "Add your phone" not in text(page)
