import json
from base64 import b64decode

import pytest
import time_machine
from asgiref.sync import async_to_sync
from django.contrib.auth import SESSION_KEY, aauthenticate, get_user_model
from django.contrib.auth.signals import user_login_failed
from django.core import signing
from django.core.cache import cache
from django.core.exceptions import ImproperlyConfigured
from django.utils import timezone

from django_magiclink.backends import MagicLinkBackend
from django_magiclink.checks.phone_login import (
    check_backend,
    check_code,
    check_second_step,
)
from django_magiclink.conf import DEFAULT_LIMITS
from django_magiclink.models import Approval, Endpoint, PhoneNumber
from django_magiclink.phone_login import budget, pace
from django_magiclink.signals import security_notice
from django_magiclink.status import UNDECIDED, Status

from ..conftest import NUMBER, Browser
from ..phone_login import settings as site
from ..servers import until

pytestmark = pytest.mark.django_db(transaction=True)

ASK, WAIT = "/login/phone/", "/login/phone/wait/"
STATUS, CANCEL, FINISH = (
    f"/login/phone/{name}/" for name in ("status", "cancel", "finish")
)
HTML = {"Accept": "text/html"}


@pytest.fixture(autouse=True)
def included(settings, monkeypatch):
    settings.ROOT_URLCONF = site.ROOT_URLCONF
    settings.AUTHENTICATION_BACKENDS = site.AUTHENTICATION_BACKENDS
    monkeypatch.setattr(pace, "STEP", 0.001)
    cache.clear()


@pytest.fixture
def stranger():
    return Browser()


def begin(browser, name=NUMBER, **fields):
    return browser.post(ASK, {"name": name} | fields, follow=True)


def phone_says(sandbox, answer, status):
    getattr(sandbox, answer)(NUMBER)
    until(Approval.objects.filter(status=status).exists)


def type_code(browser, code=None, headers=None):
    code = Approval.objects.get().code if code is None else code
    return browser.post(STATUS, {"code": code}, headers=headers)


def log_in(browser, sandbox):
    sandbox.script("manual")
    begin(browser)
    phone_says(sandbox, "accept", Status.CONFIRMING)
    type_code(browser)
    browser.post(FINISH)


def with_second_step(settings):
    guard = "django_magiclink.middleware.ApprovalMiddleware"
    settings.MIDDLEWARE = [*settings.MIDDLEWARE, guard]
    settings.MAGICLINK_RULES = [{"all": True, "scope": "login", "max_age": "session"}]


def who(browser):
    return browser.session.get(SESSION_KEY)


@pytest.mark.covers("R26", "R28")
@pytest.mark.parametrize("name", [NUMBER, "070-174 06 05", "anna", " anna "])
def test_whoever_accepts_and_types_the_code_is_logged_in(
    stranger, user, endpoint, sandbox, settings, name
):
    settings.MAGICLINK_PHONE_REGION = "SE"
    sandbox.script("manual")

    page = begin(stranger, name, next="/payroll/")
    phone_says(sandbox, "accept", Status.CONFIRMING)
    told = type_code(stranger).json()
    before = who(stranger)
    done = stranger.post(FINISH, {"next": "/payroll/"})

    assert "Log in with your phone" in page.content.decode()
    assert (told["status"], told["final"]) == ("accepted", True)
    assert before is None
    assert (done.status_code, done["Location"]) == (303, "/payroll/")
    assert who(stranger) == str(user.pk)
    assert stranger.session["_auth_user_backend"].endswith("MagicLinkBackend")
    row = Approval.objects.get()
    assert (row.status, row.purpose) == (Status.CONSUMED, "passwordless")
    assert "anna" in row.text
    assert stranger.cookies["magiclink_login"].value == ""


def test_without_a_script_the_code_logs_in_at_once(stranger, user, endpoint, sandbox):
    sandbox.script("manual")
    begin(stranger, next="/payroll/")
    phone_says(sandbox, "accept", Status.CONFIRMING)

    done = stranger.post(
        STATUS, {"code": Approval.objects.get().code, "next": "/payroll/"}, headers=HTML
    )

    assert (done.status_code, done["Location"]) == (303, "/payroll/")
    assert who(stranger) == str(user.pk)


def test_a_code_that_is_shown_is_the_one_on_the_phone(
    stranger, user, endpoint, sandbox, settings
):
    settings.MAGICLINK_PASSWORDLESS_CODE = "show"
    sandbox.script("manual")

    page = begin(stranger).content.decode()
    row = Approval.objects.get()
    waiting = stranger.get(STATUS).json()
    phone_says(sandbox, "accept", Status.ACCEPTED)
    told = stranger.get(STATUS).json()
    accepted = stranger.get(WAIT).content.decode()
    stranger.post(FINISH)

    assert f"data-code>{row.code}<" in page
    assert (waiting["status"], waiting["final"]) == ("sent", False)
    assert (told["status"], told["final"]) == ("accepted", True)
    assert 'data-state="accepted"' in accepted
    assert who(stranger) == str(user.pk)


@pytest.mark.covers("R12", "A30")
@pytest.mark.parametrize("mode", ["type", "show"])
@pytest.mark.parametrize(
    ("answer", "status"),
    [("reject", Status.REJECTED), ("undeliverable", Status.UNDELIVERED)],
)
def test_what_is_not_accepted_waits_until_the_full_time(
    stranger, user, endpoint, sandbox, settings, mode, answer, status
):
    settings.MAGICLINK_PASSWORDLESS_CODE = mode
    sandbox.script(answer)

    begin(stranger)
    until(Approval.objects.filter(status=status).exists)
    waiting = stranger.get(STATUS).json()
    with time_machine.travel(timezone.now().timestamp() + 121, tick=True):
        ended = stranger.get(STATUS).json()
        page = stranger.get(WAIT).content.decode()

    assert waiting["status"] in ("confirming", "sent")
    assert waiting["final"] is False
    assert (ended["status"], ended["final"]) == ("no_answer", True)
    assert ended["poll_after"] is None
    assert 'data-state="ended"' in page


def nobody(user):
    user.delete()


def inactive(user):
    user.is_active = False
    user.save()


def staff(user):
    user.is_staff = True
    user.save()


def superuser(user):
    user.is_superuser = True
    user.save()


def unverified(user):
    PhoneNumber.objects.update(verified_at=None)


def shared(user):
    bertil = get_user_model().objects.create_user("bertil")
    PhoneNumber.objects.create(user=bertil, number=NUMBER, verified_at=timezone.now())


def limited(user):
    now = timezone.now()
    row = {"user": user, "purpose": "passwordless", "sent": now, "answered": now}
    Approval.objects.create(status=Status.REJECTED, **row)


def engaged(user):
    browser = Browser()
    browser.force_login(user, "django.contrib.auth.backends.ModelBackend")
    assert browser.start(browser.get("/payroll/")).status_code == 201


def unreachable(user):
    Endpoint.objects.update(enabled=False)


@pytest.mark.covers("R26", "A30")
@pytest.mark.parametrize("mode", ["type", "show"])
@pytest.mark.parametrize(
    "change",
    [
        nobody,
        inactive,
        staff,
        superuser,
        unverified,
        shared,
        limited,
        engaged,
        unreachable,
    ],
)
def test_whoever_cannot_be_asked_looks_like_who_does_not_answer(
    stranger, user, endpoint, sandbox, settings, change, mode
):
    settings.MAGICLINK_PASSWORDLESS_CODE = mode
    sandbox.script("manual")
    known = Browser()
    with time_machine.travel(timezone.now().timestamp() - 3600, tick=True):
        real = walk(known)
        asked = Approval.objects.get()
        Approval.objects.all().delete()
        sandbox.reset()
    sandbox.script("manual")

    change(user)
    rows = Approval.objects.count()
    decoy = walk(stranger)

    assert asked.purpose == "passwordless"
    assert decoy == real
    assert Approval.objects.count() == rows
    assert stranger.cookies.get("sessionid") is None


def walk(browser, name=NUMBER):
    """Return all that tells about an attempt, without what is random in each."""
    answers = [
        browser.post(ASK, {"name": name}),
        browser.get(WAIT),
        browser.get(STATUS),
        browser.post(STATUS, {"code": "00"}),
        browser.get(STATUS),
        browser.get(WAIT),
        browser.post(ASK, {"name": name}),
        browser.get(WAIT),
        browser.post(CANCEL),
        browser.get(STATUS),
    ]
    told = [
        each.json() if each["Content-Type"] == "application/json" else {}
        for each in answers
    ]
    for body in told:
        # A second may have passed.
        assert 60 < body.pop("expires_in", 120) <= 120 or body["final"]
    return [
        (
            each.status_code,
            dict(each.items()),
            len(each.content),
            {name: len(crumb.OutputString()) for name, crumb in each.cookies.items()},
            body,
        )
        for each, body in zip(answers, told, strict=True)
    ]


@pytest.mark.covers("A30")
@pytest.mark.parametrize("code", ["", "9", "00"])
def test_a_wrong_code_fails_the_login_and_looks_like_one_that_waits(
    stranger, user, endpoint, sandbox, code
):
    sandbox.script("manual")
    begin(stranger)
    early = type_code(stranger).json()
    phone_says(sandbox, "accept", Status.CONFIRMING)

    wrong = type_code(stranger, code).json()
    right = type_code(stranger).json()
    stranger.post(FINISH)

    for told in (early, wrong, right):
        assert (told["status"], told["final"]) == ("confirming", False)
    assert early["message"] == wrong["message"] == right["message"]
    assert Approval.objects.get().error_kind == "code"
    assert who(stranger) is None


@pytest.mark.covers("R04", "R14")
def test_an_attempt_is_of_the_browser_that_began_it(stranger, user, endpoint, sandbox):
    sandbox.script("manual")
    begin(stranger)
    phone_says(sandbox, "accept", Status.CONFIRMING)
    code = Approval.objects.get().code
    thief = Browser()
    begin(thief)

    for browser in (thief, Browser()):
        type_code(browser, code)
        browser.post(FINISH)
        browser.post(CANCEL)

    assert Approval.objects.get().status == Status.CONFIRMING
    assert who(thief) is None
    type_code(stranger, code)
    stranger.post(FINISH)
    assert who(stranger) == str(user.pk)


@pytest.mark.covers("R05")
def test_an_acceptance_logs_in_once(stranger, user, endpoint, sandbox):
    sandbox.script("manual")
    begin(stranger)
    kept = stranger.cookies["magiclink_login"].value
    phone_says(sandbox, "accept", Status.CONFIRMING)
    type_code(stranger)
    stranger.post(FINISH)
    again = Browser()
    again.cookies["magiclink_login"] = kept

    again.post(FINISH)

    assert who(stranger) == str(user.pk)
    assert who(again) is None


def new_password(user):
    user.set_password("another")
    user.save()


def deactivated(user):
    get_user_model().objects.update(is_active=False)


def another_number(user):
    PhoneNumber.objects.update(number="+46701740606")


def no_number(user):
    PhoneNumber.objects.all().delete()


def not_verified(user):
    PhoneNumber.objects.update(verified_at=None)


def deleted(user):
    user.delete()


@pytest.mark.covers("R28", "R21")
@pytest.mark.parametrize(
    "change",
    [
        new_password,
        deactivated,
        staff,
        superuser,
        another_number,
        no_number,
        not_verified,
        deleted,
    ],
)
@pytest.mark.parametrize("when", ["ringing", "accepted"])
def test_what_changes_while_it_waits_ends_it(
    stranger, user, endpoint, sandbox, settings, change, when
):
    settings.MAGICLINK_PASSWORDLESS_CODE = "show"
    sandbox.script("manual")
    begin(stranger)
    until(lambda: sandbox.prompts(NUMBER))
    if when == "ringing":
        change(user)
    sandbox.accept(NUMBER)
    until(Approval.objects.exclude(status__in=UNDECIDED).exists)
    if when == "accepted":
        change(user)

    stranger.post(FINISH)

    assert who(stranger) is None


@pytest.mark.covers("R27", "A17")
@pytest.mark.parametrize("path", ["/payroll/", "/once/", "/session/"])
def test_a_login_with_the_phone_alone_opens_no_guard(
    stranger, user, endpoint, sandbox, path
):
    sandbox.script("manual")
    begin(stranger)
    phone_says(sandbox, "accept", Status.CONFIRMING)
    type_code(stranger)
    stranger.post(FINISH)

    assert who(stranger) == str(user.pk)
    assert stranger.get(path).status_code == 401


@pytest.mark.covers("R27", "A17")
def test_a_login_with_the_phone_alone_is_no_second_factor(
    stranger, user, endpoint, sandbox, settings
):
    with_second_step(settings)
    log_in(stranger, sandbox)

    asked = stranger.get("/get_only/")
    page = stranger.get("/get_only/", headers=HTML)

    assert who(stranger) == str(user.pk)
    # There is nothing that a second tap on the same phone could approve.
    assert (asked.status_code, asked.json()["reason"]) == (401, "login")
    assert "challenge" not in asked.json()
    assert "log in with your password" in page.content.decode()
    # No rule is for these, or nobody could log in again.
    assert stranger.get(ASK).status_code == 200


@pytest.mark.covers("R27", "A17")
def test_a_password_after_the_phone_makes_two_factors(
    stranger, user, endpoint, sandbox, settings
):
    with_second_step(settings)
    log_in(stranger, sandbox)
    refused = stranger.get("/get_only/")
    stranger.login(username="anna", password="secret")

    asked = stranger.get("/get_only/")
    stranger.approve(asked, sandbox)

    assert refused.json()["reason"] == "login"
    assert asked.json()["scope"] == "login"
    # What the view's own guard wants.
    assert stranger.get("/get_only/").json()["scope"] != "login"


@pytest.mark.covers("R27", "A17")
def test_who_becomes_staff_is_logged_out_of_a_login_with_the_phone_alone(
    stranger, user, endpoint, sandbox
):
    log_in(stranger, sandbox)
    before = stranger.get("/payroll/").json()
    superuser(user)
    after = stranger.get("/payroll/").json()

    assert "challenge" in before
    assert after["reason"] == "login"


@pytest.mark.covers("R16", "A20")
@pytest.mark.parametrize(
    "target",
    ["//evil.example/", "/\\evil.example", "https://evil.example/", "javascript:x", ""],
)
def test_a_login_leads_to_no_other_site(
    stranger, user, endpoint, sandbox, settings, target
):
    settings.LOGIN_REDIRECT_URL = "/payroll/"
    sandbox.script("manual")

    waiting = begin(stranger, next=target)
    phone_says(sandbox, "accept", Status.CONFIRMING)
    type_code(stranger)
    done = stranger.post(FINISH, {"next": target})

    assert waiting.redirect_chain == [(WAIT, 303)]
    assert done["Location"] == "/payroll/"
    form = stranger.get(ASK, {"next": target}).content.decode()
    assert 'name="next" value=""' in form


def test_who_wanted_a_page_is_led_there(stranger, user, endpoint):
    form = stranger.get(ASK, {"next": "/payroll/?year=2026"}).content.decode()
    waiting = begin(stranger, next="/payroll/?year=2026")

    assert 'value="/payroll/?year=2026"' in form
    assert waiting.redirect_chain == [(f"{WAIT}?next=%2Fpayroll%2F%3Fyear%3D2026", 303)]
    assert 'value="/payroll/?year=2026"' in waiting.content.decode()


@pytest.mark.covers("R13")
@pytest.mark.parametrize("path", [ASK, STATUS, CANCEL, FINISH])
def test_nothing_is_done_for_a_form_of_another_site(user, endpoint, sandbox, path):
    stranger = Browser(enforce_csrf_checks=True)

    refused = stranger.post(path, {"name": NUMBER})

    assert refused.status_code == 403
    assert Approval.objects.count() == 0


@pytest.mark.covers("R13")
@pytest.mark.parametrize("path", [CANCEL, FINISH])
def test_a_link_neither_cancels_nor_logs_in(stranger, user, endpoint, path):
    assert stranger.get(path).status_code == 405


def test_without_an_attempt_there_is_nothing_to_wait_for(stranger, db):
    assert stranger.get(WAIT)["Location"] == ASK
    assert stranger.get(STATUS).status_code == 404
    assert stranger.post(STATUS, {"code": "12"}).status_code == 404
    assert stranger.post(STATUS, {"code": "12"}, headers=HTML)["Location"] == ASK
    assert stranger.post(CANCEL).status_code == 200
    assert stranger.post(FINISH)["Location"] == WAIT


def test_who_types_nothing_is_told_so_and_nobody_is_asked(stranger, user, endpoint):
    page = begin(stranger, "")

    assert "This field is required." in page.content.decode()
    assert "magiclink_login" not in stranger.cookies


def test_a_form_that_is_sent_twice_rings_once(stranger, user, endpoint, sandbox):
    sandbox.script("manual")

    begin(stranger)
    first = stranger.cookies["magiclink_login"].value
    begin(stranger)
    second = stranger.cookies["magiclink_login"].value
    begin(stranger, "somebody else")

    until(lambda: sandbox.calls)
    assert first.split(":")[0] == second.split(":")[0]
    assert (
        stranger.cookies["magiclink_login"].value.split(":")[0] != first.split(":")[0]
    )
    assert Approval.objects.count() == 1


def test_who_cancels_is_asked_no_more(stranger, user, endpoint, sandbox):
    sandbox.script("manual")
    begin(stranger)

    done = stranger.post(CANCEL, headers=HTML)

    assert (done.status_code, done["Location"]) == (303, ASK)
    assert Approval.objects.get().status == Status.CANCELLED
    assert stranger.get(WAIT)["Location"] == ASK


def test_a_user_name_that_looks_like_anothers_number_gets_nothing(
    stranger, user, endpoint, sandbox
):
    sandbox.script("manual")
    mallory = get_user_model().objects.create_user(NUMBER)
    PhoneNumber.objects.create(
        user=mallory, number="+46701740606", verified_at=timezone.now()
    )

    begin(stranger)

    assert Approval.objects.get().user == user


def test_a_user_name_with_digits_in_it_is_no_number(
    stranger, user, endpoint, sandbox, settings
):
    settings.MAGICLINK_PHONE_REGION = "SE"

    begin(stranger, "bertil0701740605")
    begin(stranger, "0701")

    assert Approval.objects.count() == 0


def test_numbers_that_are_kept_elsewhere_cannot_be_searched(
    stranger, user, endpoint, sandbox, settings
):
    sandbox.script("manual")
    settings.MAGICLINK_GET_PHONE_NUMBER = lambda user: "+46701740606"

    begin(stranger)
    before = Approval.objects.count()
    begin(stranger, "anna")

    assert before == 0
    assert Approval.objects.get().masked_number == "+46*******06"


@pytest.mark.covers("R02", "A30")
def test_what_breaks_on_the_way_to_a_phone_does_not_show(
    stranger, user, endpoint, settings, caplog
):
    def broken(user):
        raise RuntimeError(NUMBER)

    settings.MAGICLINK_GET_PHONE_NUMBER = broken

    page = begin(stranger, "anna")

    assert page.status_code == 200
    assert stranger.get(STATUS).json()["status"] == "confirming"
    assert "RuntimeError" in caplog.text
    assert NUMBER not in caplog.text


def test_without_the_backend_the_first_page_says_what_is_missing(stranger, settings):
    settings.AUTHENTICATION_BACKENDS = site.AUTHENTICATION_BACKENDS[:1]

    with pytest.raises(ImproperlyConfigured, match="AUTHENTICATION_BACKENDS"):
        stranger.get(ASK)


@pytest.mark.parametrize("mode", [None, "", "other"])
def test_there_is_no_login_without_a_code(stranger, user, settings, mode):
    settings.MAGICLINK_PASSWORDLESS_CODE = mode

    with pytest.raises(ImproperlyConfigured, match='"type" or "show"'):
        begin(stranger)


def test_it_is_off_until_its_urls_are_included(stranger, settings, db):
    settings.ROOT_URLCONF = "tests.urls"

    assert stranger.get(ASK).status_code == 404


@pytest.mark.covers("A28", "R10")
def test_a_stranger_who_rings_a_phone_locks_its_owner_out_of_nothing(
    stranger, user, endpoint, sandbox
):
    owner = Browser()
    owner.force_login(user, "django.contrib.auth.backends.ModelBackend")
    sandbox.script("reject")
    for _ in range(5):
        begin(Browser())
    until(Approval.objects.filter(status=Status.REJECTED).exists)

    told = owner.approve(owner.get("/payroll/"), sandbox)

    assert Approval.objects.filter(purpose="passwordless").count() == 1
    assert told["status"] == "accepted"
    assert owner.get("/payroll/").status_code == 200


@pytest.mark.covers("A30")
def test_answers_take_whole_steps(monkeypatch):
    now, slept = [10.0], []
    monkeypatch.setattr(pace, "STEP", 0.5)
    monkeypatch.setattr(pace.time, "monotonic", lambda: now[0])
    monkeypatch.setattr(pace.time, "sleep", slept.append)

    with pace.even():
        now[0] += 0.125
    with pytest.raises(ValueError), pace.even():
        now[0] += 0.625
        raise ValueError

    assert slept == [0.375, 0.375]


@pytest.mark.parametrize(
    ("backends", "urls", "said"),
    [
        (site.AUTHENTICATION_BACKENDS, site.ROOT_URLCONF, False),
        (site.AUTHENTICATION_BACKENDS[:1], site.ROOT_URLCONF, True),
        (["nowhere.Backend"], site.ROOT_URLCONF, True),
        (site.AUTHENTICATION_BACKENDS[:1], "tests.urls", False),
        (site.AUTHENTICATION_BACKENDS[:1], "tests.nowhere", False),
    ],
)
def test_a_check_finds_that_the_backend_is_missing(settings, backends, urls, said):
    settings.AUTHENTICATION_BACKENDS = backends
    settings.ROOT_URLCONF = urls

    messages = check_backend()

    assert [each.id for each in messages] == ["django_magiclink.E025"] * said


SECOND_STEP = {"all": True, "scope": "login", "max_age": "session"}


@pytest.mark.covers("R27", "A17")
@pytest.mark.parametrize(
    ("rules", "backends", "urls", "said"),
    [
        ([SECOND_STEP], site.AUTHENTICATION_BACKENDS, site.ROOT_URLCONF, True),
        ([SECOND_STEP], site.AUTHENTICATION_BACKENDS, "tests.urls", True),
        ([SECOND_STEP], site.AUTHENTICATION_BACKENDS[:1], site.ROOT_URLCONF, True),
        ([SECOND_STEP], site.AUTHENTICATION_BACKENDS[:1], "tests.urls", False),
        ([{"all": True}], site.AUTHENTICATION_BACKENDS, site.ROOT_URLCONF, False),
        ([{"all": 1}], site.AUTHENTICATION_BACKENDS, site.ROOT_URLCONF, False),
        ("all", site.AUTHENTICATION_BACKENDS, site.ROOT_URLCONF, False),
    ],
)
def test_a_check_finds_a_phone_that_would_be_both_steps(
    settings, rules, backends, urls, said
):
    settings.MAGICLINK_RULES = rules
    settings.AUTHENTICATION_BACKENDS = backends
    settings.ROOT_URLCONF = urls

    messages = check_second_step()

    assert [each.id for each in messages] == ["django_magiclink.E026"] * said


@pytest.mark.parametrize(
    ("mode", "urls", "said"),
    [
        ("show", site.ROOT_URLCONF, True),
        ("show", "tests.urls", False),
        ("type", site.ROOT_URLCONF, False),
    ],
)
def test_a_check_warns_of_a_code_that_is_only_shown(settings, mode, urls, said):
    settings.MAGICLINK_PASSWORDLESS_CODE = mode
    settings.ROOT_URLCONF = urls

    assert [each.id for each in check_code()] == ["django_magiclink.W011"] * said


@pytest.mark.covers("R26", "A30")
def test_a_site_that_is_busy_looks_like_a_phone_that_nobody_answers(
    stranger, user, endpoint, sandbox, settings
):
    settings.MAGICLINK_MAX_WAITING = 0
    known, nobody = Browser(), Browser()

    real, decoy = walk(known), walk(nobody, "+46701740699")

    assert real == decoy
    assert Approval.objects.get().error_kind == "busy"
    assert sandbox.calls == []


@pytest.mark.covers("R20", "A12")
def test_a_session_from_before_the_login_is_not_the_users(
    stranger, user, endpoint, sandbox
):
    session = stranger.session
    session["basket"] = "kept"
    session.save()
    before = session.session_key
    sandbox.script("manual")
    begin(stranger)
    phone_says(sandbox, "accept", Status.CONFIRMING)
    type_code(stranger)
    stranger.post(FINISH)
    thief = Browser()
    thief.cookies["sessionid"] = before

    assert who(stranger) == str(user.pk)
    assert stranger.session["basket"] == "kept"
    assert stranger.session.session_key != before
    assert thief.get("/payroll/", headers=HTML).status_code == 302


@pytest.mark.covers("R05")
def test_a_login_uses_its_acceptance_up_in_a_site_of_transactions(
    stranger, user, endpoint, sandbox, atomic_requests
):
    sandbox.script("manual")
    begin(stranger)
    phone_says(sandbox, "accept", Status.CONFIRMING)
    type_code(stranger)
    stranger.post(FINISH)

    assert who(stranger) == str(user.pk)
    assert Approval.objects.get().status == Status.CONSUMED


@pytest.mark.covers("R14")
@pytest.mark.parametrize("change", [str.upper, lambda value: value[:-1], lambda _: "x"])
def test_an_attempt_that_was_tampered_with_is_none(stranger, user, endpoint, change):
    begin(stranger, "anna")
    stranger.cookies["magiclink_login"] = change(
        stranger.cookies["magiclink_login"].value
    )

    assert stranger.get(STATUS).status_code == 404


@pytest.mark.covers("R32")
def test_the_browser_keeps_neither_the_number_nor_what_scripts_can_read(
    stranger, user, endpoint
):
    begin(stranger)
    crumb = stranger.cookies["magiclink_login"]
    kept = b64decode(crumb.value.partition(":")[0] + "==", altchars=b"-_").decode()

    assert NUMBER not in kept
    assert (crumb["httponly"], crumb["samesite"]) == (True, "Strict")
    # Not the one to be typed: whoever rang the phone from elsewhere would read it.
    assert json.loads(kept)[3] == ""


@pytest.mark.covers("R16", "A20")
def test_whoever_is_logged_in_gets_the_page_and_is_led_nowhere(stranger, user):
    stranger.force_login(user, site.AUTHENTICATION_BACKENDS[0])

    # A page that only a user may see sends who may not see it here: no way back.
    page = stranger.get(ASK, {"next": "/payroll/"})

    assert page.status_code == 200
    assert "Location" not in page


@pytest.mark.covers("R20", "A12")
@pytest.mark.parametrize("name", ["bertil", "anna"])
def test_an_attempt_changes_no_session_that_is_logged_in(
    stranger, user, endpoint, sandbox, name
):
    sandbox.script("manual")
    begin(stranger)
    phone_says(sandbox, "accept", Status.CONFIRMING)
    type_code(stranger)
    get_user_model().objects.create_user("bertil")
    other = get_user_model().objects.get(username=name)
    stranger.force_login(other, site.AUTHENTICATION_BACKENDS[0])

    done = stranger.post(FINISH)

    assert who(stranger) == str(other.pk)
    assert stranger.session["_auth_user_backend"].endswith("ModelBackend")
    assert done.status_code == (303 if other == user else 200)
    told = "You are logged in as somebody else." in done.content.decode()
    assert told == (other != user)


@pytest.mark.covers("R21")
def test_a_logout_ends_what_was_accepted_for_a_login(stranger, user, endpoint, sandbox):
    sandbox.script("manual")
    begin(stranger)
    phone_says(sandbox, "accept", Status.CONFIRMING)
    type_code(stranger)
    stranger.force_login(user, site.AUTHENTICATION_BACKENDS[0])

    stranger.post("/logout/")
    stranger.post(FINISH)

    assert who(stranger) is None
    assert Approval.objects.get().status == Status.REVOKED


@pytest.mark.covers("R05")
def test_an_acceptance_that_is_too_old_begins_again(stranger, user, endpoint, sandbox):
    sandbox.script("manual")
    begin(stranger)
    phone_says(sandbox, "accept", Status.CONFIRMING)
    type_code(stranger)

    with time_machine.travel(timezone.now().timestamp() + 320, tick=True):
        done = stranger.post(FINISH)

    assert done["Location"] == ASK
    assert stranger.cookies["magiclink_login"].value == ""
    assert who(stranger) is None


@pytest.mark.covers("A30")
@pytest.mark.parametrize("attempted", [False, True])
def test_a_login_that_nobody_accepted_is_no_failed_one(
    stranger, user, endpoint, sandbox, attempted
):
    failed = []

    def note(**told):
        failed.append(told)

    user_login_failed.connect(note)
    sandbox.script("manual")
    if attempted:
        begin(stranger)
    stranger.post(FINISH)
    user_login_failed.disconnect(note)

    assert failed == []


def test_who_has_no_attempt_keeps_no_worker(stranger, db, monkeypatch):
    slept = []
    monkeypatch.setattr(pace.time, "sleep", slept.append)

    stranger.post(STATUS, {"code": "12"})
    stranger.post(CANCEL)

    assert slept == []


@pytest.mark.parametrize("content", [["x"], "x", 5, None, ["a", 1, 2, 3, 4, 5, 6]])
def test_an_attempt_of_another_release_is_none(stranger, user, content):
    salt = "django_magiclink.phone_login"
    stranger.cookies["magiclink_login"] = signing.dumps(content, salt=salt)

    assert stranger.get(WAIT)["Location"] == ASK
    assert stranger.get(STATUS).status_code == 404


@pytest.mark.covers("R20", "A12")
def test_who_was_given_an_attempt_sees_whose_account_it_is(
    stranger, user, endpoint, sandbox
):
    sandbox.script("manual")
    begin(stranger)
    before = stranger.get(WAIT).content.decode()
    phone_says(sandbox, "accept", Status.CONFIRMING)
    type_code(stranger)

    after = stranger.get(WAIT).content.decode()

    assert "anna" not in before
    assert "Continue as anna" in after


@pytest.mark.parametrize(
    ("secure", "path", "domain", "name"),
    [
        (True, "/", None, "__Host-magiclink_login"),
        (False, "/", None, "magiclink_login"),
        (True, "/app/", None, "magiclink_login"),
        (True, "/", "example.com", "magiclink_login"),
    ],
)
def test_the_cookie_is_of_this_host_only_where_it_can_be(
    stranger, user, settings, secure, path, domain, name
):
    settings.SESSION_COOKIE_SECURE = secure
    settings.SESSION_COOKIE_PATH, settings.SESSION_COOKIE_DOMAIN = path, domain

    crumbs = stranger.post(ASK, {"name": "nobody"}).cookies
    gone = stranger.post(CANCEL).cookies

    assert list(crumbs) == [name]
    assert bool(crumbs[name]["secure"]) is secure
    assert (crumbs[name]["path"], crumbs[name]["domain"]) == (path, domain or "")
    assert (list(gone), gone[name].value) == ([name], "")


FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"


@pytest.mark.parametrize(
    ("agent", "said"),
    [
        (FIREFOX, "Log in as anna. Asked from 127.0.0.1, Firefox."),
        ("Accept this/1.0", "Log in as anna. Asked from 127.0.0.1."),
    ],
)
def test_the_phone_says_who_asks(user, endpoint, sandbox, agent, said):
    sandbox.script("manual")

    begin(Browser(headers={"User-Agent": agent}))

    assert Approval.objects.get().text == said


def crowd(count):
    for number in range(count):
        one = get_user_model().objects.create_user(f"own{number}")
        columns = {"number": f"+467017407{number:02}", "verified_at": timezone.now()}
        PhoneNumber.objects.create(user=one, **columns)


@pytest.mark.covers("R26", "A30")
@pytest.mark.parametrize("candidate", [NUMBER, "+46701740699"])
def test_what_an_address_may_do_depends_on_nobody(
    user, endpoint, sandbox, settings, candidate
):
    settings.MAGICLINK_LIMITS = {"anonymous_per_hour": 4}
    sandbox.script("manual")
    crowd(5)

    for name in ["own0", "own1", "own2", candidate, "own3"]:
        begin(Browser(), name)
    elsewhere = Browser(REMOTE_ADDR="192.0.2.7")
    begin(elsewhere, "own4")

    rung = set(Approval.objects.values_list("user_name", flat=True))
    assert rung - {"anna"} == {"own0", "own1", "own2", "own4"}


@pytest.mark.covers("R26")
def test_who_logs_in_is_not_counted(user, endpoint, sandbox, settings):
    settings.MAGICLINK_LIMITS = {
        **dict.fromkeys(DEFAULT_LIMITS),
        "anonymous_per_hour": 1,
    }

    for _ in range(2):
        browser = Browser()
        log_in(browser, sandbox)
        Approval.objects.all().delete()
        sandbox.reset()
        assert who(browser) == str(user.pk)


@pytest.mark.covers("A30")
def test_what_is_over_the_limit_of_an_address_keeps_no_worker(
    user, settings, monkeypatch
):
    settings.MAGICLINK_LIMITS = {"anonymous_per_hour": 1}
    slept = []
    monkeypatch.setattr(pace.time, "sleep", slept.append)

    begin(Browser())
    begin(Browser())

    assert len(slept) == 1


def test_a_cache_that_is_down_keeps_nobody_from_logging_in(
    stranger, user, endpoint, sandbox, settings, monkeypatch
):
    def down(*args, **kwargs):
        raise ConnectionError

    for name in ("add", "incr", "decr"):
        monkeypatch.setattr(budget.cache, name, down)

    log_in(stranger, sandbox)

    assert who(stranger) == str(user.pk)
    assert budget.is_first_today("logins_limited", user.pk)


@pytest.mark.covers("A28")
def test_who_cannot_log_in_as_strangers_ring_the_phone_hears_of_it_once(
    user, endpoint, sandbox, settings
):
    settings.MAGICLINK_LIMITS = {**dict.fromkeys(DEFAULT_LIMITS), "per_day": 1}
    told = []

    def note(kind, details, **_):
        told.append((kind, list(details)))

    security_notice.connect(note)
    sandbox.script("reject")
    begin(Browser())
    until(Approval.objects.filter(status=Status.REJECTED).exists)
    for _ in range(2):
        begin(Browser())
    security_notice.disconnect(note)

    assert told == [("logins_limited", ["until"])]


def test_no_password_logs_in_by_this_backend_in_an_async_view_either(user, settings):
    settings.AUTHENTICATION_BACKENDS = site.AUTHENTICATION_BACKENDS[1:]
    backend = MagicLinkBackend()

    assert async_to_sync(aauthenticate)(username="anna", password="secret") is None
    assert async_to_sync(backend.aauthenticate)(None) is None
