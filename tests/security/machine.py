"""Whatever happens, in any order: the app does as :mod:`.reference` says."""

from collections import Counter

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from django_magiclink import approvals

from .cast import ACTIONS, ANSWERS, GUARDED, LISTED, User
from .reference import Reference
from .world import ENDPOINTS, NUMBERS, World

BROWSERS = 3


#: How the machine is run: the same steps each time, and nothing kept.
OFTEN = settings(
    derandomize=True,
    database=None,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)

#: How far somebody goes.
ends = st.sampled_from([1, 2, 3, 4, *[5] * 8])
browsers = st.integers(0, BROWSERS - 1)
guarded = st.sampled_from(GUARDED)
#: Mostly none.
pauses = st.sampled_from([0] * 10 + [29, 31, 61, 71, 101])
replies = st.sampled_from(["accept"] * 24 + list(ANSWERS))
#: What becomes of a code that is to be typed.
codes = st.sampled_from(["right"] * 4 + ["wrong", "cancelled", "left"])
#: What may happen between the tap and the next request.
twists = st.sampled_from([None] * 6 + ["new password"])
own_or_any = st.sampled_from([None, None, None, *range(BROWSERS)])
#: Which of several: 0 is the newest.
which = st.integers(0, 5)


#: How somebody gets an approval.
WAY = {
    "browser": browsers,
    "action": guarded,
    "name": replies,
    "pause": pauses,
    "code": codes,
    "twist": twists,
    "end": ends,
}


def pick(items, at):
    items = list(items)
    return items[-1 - at % len(items)]


class Machine(RuleBasedStateMachine):
    #: Whether a phone is to rest after what was not accepted.
    limits = False
    #: What has happened in all runs.
    happened = Counter()

    def __init__(self):
        super().__init__()
        anna, bo = User("anna", NUMBERS[0]), User("bo", NUMBERS[0])
        self.now = Reference([anna, bo], [None] * BROWSERS, self.limits)
        self.world = World({"anna": NUMBERS[0], "bo": NUMBERS[0]}, BROWSERS)
        Machine.world_of_today = self.world
        self.offers, self.states = [], {}
        for browser, user in enumerate([anna, anna, bo]):
            self.world.log_in(browser, user.name)
            self.now.log_in(browser, user)
        self.happened["runs"] += 1

    def teardown(self):
        self.world.close()

    @invariant()
    def every_approval_is_as_it_must_be(self):
        now = self.now
        rows = self.world.rows()
        for pk, state in self.world.changes:
            move = self.states.get(pk, "pending"), state
            assert move in LISTED
            self.states[pk] = state
            self.happened[" > ".join(move)] += 1
        self.world.changes.clear()
        assert self.states == {
            pk: state for pk, (state, _) in rows.items() if state != "pending"
        }
        assert rows == {
            each.id: (each.state, now.takes(each, each.offer.number))
            for each in now.asked
        }

    def browser_of(self, offer, browser=None):
        """``browser``, or the one that got ``offer`` if it is still logged in."""
        sessions = self.now.browsers
        own = sessions.index(offer.session) if offer.session in sessions else 0
        return own if browser is None else browser

    # Guarded requests.

    def look(self, browser, action, kind="plain", headers=None):
        expected, offer = self.now.request(browser, action, kind)
        came, response = self.world.request(browser, action, kind, headers or {})
        assert came == expected
        need = "guarded" if action.needs else "open"
        self.happened[f"{need}: {came or 'to be approved'}"] += 1
        if came == "":
            offer.token = response.json()["challenge"]
            self.offers.append(offer)
        self.step()
        return offer if came == "" else None

    def step(self):
        self.happened["steps"] += 1
        self.every_approval_is_as_it_must_be()

    @rule(
        browser=browsers,
        action=st.sampled_from(ACTIONS),
        kind=st.sampled_from(["plain", "plain", "plain", "preflight", "prefetch"]),
    )
    def somebody_requests(self, browser, action, kind):
        self.look(browser, action, kind)

    @precondition(lambda self: self.now.asked)
    @rule(at=which, browser=own_or_any, named=st.booleans())
    def somebody_repeats(self, at, browser, named):
        asked = pick(self.now.asked, at)
        headers = {"X-Approval": asked.id} if named else {}
        browser = self.browser_of(asked.offer, browser)
        self.look(browser, asked.offer.action, "plain", headers)

    # Starts, workers and phones.

    def begin(self, browser, offer, mood):
        before = len(self.now.asked)
        reason, asked = self.now.start(browser, offer, mood)
        response = self.world.start(browser, offer.token, mood)
        body = response.json()
        assert body.get("reason", "") == reason, (body, reason)
        joined = len(self.now.asked) == before
        if asked and not asked.id:
            known = {each.id for each in self.now.asked}
            [asked.id] = self.world.rows().keys() - known
        if not reason:
            assert response.status_code == (200 if joined else 201)
            assert body["id"] == asked.id
        self.happened[f"start: {reason or ('joined' if joined else 'new')}"] += 1
        self.step()
        return None if reason else asked

    @precondition(lambda self: self.offers)
    @rule(
        at=which,
        browser=own_or_any,
        mood=st.sampled_from(["works", "works", "works", "busy", "broken"]),
    )
    def the_phone_is_asked(self, at, browser, mood):
        offer = pick(self.offers, at)
        self.begin(self.browser_of(offer, browser), offer, mood)

    def deliver(self, asked, leaves):
        rings = self.now.deliver(asked, leaves)
        called = self.world.deliver(asked.id, leaves)
        assert called or not rings
        self.happened["rings"] += rings
        self.step()

    @precondition(lambda self: self.now.asked)
    @rule(at=which, leaves=st.sampled_from([True, True, True, False]))
    def a_worker_takes_a_job(self, at, leaves):
        self.deliver(pick(self.now.asked, at), leaves)

    def answers(self, asked, name):
        self.now.answer(asked, name)
        self.world.answer(asked.id, name)
        self.happened[f"answer: {name}"] += 1
        self.step()

    @precondition(lambda self: self.world.working)
    @rule(at=which, name=st.sampled_from(["accept", "dies", *ANSWERS]))
    def the_server_answers_or_the_worker_dies(self, at, name):
        ids = self.world.working
        asked = pick([each for each in self.now.asked if each.id in ids], at)
        if name == "dies":
            self.world.dies(asked.id)
            self.step()
        else:
            self.answers(asked, name)

    @precondition(lambda self: self.world.prompts)
    @rule(at=which, browser=own_or_any, right=st.sampled_from([True, True, False]))
    def a_code_is_typed(self, at, browser, right):
        rang = [each for each in self.now.asked if each.id in self.world.prompts]
        waiting = [each for each in rang if each.state == "confirming"]
        asked = pick(waiting or rang, at)
        self.type(self.browser_of(asked.offer, browser), asked, right)

    def type(self, browser, asked, right):
        code = self.world.prompts[asked.id].code
        code = code if right else f"{(int(code) + 1) % 100:02}"
        expected = self.now.type(browser, asked, right)
        assert self.world.post(browser, asked.id, code=code) == expected
        self.step()

    # The whole way, or as far as it goes; twice, so that as much goes well as wrong.

    @rule(**WAY)
    def somebody_gets_an_approval(self, **way):
        self.go_through(**way)

    @rule(**WAY)
    def somebody_gets_another(self, **way):
        self.go_through(**way)

    def go_through(self, browser, action, name, pause, code, twist, end):
        self.all_is_well_again()
        offer = self.look(browser, action)
        asked = self.begin(browser, offer, "works") if offer and end > 1 else None
        if asked is None and offer and end > 1:
            # It rests, or another prompt has it.
            self.pass_time(101)
            asked = self.begin(browser, offer, "works")
        if asked and end > 2:
            self.deliver(asked, True)
        if asked and asked.id in self.world.working and end > 3:
            self.pass_time(pause)
            self.answers(asked, name)
            if asked.state == "confirming":
                self.end_typing(browser, asked, code)
        if asked and end > 4 and twist:
            self.change_password(asked.offer, browser)
        if end > 4:
            self.look(browser, action, "preflight")
            self.look(browser, action)

    def end_typing(self, browser, asked, code):
        if code == "cancelled":
            self.cancel(browser, asked)
        elif code == "left":
            self.pass_time(61)
            self.clean_up()
            self.step()
        else:
            self.type(browser, asked, code == "right")

    # What a page can do beside.

    @precondition(lambda self: self.now.asked)
    @rule(at=which, browser=own_or_any)
    def somebody_cancels(self, at, browser):
        asked = pick(self.now.asked, at)
        self.cancel(self.browser_of(asked.offer, browser), asked)

    def cancel(self, browser, asked):
        expected = self.now.cancel(browser, asked)
        assert self.world.post(browser, asked.id, "cancel/") == expected
        self.step()

    @precondition(lambda self: any(e.state == "rejected" for e in self.now.asked))
    @rule(at=which, browser=browsers)
    def somebody_reports(self, at, browser):
        declined = [each for each in self.now.asked if each.state == "rejected"]
        asked = pick(declined, at)
        expected = self.now.report(browser, asked)
        assert self.world.post(browser, asked.id, "report/") == expected
        self.happened[f"report: {expected}"] += 1
        self.step()

    # What goes on around.

    @rule(
        seconds=st.sampled_from([1, 9, 29, 30, 31, 59, 60, 61, 70, 71, 100, 300, 601])
    )
    def time_passes(self, seconds):
        self.pass_time(seconds)
        self.step()

    def pass_time(self, seconds):
        self.now.now += seconds
        self.world.passes(seconds)

    def all_is_well_again(self):
        for at, user in enumerate(self.now.users):
            if not user.active:
                self.turn_user(user, quietly=True)
            if user.number is None:
                self.give_number(user, NUMBERS[at], quietly=True)
        for name in list(self.now.closed):
            self.turn_endpoint(name, quietly=True)
        for browser, at in enumerate([0, 0, 1]):
            if self.now.user_in(browser) is None:
                self.log_in(browser, self.now.users[at])

    @rule(
        what=st.sampled_from(["in", "out", "user", "revoke", "clean"]),
        browser=browsers,
        at=st.integers(0, 1),
        quietly=st.booleans(),
    )
    def something_happens_to_a_user(self, what, browser, at, quietly):
        user = self.now.users[at]
        if what == "in" and user.active:
            self.log_in(browser, user)
        elif what == "out":
            self.now.log_out(browser)
            self.world.log_out(browser)
        elif what == "user":
            self.turn_user(user, quietly)
        elif what == "revoke":
            self.now.end_of(user)
            approvals.revoke(self.world.user(user.name))
        else:
            self.clean_up()
        self.step()

    def clean_up(self):
        self.now.expire()
        approvals.expire()

    @precondition(lambda self: self.now.asked)
    @rule(at=which, browser=own_or_any)
    def a_password_changes(self, at, browser):
        offer = pick(self.now.asked, at).offer
        self.change_password(offer, self.browser_of(offer, browser))

    def change_password(self, offer, browser):
        session = self.now.browsers[browser]
        current = session and (session.user, session.password)
        kept = current == (offer.user, offer.user.password)
        self.now.change_password(offer.user, browser)
        self.world.change_password(offer.user.name, browser if kept else None)
        self.step()

    @rule(
        at=st.integers(0, 1),
        number=st.sampled_from([*NUMBERS, None]),
        endpoint=st.sampled_from([None, *ENDPOINTS]),
        quietly=st.booleans(),
    )
    def a_number_or_an_endpoint_changes(self, at, number, endpoint, quietly):
        if endpoint is None:
            self.give_number(self.now.users[at], number, quietly)
        else:
            self.turn_endpoint(endpoint, quietly)
        self.step()

    def log_in(self, browser, user):
        self.now.log_in(browser, user)
        self.world.log_in(browser, user.name)

    def turn_user(self, user, quietly):
        user.active = not user.active
        if not user.active and not quietly:
            self.now.end_of(user)
        self.world.set_active(user.name, user.active, quietly)

    def give_number(self, user, number, quietly):
        user.number = number
        if not quietly:
            self.now.end_of(user)
        self.world.set_number(user.name, number, quietly)

    def turn_endpoint(self, name, quietly):
        self.now.closed ^= {name}
        if name in self.now.closed and not quietly:
            self.now.end(lambda asked: asked.offer.need.endpoint == name)
        self.world.set_enabled(name, name not in self.now.closed, quietly)
