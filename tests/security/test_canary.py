"""A canary number and a canary key are driven through the app, then looked for."""

import pytest
from django import VERSION
from django.contrib.auth import get_user_model
from django.views.decorators.debug import sensitive_variables

from django_magiclink import calls, client, keys
from django_magiclink.challenges import Challenge
from django_magiclink.client import MideyeClient, Texts
from django_magiclink.conf import DEFAULT_LIMITS
from django_magiclink.exceptions import CallError, Limited
from django_magiclink.models import ApiKey, Approval, Endpoint, PhoneNumber
from django_magiclink.sandbox import FAULTS, Sandbox
from django_magiclink.sockets import ssl_context
from django_magiclink.transport import Call

from ..test_start import HTML, TEN, submit
from .artefacts import Stage
from .leaks import Canary, found

pytestmark = pytest.mark.django_db(transaction=True)

ADMIN = "/admin/django_magiclink"
#: No pause between prompts, however they ended.
#: What a header can carry and every way to quote has to change.
KEY = "k<\"'&%+/\\>Canary7f3a9bC0de55-x9z"
NUMBER = "+46739184627"
CANARIES = [
    Canary("key", KEY, "Canary7f3a9bC0de55"),
    Canary("number", NUMBER, "739184627"),
]
SESSIONS = ["db", "cached_db", "cache", "file", "signed_cookies"]


@pytest.fixture
def sandbox():
    with Sandbox(touch_timeout_scale=0.02, api_key=KEY) as sandbox:
        yield sandbox


@pytest.fixture
def stage(settings, capfd, monkeypatch, tmp_path, empty_cache):
    # From Django 6 on, addresses alone.
    settings.ADMINS = ["root@x.org"] if VERSION >= (6,) else [("root", "root@x.org")]
    settings.MAGICLINK_API_KEY = KEY
    settings.MAGICLINK_LIMITS = dict.fromkeys(DEFAULT_LIMITS)
    settings.SESSION_FILE_PATH = str(tmp_path)
    with Stage(settings, capfd, monkeypatch).watching() as stage:
        yield stage


@pytest.mark.parametrize("canary", CANARIES, ids=lambda canary: canary.name)
def test_the_search_knows_every_spelling(canary):
    for spelling, needle in canary.spellings().items():
        assert (("log", canary.name, spelling)) in found(
            CANARIES, {"log": ["", f"what was {needle}?"]}
        )
    assert found(CANARIES, {"log": [f"+46*******27 {KEY[-4:]}"]}) == []


@pytest.mark.covers("R32", "R36", "R42", "R43", "A39c", "A54")
def test_a_number_and_a_key_turn_up_nowhere(
    user, endpoint, sandbox, stage, monkeypatch, runs
):
    PhoneNumber.objects.update(number=NUMBER)
    root = get_user_model().objects.create_superuser("root", password="secret")
    # So that a server that never ends is given up on within the test.
    monkeypatch.setattr(client, "GRACE", -14.0)
    endpoint.timeout = 15
    endpoint.save()

    browser = ask_in_every_way(stage, user, sandbox)
    ask_in_vain(stage)
    staff = administer(stage, root, endpoint)
    crash(stage, browser, monkeypatch)
    stage.objects += objects(browser, endpoint, user)

    artefacts = stage.collect()
    assert len(sandbox.calls) > len(FAULTS)
    sent = {(call.headers["api-key"], call.number) for call in sandbox.calls}
    assert sent == {(KEY, NUMBER)}
    assert "called" in runs()
    assert [kind for kind, texts in artefacts.items() if not any(texts)] == [
        "standard output"
    ]
    assert found(CANARIES, artefacts) == []
    # The same search on the same stage finds a leak in each.
    stage.plant(f"{KEY} {NUMBER}", browser, staff)
    leaks = {(kind, name) for kind, name, _ in found(CANARIES, stage.collect())}
    assert leaks == {(kind, each.name) for kind in artefacts for each in CANARIES}


def ask_in_every_way(stage, user, sandbox):
    """Go through every answer and fault, every session backend, and the pages."""
    browser = stage.browser(user)
    for answer in ["reject", "ignore", "undeliverable", *FAULTS, "accept"]:
        url = f"/called/?who={answer}"
        browser.approve(browser.get(url), sandbox, answer)
        browser.get(url, headers=HTML)
        free()
    sandbox.script("accept")
    page = browser.post("/transfer/", TEN, headers=HTML)
    waiting = submit(browser, page, "data-start")
    browser.finish_row()
    submit(browser, waiting, "data-repeat")
    free()
    sandbox.script("manual")
    started = browser.start(browser.get("/payroll/"))
    # The phone is asked already, and another question has to wait.
    browser.start(browser.get("/session/"))
    browser.post(started.json()["cancel_url"])
    free()
    engine = stage.settings.SESSION_ENGINE
    for name in SESSIONS:
        stage.settings.SESSION_ENGINE = f"django.contrib.sessions.backends.{name}"
        other = stage.browser(user)
        other.approve(other.get("/payroll/"), sandbox)
        other.get("/payroll/")
        free()
    stage.settings.SESSION_ENGINE = engine
    return browser


def free():
    """Let the phone be asked again, as after the time of its prompt."""
    Approval.objects.update(live_slot=None)


def ask_in_vain(stage):
    """Let the client raise what it raises before anything is sent."""
    asker = MideyeClient("http://127.0.0.1:9", KEY)
    for number, timeout in [(NUMBER, 15), (NUMBER[1:], 15), (NUMBER, 14)]:
        try:
            asker.authenticate(number, timeout=timeout)
        except CallError as error:
            stage.catch(error)


def administer(stage, root, endpoint):
    """Enter a key and a number, look at every page, and get some of it wrong."""
    staff = stage.browser(root, stage.admin_answers)
    replace_key(staff, f"{ADMIN}/endpoint/{endpoint.pk}")
    phone = PhoneNumber.objects.get()
    known = {"user": phone.user_id, "number": NUMBER, "reason": "Known to be theirs"}
    changed = staff.post(f"{ADMIN}/phonenumber/{phone.pk}/change/", known)
    assert changed.status_code == 302
    PhoneNumber.objects.update(verified_at=phone.verified_at)
    staff.post(f"{ADMIN}/phonenumber/add/", {"user": "", "number": NUMBER})
    for row in [endpoint, phone, *ApiKey.objects.all(), *Approval.objects.all()]:
        model = f"{ADMIN}/{row._meta.model_name}"
        own = [f"{row.pk}/{page}/" for page in ("change", "history", "delete")]
        for page in ["", "add/", *own]:
            # Approvals are for reading only, and phones are not deleted.
            assert staff.get(f"{model}/{page}").status_code in (200, 302, 403)
    return staff


def replace_key(staff, pages):
    """Enter the key anew, as where no phone can be asked, test it, and go back."""
    endpoint = Endpoint.objects.get(is_default=True)
    ApiKey.objects.update(expires_on="2020-01-01")
    new = {"name": "web", "secret": KEY, "password": "secret"}
    new["origin"] = endpoint.origin
    for action in ("unlock", "enter", "use", "back"):
        shown = keys.previous(endpoint) if action == "back" else keys.staged(endpoint)
        fields = new | {"action": action, "key": shown.pk if shown else ""}
        assert staff.post(f"{pages}/key/", fields).status_code == 302
        ApiKey.objects.update(expires_on=None)
        for page in ("key", "test", "change"):
            assert staff.get(f"{pages}/{page}/").status_code == 200
    assert keys.previous(endpoint).name == "web"
    wrong = staff.post(f"{pages}/key/", new | {"action": "enter", "name": ""})
    assert wrong.status_code == 400
    staff.post(f"{pages}/test/", headers=HTML)


def crash(stage, browser, monkeypatch):
    """Let our own views crash, with DEBUG off and on."""
    for stage.settings.DEBUG in (False, True):
        # Where a number is at hand only without DEBUG, with which Django shows what it
        # would hide.
        places = ["views.reverse", "views.dispatch_for", "challenges.get_token"]
        for place in [*places, *(not stage.settings.DEBUG) * ["asking.mask"]]:
            refused = browser.get(f"/called/?who={place}-{stage.settings.DEBUG}")
            with monkeypatch.context() as patch:
                patch.setattr(f"django_magiclink.{place}", broken)
                browser.start(refused)
                browser.get("/called/")
            free()
    stage.settings.DEBUG = False


def objects(browser, endpoint, user):
    """Return one of each thing that holds the secrets, or comes near them."""
    refused = browser.get("/called/?who=objects")
    token = refused.json()["challenge"]
    challenge = Challenge.load(refused.wsgi_request, token)
    browser.start(refused)
    browser.finish_row()
    approval = Approval.objects.latest("created")
    key = endpoint.keys.get(retired=None)
    call = Call(ssl_context("", ""), 1)
    call.query, call.key = NUMBER.encode(), KEY.encode()
    things = [endpoint, endpoint.client(), key, key.sealed, approval, call]
    things += [challenge, challenge.wanted, calls._prepare(approval), Limited(1)]
    return [*things, PhoneNumber.objects.get(), Texts(title="Title"), user]


@sensitive_variables()
def broken(*args, **kwargs):
    raise ZeroDivisionError
