"""What must happen, worked out without a line of the app, to be held against it."""

from dataclasses import dataclass, field

from .cast import (
    ANSWERS,
    DAY,
    GRACE,
    LOCK,
    PAGE,
    RINGS,
    TYPE,
    UNDECIDED,
    USE,
    Asked,
    Offer,
    Session,
)


@dataclass
class Reference:
    """The world as it must be, and what must come of each event."""

    users: list
    browsers: list
    limits: bool = False
    now: int = 0
    asked: list = field(default_factory=list)
    closed: set = field(default_factory=set)

    # Who is there.

    def user_in(self, browser):
        """The user whose request it is; a session of an old password ends here."""
        session = self.browsers[browser]
        if session is None or not session.user.active:
            return None
        if session.password != session.user.password:
            self.browsers[browser] = None
            return None
        return session.user

    def log_in(self, browser, user):
        session = self.browsers[browser]
        kept = session and (session.user, session.password) == (user, user.password)
        # Nobody knows who began one in which nothing was ever approved.
        approved = any(
            asked.offer.session is session and asked.state == "accepted"
            for asked in self.asked
        )
        if not (kept and approved):
            self.browsers[browser] = Session(user, user.password)

    def log_out(self, browser):
        self.user_in(browser)
        session = self.browsers[browser]
        if session:
            self.end(lambda asked: asked.offer.session is session)
        self.browsers[browser] = None

    def change_password(self, user, kept_in):
        user.password += 1
        session = self.browsers[kept_in]
        if session and session.user is user and session.password == user.password - 1:
            session.password = user.password
        if not user.active:
            self.end_of(user)

    # What a guard says.

    def grants(self, asked, offer):
        need = offer.need
        return (
            asked.state == "accepted"
            and self.is_same(asked.offer, offer)
            and (
                need.seconds is None
                or asked.answered + (need.seconds or USE) >= self.now
            )
        )

    @staticmethod
    def is_same(one, other):
        return (one.need, one.user, one.session, one.password) == (
            other.need,
            other.user,
            other.session,
            other.password,
        )

    def request(self, browser, action, kind="plain"):
        """Return ``("ran" or "cleared" or a reason, the offer of a refusal)``."""
        passed = "cleared" if kind == "preflight" else "ran"
        for need in action.needs:
            user = self.user_in(browser)
            if user is None:
                return "login", None
            offer = Offer(
                need,
                user,
                self.browsers[browser],
                user.password,
                user.number,
                self.now,
                action,
            )
            found = [asked for asked in self.asked if self.grants(asked, offer)]
            if not found or (need.seconds == 0 and kind == "prefetch"):
                return self.unready(user, need), offer
            if kind == "preflight":
                return passed, None
            if need.seconds == 0:
                max(found, key=lambda asked: asked.answered).state = "consumed"
        return passed, None

    def unready(self, user, need):
        if user.number is None:
            return "no_phone"
        return "no_endpoint" if need.endpoint in self.closed else ""

    # What a start brings.

    def start(self, browser, offer, dispatch):
        """Return ``(reason or "", the approval)``."""
        if self.browsers[browser] is not offer.session:
            return "expired", None
        if self.now > offer.made + PAGE:
            return "expired", None
        user = self.user_in(browser)
        if user is None:
            return "inactive", None
        for asked in self.asked:
            waiting = asked.state in UNDECIDED and asked.deadline >= self.now
            if self.is_same(asked.offer, offer) and (
                waiting or self.grants(asked, offer)
            ):
                return "", asked
        if user.number not in (None, offer.number):
            return "expired", None
        if reason := self.unready(user, offer.need):
            return reason, None
        if any(self.takes(asked, offer.number) for asked in self.asked):
            return "limited", None
        if self.limits and self.must_rest(offer):
            return "limited", None
        asked = Asked(offer, self.now)
        self.asked.append(asked)
        if dispatch != "works":
            asked.state, asked.holds = "failed", False
            return "busy", asked
        return "", asked

    def takes(self, asked, number):
        return (
            asked.holds
            and asked.offer.number == number
            and asked.live_until >= self.now
        )

    def must_rest(self, offer):
        rang = [
            asked
            for asked in self.asked
            if asked.sent is not None
            and asked.state not in ("accepted", "consumed", "revoked")
        ]
        ofs = (
            (lambda asked: asked.offer.number == offer.number),
            (lambda asked: asked.offer.user is offer.user),
        )
        return any(self.is_tired([each for each in rang if of(each)]) for of in ofs)

    def is_tired(self, prompts):
        declines, silences = [], []
        for asked in prompts:
            ended = asked.live_until if asked.answered is None else asked.answered
            waits = asked.state in UNDECIDED
            if asked.reported is not None and self.now < asked.reported + LOCK:
                return True
            if asked.state == "cancelled" or (waits and asked.deadline >= self.now):
                continue
            declined = asked.state == "rejected" or asked.wrong_code
            if self.now < ended + (60 if declined else 30):
                return True
            if declined:
                declines.append(ended)
            elif waits or asked.state in ("no_answer", "expired"):
                silences.append(ended)
        sent = [asked.sent for asked in prompts]
        lately = [time for time in sent if time + 900 > self.now]
        today = [time for time in sent if time + DAY > self.now]
        return (
            len(lately) >= 5
            or len(today) >= 20
            or self.locks(declines, 3)
            or self.locks(silences, 5)
        )

    def locks(self, times, most):
        times = sorted(times)
        return any(
            times[at + most - 1] - times[at] <= LOCK
            and self.now < times[at + most - 1] + LOCK
            for at in range(len(times) - most + 1)
        )

    # What the phone and the page bring.

    def deliver(self, asked, leaves):
        """Tell whether the phone rings."""
        if asked.state != "pending" or self.now > asked.deadline:
            return False
        offer, user = asked.offer, asked.offer.user
        asked.state, asked.sent = "sent", self.now
        asked.deadline = self.now + RINGS[offer.need.endpoint] + GRACE
        asked.live_until = asked.deadline
        ready = user.active and user.number == offer.number
        if not ready or offer.need.endpoint in self.closed or not leaves:
            asked.state, asked.holds, asked.sent = "failed", False, None
            return False
        return True

    def answer(self, asked, name):
        *_, state, over = ANSWERS[name]
        if over:
            asked.holds = False
        user = asked.offer.user
        if state == "accepted":
            if not user.active or user.number != asked.offer.number:
                state = "failed"
            elif asked.offer.need.typed:
                state = "confirming"
        grants = state in ("accepted", "confirming")
        if asked.state != "sent" or (grants and self.now > asked.deadline):
            # Too late: noted, and that is all.
            asked.answered = self.now
            if asked.state in UNDECIDED:
                asked.state = "expired"
            return
        asked.state = state
        if over:
            asked.answered = self.now
        if state == "confirming":
            asked.deadline = self.now + TYPE

    def is_own(self, browser, asked):
        return self.browsers[browser] is asked.offer.session

    def type(self, browser, asked, right):
        if not self.is_own(browser, asked):
            return False
        if asked.state == "confirming" and asked.deadline >= self.now:
            asked.state = "accepted" if right else "failed"
            asked.wrong_code = not right
        return True

    def cancel(self, browser, asked):
        if not self.is_own(browser, asked):
            return False
        self._give_up(asked)
        return True

    def report(self, browser, asked):
        user = self.user_in(browser)
        if user is not asked.offer.user:
            return False
        if asked.state == "rejected" and asked.reported is None:
            asked.reported = self.now
            self.end_of(user)
        return True

    # What ends approvals.

    def end(self, whose):
        for asked in filter(whose, self.asked):
            if asked.state == "accepted":
                asked.state = "revoked"
            self._give_up(asked)

    def end_of(self, user):
        self.end(lambda asked: asked.offer.user is user)

    def _give_up(self, asked):
        if asked.state == "pending":
            asked.holds = False
        if asked.state in UNDECIDED:
            asked.state = "cancelled"

    def expire(self):
        for asked in self.asked:
            if asked.state in UNDECIDED and asked.deadline < self.now:
                asked.state = "expired"
