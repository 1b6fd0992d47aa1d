"""
What happens, one structured log line each, for a SIEM.

Nothing here imports a model: ``LOGGING`` names the formatter before there are any.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from datetime import UTC, datetime
from functools import wraps
from typing import Any

from django.dispatch import receiver
from django.utils import timezone

from .binding import SHORT_HASH
from .signals import (
    approval_changed,
    approval_refused,
    approval_reported,
    approval_requested,
    approvals_exported,
    approvals_purged,
    bypass_changed,
    key_changed,
    key_expiring,
    security_notice,
)
from .spans import in_utc

logger = logging.getLogger("django_magiclink.events")

#: What each line may be about: the field ``event``.
EVENTS = {
    "requested": "a phone is to be asked",
    "refused": "a phone is not asked; `outcome` is the reason, `limit` which one",
    "sent": "the phone is asked",
    "confirming": "accepted on the phone, a code is to be typed",
    "accepted": "the grant; `duration` is how long it took, a typed code included",
    "consumed": "used by its one request",
    "revoked": "ended: logout, deactivation, another phone, a report, staff",
    "rejected": "declined on the phone",
    "no_answer": "nobody answered the phone",
    "undelivered": "neither push nor SMS got through",
    "failed": "no usable answer; `error` says why",
    "cancelled": "given up by the user, or withdrawn",
    "expired": "nobody finished it in time",
    "reported": "the user had not asked for it",
    "notice": "the user is told something; `outcome` is the kind",
    "bypass": "a login without the phone was allowed, used or ended: `outcome`",
    "key": "a key was entered, put to use, put back or deleted; `outcome` says which",
    "key_expiring": "a key needs a new one in `days`",
    "exported": "the audit trail was exported, `rows` of it",
    "purged": "`rows` from before `before` were deleted",
}

_COLUMNS = (
    "user_id",
    "user_name",
    "scope",
    "endpoint_name",
    "address",
    "session_hash",
    "error_kind",
    "answer_code",
    "sent",
    "created",
)


class JSONFormatter(logging.Formatter):
    """Prints an event, or any other record, as one line of ASCII JSON."""

    def format(self, record: logging.LogRecord) -> str:
        event = getattr(record, "event", None)
        # Others may call something of theirs so.
        if not isinstance(event, dict):
            event = {
                "time": in_utc(datetime.fromtimestamp(record.created, UTC)),
                "message": record.getMessage(),
            }
        line = {"logger": record.name, "level": record.levelname, **event}
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return json.dumps(line, default=str)


def emit(event: str, **values: Any) -> None:
    """Write one event; what is empty or ``None`` is left out."""
    known = {name: value for name, value in values.items() if value not in ("", None)}
    line = {"time": in_utc(timezone.now()), "event": event, **known}
    text = " ".join(f"{name}={_clean(value)}" for name, value in line.items())
    # Never as a format: a name may hold a percent sign.
    logger.info("%s", text, extra={"event": line})


def _clean(value: Any) -> str:
    text = str(value)
    if text.isprintable() and not set(text) & set(' "='):
        return text
    return json.dumps(text)


def _if_heard(receive: Callable[..., None]) -> Callable[..., None]:
    # Before anything is read: who does not log events pays nothing for them.
    @wraps(receive)
    def wrapper(sender: Any, **kwargs: Any) -> None:
        if logger.isEnabledFor(logging.INFO):
            kwargs.pop("signal", None)
            receive(sender, **kwargs)

    return wrapper


@receiver(approval_requested)
@_if_heard
def _requested(sender: Any, approval: Any, **kwargs: Any) -> None:
    row = {name: getattr(approval, name) for name in _COLUMNS}
    emit("requested", approval=approval.pk, outcome="pending", **_of_row(row))


@receiver(approval_changed)
@_if_heard
def _changed(sender: Any, pk: Any, status: Any, **kwargs: Any) -> None:
    row = sender.objects.primary().filter(pk=pk).values(*_COLUMNS).first()
    by = getattr(kwargs.get("by"), "pk", None)
    if row is None:
        emit(status.value, approval=pk, outcome=status.value, by=by)
        return
    asked = row["sent"] or row["created"]
    emit(
        status.value,
        approval=pk,
        outcome=status.value,
        answer=row["answer_code"],
        error=row["error_kind"],
        by=by,
        duration=round(max(0.0, (timezone.now() - asked).total_seconds()), 3),
        **_of_row(row),
    )


@receiver(approval_refused)
@_if_heard
def _refused(sender: Any, user: Any, reason: str, **kwargs: Any) -> None:
    emit("refused", outcome=reason, **_of_user(user), **_short(kwargs))


@receiver(approval_reported)
@_if_heard
def _reported(sender: Any, approval: Any, **kwargs: Any) -> None:
    row = {name: getattr(approval, name) for name in _COLUMNS}
    emit("reported", approval=approval.pk, outcome="reported", **_of_row(row))


@receiver(security_notice)
@_if_heard
def _notice(sender: Any, user: Any, kind: str, details: Any, **kwargs: Any) -> None:
    # A report is an event of its own already.
    if kind == "reported":
        return
    by, about = details.get("by"), details.get("approval")
    emit(
        "notice",
        outcome=kind,
        approval=about.pk if about else None,
        by=by.pk if by else None,
        phone=details.get("number"),
        until=in_utc(details["until"]) if "until" in details else None,
        failures=details.get("failures"),
        **_of_user(user),
    )


@receiver(bypass_changed)
@_if_heard
def _bypass(sender: Any, bypass: Any, action: str, **kwargs: Any) -> None:
    about = kwargs.get("approval")
    emit(
        "bypass",
        outcome=action,
        approval=about.pk if about else None,
        by=getattr(kwargs.get("by"), "pk", None),
        reason=bypass.reason,
        **_of_user(bypass.user),
    )


@receiver(key_changed)
@_if_heard
def _key(sender: Any, endpoint: Any, key: Any, action: str, **kwargs: Any) -> None:
    who = _of_user(kwargs.get("user"))
    emit("key", outcome=action, endpoint=endpoint, key=key.pk, **who)


@receiver(key_expiring)
@_if_heard
def _expiring(sender: Any, endpoint: Any, key: Any, days: int, **kwargs: Any) -> None:
    emit("key_expiring", endpoint=endpoint, key=key.pk, days=days)


@receiver(approvals_exported)
@_if_heard
def _exported(sender: Any, user: Any, rows: int, filters: Any, **kwargs: Any) -> None:
    emit("exported", rows=rows, filters=filters, **_of_user(user))


@receiver(approvals_purged)
@_if_heard
def _purged(sender: Any, rows: int, before: datetime, **kwargs: Any) -> None:
    emit("purged", rows=rows, before=in_utc(before))


def _of_row(row: dict[str, Any]) -> dict[str, Any]:
    return {
        "user": row["user_id"],
        "name": row["user_name"],
        "scope": row["scope"],
        "endpoint": row["endpoint_name"],
        "address": row["address"],
        "session": row["session_hash"][:SHORT_HASH],
    }


def _of_user(user: Any) -> dict[str, Any]:
    name = user.get_username() if hasattr(user, "get_username") else ""
    return {"user": getattr(user, "pk", None), "name": name}


def _short(values: dict[str, Any]) -> dict[str, Any]:
    kept = ("scope", "limit", "retry_after", "endpoint", "address")
    session = str(values.get("session_hash") or "")[:SHORT_HASH]
    return {name: values.get(name) for name in kept} | {"session": session}
