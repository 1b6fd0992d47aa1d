"""Each approval, tried by everyone for everything: only its own request passes."""

from dataclasses import dataclass, field

import pytest
from django.contrib.auth import get_user_model
from django.utils import timezone

from django_magiclink import approvals
from django_magiclink.challenges import Challenge
from django_magiclink.models import ApiKey, Approval, Endpoint, PhoneNumber
from django_magiclink.status import Status

from ..conftest import NUMBER, Browser

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.covers("R04", "R18"),
    pytest.mark.covers("A01", "A02", "A03", "A04"),
]


@dataclass(frozen=True)
class Action:
    url: str
    fields: dict = field(default_factory=dict)

    def send(self, browser, **headers):
        send = browser.post if self.fields else browser.get
        return send(self.url, self.fields, headers=headers)


ACTIONS = {
    "a window": Action("/payroll/"),
    "the session": Action("/session/"),
    "a payment": Action("/transfer/", {"amount": "10", "payee": "Bo"}),
    "more money": Action("/transfer/", {"amount": "1000", "payee": "Bo"}),
    "another payee": Action("/transfer/", {"amount": "10", "payee": "Eve"}),
    "another query": Action("/transfer/?a=1", {"amount": "10", "payee": "Bo"}),
    "by POST": Action("/once/", {"amount": "10"}),
    "by GET": Action("/once/?amount=10"),
    "an endpoint": Action("/called/?who=Bo"),
    "another endpoint": Action("/called/?who=Bo&endpoint=second"),
}


@pytest.fixture
def browsers(user, endpoint):
    """Of a user in two sessions, and of another one on the same phone."""
    second = Endpoint.objects.create(name="second", base_url=endpoint.base_url)
    ApiKey(endpoint=second, name="second").enter("key")
    bo = get_user_model().objects.create_user("bo")
    PhoneNumber.objects.create(user=bo, number=NUMBER, verified_at=timezone.now())
    browsers = {"anna": Browser(), "anna again": Browser(), "bo": Browser()}
    for name, browser in browsers.items():
        browser.force_login(bo if name == "bo" else user)
    return browsers


def accept(refused):
    """Store what the phone of ``refused`` would have accepted."""
    wanted = Challenge.load(refused.wsgi_request, refused.json()["challenge"]).wanted
    return Approval.objects.create(
        user=refused.wsgi_request.user,
        scope=wanted.scope,
        text=wanted.text,
        binding=wanted.binding,
        session_hash=wanted.session_hash,
        status=Status.ACCEPTED,
        answered=timezone.now(),
    )


def passes(browsers, owner, action):
    """Return who gets past a guard, and where, by one approval of ``owner``."""
    Approval.objects.all().delete()
    approval = accept(ACTIONS[action].send(browsers[owner]))
    tried = [(who, what) for who in browsers for what in ACTIONS]
    # Its own request last, as that may use it up.
    tried.sort(key=lambda one: one == (owner, action))
    named = {"X-Approval": str(approval.pk)}
    return [
        (who, what)
        for who, what in tried
        if ACTIONS[what].send(browsers[who], **named).status_code == 200
    ]


@pytest.mark.parametrize("action", ACTIONS)
def test_an_approval_lets_its_own_request_pass_and_no_other(browsers, sandbox, action):
    for owner in browsers:
        assert passes(browsers, owner, action) == [(owner, action)]
    assert sandbox.calls == []


def test_the_matrix_finds_a_guard_that_takes_any_approval(browsers, monkeypatch):
    def any_row(sought, approval_id=""):
        return Approval.objects.values_list("pk", flat=True).first()

    monkeypatch.setattr(approvals, "find", any_row)
    monkeypatch.setattr(approvals, "consume", any_row)

    assert len(passes(browsers, "anna", "a payment")) == len(browsers) * len(ACTIONS)
