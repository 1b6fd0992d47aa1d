"""May this phone, this user or this address be asked now, and if not, when?"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from itertools import takewhile
from math import ceil
from typing import NamedTuple

from django.core.exceptions import ImproperlyConfigured
from django.db.models import Q
from django.utils import timezone

from . import purposes
from .conf import DEFAULT_LIMITS, app_settings
from .exceptions import Limited
from .models import Approval
from .status import GRANTED, UNDECIDED, Status

#: What a limit may be.
LIMIT = "a whole number above 0, or None to turn it off"

#: Who else can make a phone ring is counted apart, and never locks the owner out.
_BUCKETS = {
    purposes.ENROL: [purposes.ENROL],
    purposes.PASSWORDLESS: [purposes.PASSWORDLESS],
}
_OWNER = [purposes.STEP_UP, purposes.LOGIN, purposes.TEST]
#: For those others: the longest wait, and the shortest time between two prompts. In
#: between, the phone is free for its owner.
OTHERS_TIMEOUT = 60
_OTHERS_COOLDOWN = 120

_MINUTE, _QUARTER, _HOUR, _DAY = 60, 900, 3600, 86400


class Prompt(NamedTuple):
    """One that has reached a phone, or may have, and was not accepted."""

    user_id: object
    number_hash: str
    status: str
    error_kind: str
    sent: datetime
    answered: datetime | None
    deadline: datetime
    live_until: datetime
    reported: datetime | None

    @property
    def ended(self) -> datetime:
        """When it was answered, or could not be any more."""
        return self.answered or self.live_until

    @property
    def is_refusal(self) -> bool:
        """Tell whether its user said no."""
        # Whoever typed a wrong code does not have the phone that was tapped.
        wrong_code = self.status == Status.FAILED and self.error_kind == "code"
        return self.status == Status.REJECTED or wrong_code

    @property
    def is_undecided(self) -> bool:
        """Tell whether it may still be answered."""
        return self.status in UNDECIDED and self.deadline >= timezone.now()

    @property
    def is_unanswered(self) -> bool:
        """Tell whether nobody answered."""
        late = self.status in UNDECIDED and not self.is_undecided
        return late or self.status in (Status.NO_ANSWER, Status.EXPIRED)


class Reached(NamedTuple):
    """A limit, and until when it holds."""

    until: datetime
    limit: str


def check(approval: Approval) -> None:
    """
    Raise :exc:`~django_magiclink.exceptions.Limited` if its phone may not be asked now.

    ``approval`` is inserted already, in a transaction that this rolls back: it holds
    the number's slot, so nobody else counts for that number meanwhile. For one user or
    one address with several numbers the count may be a few too low.
    """
    now = timezone.now()
    reached = [*_reached(approval), *_anonymous(approval)]
    ahead = [each for each in reached if each.until > now]
    if ahead:
        until, limit = max(ahead)
        raise Limited(ceil((until - now).total_seconds()), limit)


def locked_until(approval: Approval) -> datetime | None:
    """Return until when the phone is locked, after how ``approval`` has ended."""
    locks = [each for group in _groups(approval) for each in locks_of(group)]
    until = max((each.until for each in locks), default=timezone.now())
    return until if until > timezone.now() else None


def longest_wait(purpose: str, timeout: int) -> int:
    """Return for how many seconds, of ``timeout``, a phone may wait for an answer."""
    return min(timeout, OTHERS_TIMEOUT) if purpose in _BUCKETS else timeout


def failures_before(approval: Approval) -> int:
    """Return how many prompts of its user went wrong since one was last accepted."""
    asked = Approval.objects.primary().filter(
        user=approval.user_id,
        purpose__in=_BUCKETS.get(approval.purpose, _OWNER),
        created__gte=timezone.now() - timedelta(seconds=_DAY),
        created__lt=approval.created,
    )
    rows = asked.order_by("-created").values_list("status", "error_kind")
    since = list(takewhile(lambda row: row[0] not in GRANTED, rows))
    return sum(
        status in (Status.REJECTED, Status.NO_ANSWER) or kind == "code"
        for status, kind in since
    )


def value_of(name: str) -> int | None:
    """Return a limit as the site has it, ``None`` for one that is turned off."""
    value = {**DEFAULT_LIMITS, **app_settings.LIMITS}[name]
    # Not left to the system checks: a WSGI server does not run them.
    if not is_limit(value):
        raise ImproperlyConfigured(f"MAGICLINK_LIMITS: {name} must be {LIMIT}.")
    return value


def bucket_of(purpose: str) -> str:
    """Return which prompts are counted together with those of this purpose."""
    return purpose if purpose in _BUCKETS else "owner"


def reach() -> timedelta:
    """Return how long ago may be what makes a lock: one more decline, or a report."""
    lock = value_of("lock_seconds") or 0
    return timedelta(seconds=max(_DAY + lock, 2 * lock))


def is_limit(value: object) -> bool:
    """Tell whether ``value`` can be a limit."""
    return value is None or (type(value) is int and value > 0)


def _reached(approval: Approval) -> Iterator[Reached]:
    for prompts in _groups(approval):
        yield from _cooldowns(prompts, is_owner=approval.purpose not in _BUCKETS)
        yield from _caps(prompts)
        yield from locks_of(prompts)


def _groups(approval: Approval) -> list[list[Prompt]]:
    """The prompts that count, of its number and of its user, whoever shares them."""
    rows = (
        Approval.objects.primary()
        .filter(
            Q(number_hash=approval.number_hash) | Q(user=approval.user_id),
            purpose__in=_BUCKETS.get(approval.purpose, _OWNER),
            created__gte=timezone.now() - reach(),
            # One that never left has rung no phone.
            sent__isnull=False,
        )
        .exclude(status__in=GRANTED)
        .order_by("-sent")
    )
    prompts = [Prompt(*row) for row in rows.values_list(*Prompt._fields)]
    return [
        [each for each in prompts if each.number_hash == approval.number_hash],
        [each for each in prompts if each.user_id == approval.user_id],
    ]


def _cooldowns(prompts: Sequence[Prompt], is_owner: bool) -> Iterator[Reached]:
    for prompt in prompts:
        # The owner may go on whose phone still rings, or who declined as they should.
        if is_owner and (prompt.is_undecided or prompt.status == Status.CANCELLED):
            continue
        name = "reject_cooldown" if prompt.is_refusal else "cooldown"
        seconds = value_of(name)
        if seconds is not None:
            pause = seconds if is_owner else max(seconds, _OTHERS_COOLDOWN)
            yield Reached(prompt.ended + timedelta(seconds=pause), name)


def _caps(prompts: Sequence[Prompt]) -> Iterator[Reached]:
    sent = [each.sent for each in prompts]
    for name, seconds in (("per_15_min", _QUARTER), ("per_day", _DAY)):
        yield from _cap(sent, name, seconds)


def _cap(times: Sequence[datetime], name: str, seconds: int) -> Iterator[Reached]:
    most = value_of(name)
    if most is not None and len(times) >= most:
        yield Reached(times[most - 1] + timedelta(seconds=seconds), name)


def locks_of(prompts: Sequence[Prompt]) -> Iterator[Reached]:
    """Yield the locks that such prompts of one phone, or of one user, have made."""
    seconds = value_of("lock_seconds")
    if seconds is None:
        return
    period = timedelta(seconds=seconds)
    for name, times in (
        ("rejects_lock", [each.ended for each in prompts if each.is_refusal]),
        ("no_answers_lock", [each.ended for each in prompts if each.is_unanswered]),
    ):
        most, newest_first = value_of(name), sorted(times, reverse=True)
        # From the one that made it too many; what lies between does not count.
        for last, first in zip(
            newest_first, newest_first[(most or 1) - 1 :], strict=False
        ):
            if most is not None and last - first <= period:
                yield Reached(last + period, name)
    if "lock" in app_settings.ON_REPORT:
        for prompt in prompts:
            if prompt.reported is not None:
                yield Reached(prompt.reported + period, "reported")


def _anonymous(approval: Approval) -> Iterator[Reached]:
    if approval.purpose != purposes.PASSWORDLESS:
        return
    hour = _without_login(approval, _HOUR, address=approval.address)
    yield from _cap(hour, "anonymous_per_hour", _HOUR)
    # Of all addresses: whoever has many of them costs no more.
    minute = _without_login(approval, _MINUTE)
    yield from _cap(minute, "anonymous_per_minute", _MINUTE)


def _without_login(
    approval: Approval, seconds: int, **which: str
) -> Sequence[datetime]:
    now = timezone.now()
    rows = (
        Approval.objects.primary()
        .filter(
            # Those of other numbers that are about to be sent hold no slot of this one.
            Q(sent__isnull=False) | Q(status=Status.PENDING, start_by__gte=now),
            purpose=approval.purpose,
            created__gte=now - timedelta(seconds=seconds),
            **which,
        )
        .exclude(status__in=GRANTED)
        .exclude(pk=approval.pk)
    )
    return list(rows.order_by("-created").values_list("created", flat=True))
