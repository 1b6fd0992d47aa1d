"""One login without the phone: allowed by staff, ended by them, or used once."""

from __future__ import annotations

from functools import partial
from typing import Any

from django.db import router, transaction
from django.http import HttpRequest
from django.utils import timezone

from . import notices
from .identities import is_phone_alone
from .models import Approval, Bypass
from .models.bypass import BypassQuerySet
from .purposes import LOGIN
from .signals import bypass_changed
from .status import Status
from .wanted import Wanted

#: What the row of an approval says that no phone has given.
ANSWER = "BYPASS"


def allow(bypass: Bypass, by: Any) -> None:
    """Store ``bypass`` as what ``by`` allows; an earlier one of its user ends."""
    with transaction.atomic(using=router.db_for_write(Bypass)):
        end(Bypass.objects.filter(user=bypass.user), by)
        bypass.by = by
        bypass.save()
        _tell(bypass, "allowed", by)
    notices.give(bypass.user, "bypass_allowed", until=bypass.until, by=by)


def end(rows: BypassQuerySet, by: Any = None) -> int:
    """End those of ``rows`` that could still be used; return how many."""
    one, now = Bypass.objects.open().filter, timezone.now()
    # Each by an UPDATE of its own: its user may use it meanwhile.
    ended = [each for each in rows.open() if one(pk=each.pk).update(ended=now)]
    for bypass in ended:
        _tell(bypass, "ended", by)
    return len(ended)


def is_open(request: HttpRequest, wanted: Wanted) -> bool:
    """Tell whether the user of ``request`` may have what is wanted without a phone."""
    return _may_be_for(request, wanted) and _of(request).exists()


def use(request: HttpRequest, wanted: Wanted) -> bool:
    """
    Let this session pass the rule for the login, and tell whether this call did it.

    One guarded UPDATE spends it: of two sessions that race, the database lets one win.
    The grant is a row as a phone's would be, so it ends as any other.
    """
    if not _may_be_for(request, wanted):
        return False
    now, alias = timezone.now(), router.db_for_write(Bypass)
    with transaction.atomic(using=alias):
        bypass = _of(request).first()
        # All that are open: two may have been allowed at the same moment.
        spent = {"used": now, "session_hash": wanted.session_hash}
        if bypass is None or not _of(request).update(**spent):
            return False
        approval = _grant(request.user, wanted)
        _tell(bypass, "used", None, approval)
    notices.give(request.user, "bypass_used", approval=approval, by=bypass.by)
    return True


def _of(request: HttpRequest) -> BypassQuerySet:
    return Bypass.objects.open().filter(user=request.user.pk)


def _may_be_for(request: HttpRequest, wanted: Wanted) -> bool:
    if wanted.purpose != LOGIN or wanted.max_age == 0 or not wanted.binding:
        return False
    if not request.user.is_active:
        return False
    # Without the phone, a login by the phone alone would be a login by nothing.
    return not is_phone_alone(request.session)


def _grant(user: Any, wanted: Wanted) -> Approval:
    now = timezone.now()
    return Approval.objects.create(
        user=user,
        user_name=str(user.get_username() or "")[:150],
        scope=wanted.scope,
        purpose=wanted.purpose,
        text=wanted.text,
        session_hash=wanted.session_hash,
        binding=wanted.binding,
        status=Status.ACCEPTED,
        answer_code=ANSWER,
        created=now,
        answered=now,
        moved=now,
    )


def _tell(bypass: Bypass, action: str, by: Any, approval: Any = None) -> None:
    what = {"bypass": bypass, "action": action, "by": by, "approval": approval}
    send = partial(bypass_changed.send_robust, Bypass, **what)
    transaction.on_commit(send, using=router.db_for_write(Bypass))
