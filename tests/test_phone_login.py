import pytest
import time_machine
from django.contrib.auth import SESSION_KEY, get_user_model
from django.utils import timezone

from django_magiclink.models import Approval, Endpoint, PhoneNumber
from django_magiclink.phone_login import pace
from django_magiclink.status import UNDECIDED, Status

from .conftest import NUMBER, Browser
from .phone_login import settings as site
from .servers import until

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
    with time_machine.travel(timezone.now().timestamp() + 91, tick=True):
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


def broken(user):
    PhoneNumber.objects.update(number=NUMBER)
    Endpoint.objects.update(base_url="")


@pytest.mark.covers("R26", "A30")
@pytest.mark.parametrize("mode", ["type", "show"])
@pytest.mark.parametrize(
    "change", [nobody, inactive, unverified, shared, limited, engaged, unreachable]
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


def walk(browser):
    """Return all that tells about an attempt, without what is random in each."""
    answers = [
        browser.post(ASK, {"name": NUMBER}),
        browser.get(WAIT),
        browser.get(STATUS),
        browser.post(STATUS, {"code": "00"}),
        browser.get(STATUS),
        browser.get(WAIT),
        browser.post(ASK, {"name": NUMBER}),
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
        assert 60 < body.pop("expires_in", 90) <= 90 or body["final"]
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


def deleted(user):
    user.delete()


@pytest.mark.covers("R28", "R21")
@pytest.mark.parametrize(
    "change", [new_password, deactivated, another_number, no_number, deleted]
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
    settings.MIDDLEWARE = [
        *settings.MIDDLEWARE,
        "django_magiclink.middleware.ApprovalMiddleware",
    ]
    settings.MAGICLINK_RULES = [{"all": True, "scope": "login", "max_age": "session"}]
    sandbox.script("manual")
    begin(stranger)
    phone_says(sandbox, "accept", Status.CONFIRMING)
    type_code(stranger)
    stranger.post(FINISH)

    assert who(stranger) == str(user.pk)
    assert stranger.get("/exempt_not/").status_code == 404
    assert stranger.get("/get_only/").status_code == 401
