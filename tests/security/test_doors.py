"""Every door, by every method, with every approval that is not the right one."""

from dataclasses import dataclass
from functools import partial

import pytest
from asgiref.sync import async_to_sync
from django.contrib.auth import get_user_model
from django.test import AsyncClient

from django_magiclink import approvals
from django_magiclink.models import Approval
from django_magiclink.status import Status

from ..conftest import Browser
from ..doors.grants import GUARD, grant
from ..models import Run

METHODS = ["GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE"]


@dataclass(frozen=True)
class Door:
    url: str
    body: str
    #: The methods by which its guard lets nobody pass without an approval.
    guarded: tuple[str, ...] = tuple(METHODS)
    asgi: bool = False

    def send(self, browser, method, **headers):
        if not self.asgi:
            return browser.generic(method, self.url, headers=headers)
        return under_asgi(browser, method, self.url, headers)


@async_to_sync
async def under_asgi(browser, method, url, headers):
    client = AsyncClient()
    client.cookies = browser.cookies
    return await client.generic(method, url, headers=headers)


DOORS = {
    "decorator": Door("/decorated/", "decorated"),
    "async decorator": Door("/adecorated/", "adecorated"),
    "async decorator under ASGI": Door("/adecorated/", "adecorated", asgi=True),
    "mixin": Door("/mixed/", "Mixed"),
    "async mixin": Door("/amixed/", "AsyncMixed"),
    "async mixin under ASGI": Door("/amixed/", "AsyncMixed", asgi=True),
    "middleware": Door("/ruled/", "ruled"),
    "middleware, async view": Door("/aruled/", "aruled"),
    "middleware, async view under ASGI": Door("/aruled/", "aruled", asgi=True),
    "DRF": Door("/api/", "Api"),
    "admin site": Door("/guarded/", "GuardedSite"),
    # Only a POST changes anything; Django shows the form by any other method.
    "model admin": Door("/models/tests/run/1/change/", "Noting", guarded=("POST",)),
}
UNGUARDED = Door("/unguarded/", "unguarded")

ONE = {"max_age": 60}
#: What the row is of, made from a request of whom, and whether it lets one pass.
STATES = {
    "no approval": None,
    "valid": ONE,
    "valid for one use": {"max_age": 0},
    "expired": ONE | {"ago": 61},
    "one use, too late": {"max_age": 0, "ago": 301},
    "other scope": ONE | {"scope": "other"},
    "of another user": ONE | {"who": "bo"},
    "of another session": ONE | {"who": "again"},
    "consumed": {"max_age": 0, "status": Status.CONSUMED},
    "revoked": ONE | {"status": Status.REVOKED},
    "rejected": ONE | {"status": Status.REJECTED},
}
#: Whether a guard refused, and how often the body ran.
REFUSED, RAN = (True, 0), (False, 1)
LETS_PASS = ("valid", "valid for one use")


@pytest.fixture(autouse=True)
def doors(settings):
    settings.ROOT_URLCONF = "tests.doors.urls"
    settings.MIDDLEWARE = [*settings.MIDDLEWARE, GUARD]
    settings.MAGICLINK_RULES = [{"view": "ruled"}, {"view": "aruled"}]


@pytest.fixture
def staff(user):
    user.is_staff = user.is_superuser = True
    user.save()
    Run.objects.create(pk=1, view="there")
    return user


@pytest.fixture
def browsers(staff):
    """Of the user, of another one, and of the same user in another session."""
    bo = get_user_model().objects.create_superuser("bo", password="secret")
    return {"anna": logged_in(staff), "bo": logged_in(bo), "again": logged_in(staff)}


def logged_in(user):
    browser = Browser()
    browser.force_login(user)
    return browser


def outcome(door, send):
    """Return whether a guard refused, how often the body ran, and the response."""
    Run.objects.filter(view=door.body).delete()
    response = send()
    ran = Run.objects.filter(view=door.body).count()
    return (response.status_code == 401, ran), response


class Row:
    """One door by one method, against each state."""

    def __init__(self, door, method, browsers, settings):
        self.door, self.method = door, method
        self.browsers, self.settings = browsers, settings
        self.is_guarded = method in door.guarded
        self.refusals = {}

    def check(self, state):
        """Send the request with the approval that ``state`` makes, if it makes one."""
        options = dict(STATES[state] or {})
        who = options.pop("who", "anna")
        Approval.objects.all().delete()
        refused = self.refuse(who, options.get("max_age", 60))
        if STATES[state] is None:
            return
        named = {"X-Approval": str(grant(refused, **options).pk)}

        passes = state in LETS_PASS or not self.is_guarded
        assert self.send("anna", **named)[0] == (RAN if passes else REFUSED), state
        if state == "valid for one use" and self.is_guarded:
            assert self.send("anna")[0] == REFUSED
            assert Approval.objects.get().status == Status.CONSUMED

    def refuse(self, who, max_age):
        """Return the response without an approval, asked for once."""
        self.settings.MAGICLINK_MAX_AGE = max_age
        if (who, max_age) not in self.refusals:
            seen, response = self.send(who)
            assert seen == (REFUSED if self.is_guarded else RAN)
            self.refusals[who, max_age] = response
        return self.refusals[who, max_age]

    def send(self, who, **headers):
        send = partial(self.door.send, self.browsers[who], self.method, **headers)
        return outcome(self.door, send)


@pytest.mark.covers(
    "R04", "R05", "R06", "R29", "R30", "A01", "A02", "A03", "A05", "A21"
)
@pytest.mark.django_db
@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("name", DOORS)
def test_a_body_runs_only_with_the_right_approval(name, method, browsers, settings):
    row = Row(DOORS[name], method, browsers, settings)

    for state in STATES if row.is_guarded else ["no approval", "valid", "consumed"]:
        row.check(state)


@pytest.mark.django_db
@pytest.mark.parametrize("method", METHODS)
def test_the_matrix_finds_a_body_without_a_guard(method, browsers, settings):
    row = Row(UNGUARDED, method, browsers, settings)

    for state in STATES:
        with pytest.raises(AssertionError):
            row.check(state)


@pytest.mark.django_db
@pytest.mark.parametrize("state", sorted({*STATES} - {*LETS_PASS, "no approval"}))
def test_the_matrix_finds_a_guard_that_takes_any_approval(
    browsers, settings, monkeypatch, state
):
    def any_row(wanted, approval_id=""):
        return Approval.objects.values_list("pk", flat=True).first()

    monkeypatch.setattr(approvals, "find", any_row)
    monkeypatch.setattr(approvals, "consume", any_row)
    row = Row(DOORS["decorator"], "GET", browsers, settings)

    with pytest.raises(AssertionError, match=state):
        row.check(state)


@pytest.mark.covers("R30")
@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("name", DOORS)
def test_each_door_opens_to_a_phone(name, browsers, endpoint, sandbox, settings):
    door, browser, method = DOORS[name], browsers["anna"], "POST"
    settings.MAGICLINK_MAX_AGE = 60
    seen, refused = outcome(door, partial(door.send, browser, method))
    assert seen == REFUSED
    assert browser.approve(refused, sandbox)["status"] == "accepted"

    assert outcome(door, partial(door.send, browser, method))[0] == RAN
    assert len(sandbox.calls) == 1
