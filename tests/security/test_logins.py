"""No way to log in leads past an approval that a rule asks for after the login."""

import pytest
from django.contrib.auth.tokens import default_token_generator
from django.contrib.auth.views import PasswordResetConfirmView
from django.test import Client
from django.urls import include, path
from django.utils.encoding import force_bytes
from django.utils.http import urlsafe_base64_encode

from django_magiclink.binding import NONCE_KEY
from django_magiclink.conf import DEFAULT_LIMITS

from ..conftest import Browser
from ..doors.grants import GUARD
from ..doors.urls import urlpatterns as doors

pytestmark = pytest.mark.django_db(transaction=True)

reset = PasswordResetConfirmView.as_view(
    post_reset_login=True, success_url="/unguarded/", template_name="admin/login.html"
)
urlpatterns = [path("reset/<uidb64>/<token>/", reset), path("", include(doors))]

ANNA = {"username": "anna", "password": "secret"}
PAGES = ["/unguarded/", "/aunguarded/", "/admin/", "/models/tests/run/", "/api/open/"]


@pytest.fixture(autouse=True)
def rules(settings):
    settings.ROOT_URLCONF = __name__
    settings.MIDDLEWARE = [*settings.MIDDLEWARE, GUARD]
    settings.MAGICLINK_RULES = [{"all": True, "scope": "login", "max_age": "session"}]


@pytest.fixture
def staff(user):
    user.is_staff = user.is_superuser = True
    user.save()
    return user


@pytest.mark.covers("R24", "R25", "A10", "A14")
@pytest.mark.parametrize("login", ["/login/", "/admin/login/"])
def test_nothing_runs_between_the_login_and_its_approval(
    staff, endpoint, sandbox, runs, login
):
    browser = Browser()
    assert browser.post(f"{login}?next=/unguarded/", ANNA).status_code == 302

    refused = [browser.get(page) for page in PAGES]

    assert {answer.status_code for answer in refused} == {401}
    assert {answer.json()["scope"] for answer in refused} == {"login"}
    assert runs() == []
    browser.approve(refused[0], sandbox)
    assert {browser.get(page).status_code for page in PAGES} == {200}


@pytest.mark.covers("R20", "A12")
def test_a_session_that_was_fixed_before_the_login_is_not_the_victims(
    user, endpoint, sandbox, runs
):
    attacker, victim = Browser(), Browser()
    session = attacker.session
    session["theme"] = "dark"
    session.save()
    attacker.cookies["sessionid"] = victim.cookies["sessionid"] = session.session_key
    fixed = session.session_key

    victim.post("/login/", ANNA)
    victim.approve(victim.get("/mixed/"), sandbox)

    assert victim.get("/unguarded/").status_code == 200
    assert victim.cookies["sessionid"].value != fixed
    assert attacker.get("/mixed/").json()["reason"] == "login"
    assert runs() == ["unguarded"]


RULE = [{"view": "unguarded", "scope": "login", "max_age": "session"}]


@pytest.mark.covers("R20", "A12")
@pytest.mark.parametrize("given", [RULE, []])
@pytest.mark.parametrize("older", [False, True])
def test_a_half_open_session_that_was_planted_is_not_approved_for_the_thief(
    user, endpoint, sandbox, runs, settings, given, older
):
    settings.MAGICLINK_RULES = given
    attacker, victim = Browser(), Browser()
    attacker.post("/login/", ANNA)
    if older:
        # As one that began before this app was there.
        session = attacker.session
        del session[NONCE_KEY]
        session.save()
    planted = victim.cookies["sessionid"] = attacker.cookies["sessionid"]
    planted = planted.value

    victim.post("/login/", ANNA)
    path_ = "/unguarded/" if given else "/decorated/"
    victim.approve(victim.get(path_), sandbox)

    assert victim.cookies["sessionid"].value != planted
    assert victim.get(path_).status_code == 200
    attacker.cookies["sessionid"] = planted
    assert attacker.get(path_).status_code == 401
    assert len(runs()) == 1


@pytest.mark.covers("R20")
@pytest.mark.parametrize("given", [RULE, []])
def test_what_was_approved_outlives_a_login_in_the_same_session(
    user, endpoint, sandbox, settings, given
):
    settings.MAGICLINK_RULES = given
    settings.MAGICLINK_LIMITS = dict.fromkeys(DEFAULT_LIMITS)
    browser = Browser()
    browser.post("/login/", ANNA)
    if given:
        browser.approve(browser.get("/unguarded/"), sandbox)
    browser.approve(browser.get("/decorated/"), sandbox)

    browser.post("/login/", ANNA)

    assert browser.get("/unguarded/").status_code == 200
    assert browser.get("/decorated/").status_code == 200


@pytest.mark.covers("R25", "A13")
def test_a_reset_that_logs_in_still_needs_the_approval(user, endpoint, runs):
    browser = Browser()
    uid = urlsafe_base64_encode(force_bytes(user.pk))
    link = f"/reset/{uid}/{default_token_generator.make_token(user)}/"
    form = browser.get(link)["Location"]
    password = {"new_password1": "new-Secret-7", "new_password2": "new-Secret-7"}

    assert browser.post(form, password)["Location"] == "/unguarded/"

    assert browser.session["_auth_user_id"] == str(user.pk)
    assert browser.get("/unguarded/").json()["scope"] == "login"
    assert runs() == []


@pytest.mark.covers("R21", "A11")
def test_a_password_that_changes_while_the_phone_rings_ends_the_question(
    user, endpoint, sandbox, runs
):
    browser = Browser()
    browser.post("/login/", ANNA)
    sandbox.script("manual")
    browser.start(browser.get("/unguarded/"))
    sandbox.wait_for_calls(1)

    user.set_password("other")
    user.save()
    sandbox.accept()
    browser.finish_row()

    assert browser.get("/mixed/").json()["reason"] == "login"
    browser.post("/login/", ANNA | {"password": "other"})
    assert browser.get("/unguarded/").status_code == 401
    assert runs() == []


@pytest.mark.covers("R13", "A26")
def test_a_stranger_makes_no_phone_ring(user, endpoint, sandbox):
    browser = Browser()
    browser.post("/login/", ANNA)
    token = browser.get("/unguarded/").json()["challenge"]
    stranger = Client()

    for last in range(50):
        asked = {"challenge": token, "number": f"+467017406{last:02}", **ANNA}
        assert stranger.post("/magiclink/start/", asked).status_code == 403

    assert sandbox.calls == []
