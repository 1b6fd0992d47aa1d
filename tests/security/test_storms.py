"""What holds while many ask, and the earlier question ends in the meantime."""

import json
from collections import Counter
from datetime import UTC, datetime
from random import Random

import pytest

from ..servers import Sites, until
from ..storms import Letter, Owner, Watched, start_of, storm

pytestmark = pytest.mark.processes

FEW = 30
#: A storm in which no more phones rang has seen nothing end.
FEWEST = 10
NEEDS = pytest.mark.needs("postgres")
POSTGRES = pytest.param("postgres", marks=NEEDS)
#: Of a person who is asked too often nothing would be seen here.
WITHOUT_LIMITS = json.dumps(
    dict.fromkeys(
        [
            "cooldown",
            "reject_cooldown",
            "per_15_min",
            "per_day",
            "rejects_lock",
            "no_answers_lock",
        ]
    )
)


@pytest.fixture(scope="module")
def sandbox():
    # An unanswered prompt rings for 0.6 s.
    with Watched(touch_timeout_scale=0.01) as sandbox:
        yield sandbox


@pytest.fixture(scope="module")
def sites(sandbox, tmp_path_factory):
    with Sites(sandbox, tmp_path_factory) as sites:
        yield sites


@pytest.fixture(params=["sqlite", POSTGRES])
def kind(request):
    return request.param


@pytest.fixture
def site(sites, kind, sandbox):
    site = sites(kind, MAGICLINK_LIMITS=WITHOUT_LIMITS)
    sandbox.reset()
    site.said()
    yield site
    # Shown for a test that fails.
    print(site.said())


def crowd(site):
    """Return two sessions of one user, and another user, who have one phone."""
    first = site.visitor()
    return [first, first.elsewhere(), site.visitor(number=first.number)]


def rows(site, number, where):
    users = f"SELECT user_id FROM django_magiclink_phonenumber WHERE number='{number}'"
    return site.database.count(
        f"django_magiclink_approval WHERE user_id IN ({users}) AND {where}"
    )


def all_decided(site, number):
    undecided = "status IN ('pending', 'sent', 'confirming')"
    until(lambda: rows(site, number, undecided) == 0)


def give_up(visitor, refused, started):
    fields = {"csrfmiddlewaretoken": refused.json["csrf_token"]}
    return visitor.post(started.json["cancel_url"], fields)


@pytest.mark.covers("R05", "R07", "A24")
@pytest.mark.parametrize(
    ("kind", "starts"),
    [("sqlite", 500), pytest.param("postgres", 2_000, marks=NEEDS)],
)
def test_starts_while_earlier_ones_end_ring_one_at_a_time(site, sandbox, starts):
    visitors = crowd(site)
    refused = [visitor.get("/once/") for visitor in visitors]
    asks = [start_of(visitor, "/once/") for visitor in visitors]
    uses = [Letter(visitor, "GET", "/once/") for visitor in visitors]
    random, others = Random(24), []

    def act(number):
        who, chance = number % len(visitors), random.random()
        answer = asks[who].send()
        if answer.status == 201 and chance < 0.3:
            others.append(give_up(visitors[who], refused[who], answer).status)
        elif chance > 0.6:
            others.append(uses[who].send().status)
        return answer.status

    with Owner(sandbox, random):
        answers = Counter(storm(site, starts, act, lines=32))
        all_decided(site, visitors[0].number)

    assert set(answers) == {200, 201, 429}
    assert set(others) == {200, 401}
    assert sandbox.most == 1
    number = visitors[0].number
    assert rows(site, number, "TRUE") == answers[201] > FEWEST
    assert rows(site, number, "sent IS NOT NULL") == len(sandbox.calls) > FEWEST
    taps = Counter(call.code for call in sandbox.calls)
    granted = rows(site, number, "status IN ('accepted', 'consumed')")
    assert granted <= taps["TOUCH_ACCEPTED"]


def test_the_storm_finds_starts_without_the_slot(site, sandbox):
    visitors = crowd(site)
    refused = [visitor.get("/once/") for visitor in visitors]

    def act(number):
        who = number % len(visitors)
        return visitors[who].start(refused[who], "/planted_start/").status

    storm(site, FEW, act)
    all_decided(site, visitors[0].number)

    assert sandbox.most > 1


@pytest.mark.covers("R07", "A38")
@pytest.mark.parametrize("fault", ["drop", "gateway_timeout"])
def test_a_prompt_that_outlives_its_call_rings_alone(site, sandbox, fault):
    visitors = crowd(site)
    asks = [start_of(visitor, "/once/") for visitor in visitors]
    sandbox.script(fault, delay=0.05)

    answers = Counter(
        storm(site, FEW * 3, lambda number: asks[number % len(asks)].send().status)
    )
    all_decided(site, visitors[0].number)
    again = {ask.send().status for ask in asks}

    assert answers[201] == 1
    assert set(answers) <= {200, 201, 429}
    assert again == {429}
    assert len(sandbox.calls) == sandbox.most == 1


@pytest.mark.covers("R07")
def test_a_cancel_lets_no_storm_ring_before_the_phone_is_quiet(site, sandbox):
    visitor = site.visitor()
    refused, ask = visitor.get("/once/"), start_of(visitor, "/once/")
    started = ask.send()
    until(lambda: sandbox.calls)

    cancelled = give_up(visitor, refused, started)
    early = Counter(storm(site, FEW, lambda number: ask.send().status))
    until(lambda: visitor.approvals("a.live_slot IS NOT NULL") == 0)
    sandbox.script("manual")
    late = Counter(storm(site, FEW, lambda number: ask.send().status))
    all_decided(site, visitor.number)

    assert cancelled.json["status"] == "cancelled"
    assert set(early) <= {429, 201, 200}
    assert early[201] + late[201] == len(sandbox.calls) - 1
    assert sandbox.most == 1


@pytest.mark.covers("R04", "R21")
def test_a_number_that_changes_meanwhile_rings_no_more_and_grants_nothing(
    site, sandbox
):
    visitors = site.crowd(12)
    asks = [start_of(visitor, "/once/") for visitor in visitors]
    old = {visitor.number for visitor in visitors}
    sandbox.script("accept", delay=0.4)

    def change():
        sandbox.wait_for_calls(3, within=60)
        names = ", ".join(f"'{visitor.name}'" for visitor in visitors)
        site.database.query(
            f"UPDATE django_magiclink_phonenumber SET number = '+4671' || "
            f"substr(number, 6) WHERE user_id IN (SELECT id FROM auth_user WHERE "
            f"username IN ({names})) RETURNING id"
        )
        return datetime.now(UTC)

    def act(number):
        return asks[number - 1].send().status if number else change()

    changed, *answers = storm(site, len(asks) + 1, act, lines=4)
    until(lambda: all(call.code for call in sandbox.calls))
    undecided = "a.status IN ('pending', 'sent')"
    until(lambda: not any(visitor.approvals(undecided) for visitor in visitors))

    # A page that named the old number asks no other: 403, and it comes anew.
    assert {201} <= set(answers) <= {201, 403}
    moment = f"'{changed:%Y-%m-%d %H:%M:%S.%f}'"
    if site.database.url.startswith("postgres"):
        moment += "::timestamp AT TIME ZONE 'UTC'"
    at_old = [visitor for visitor in visitors if rang(sandbox, visitor.number)]
    assert at_old and not [one for one in at_old if one.approvals(f"a.sent > {moment}")]
    granted = [one for one in at_old if one.approvals("a.status = 'accepted'")]
    late = "a.status = 'failed' AND a.error_kind = 'no_phone'"
    assert not [one for one in granted if one.approvals(f"a.answered > {moment}")]
    assert [one for one in at_old if one.approvals(late)]
    assert {call.number for call in sandbox.calls} <= old


def rang(sandbox, number):
    return any(call.number == number for call in sandbox.calls)
