"""The address of an event stream, which whoever has it may open for a while."""

from __future__ import annotations

import uuid
from datetime import timedelta

from django.core import signing
from django.core.handlers.asgi import ASGIRequest
from django.http import HttpRequest
from django.urls import reverse
from django.utils import timezone

from ..client import GRACE
from ..models import Approval
from ..status import UNANSWERED

_SALT = "django_magiclink.live"


def live_url(request: HttpRequest, approval: Approval | None) -> str | None:
    """
    Return where a page hears that the phone has answered, if it can hear it at all.

    Under WSGI it cannot: each page that waits would take a worker.
    """
    if approval is None or approval.state not in UNANSWERED:
        return None
    if not isinstance(request, ASGIRequest):
        return None
    rings = timedelta(seconds=approval.timeout + GRACE)
    until = (approval.sent or approval.start_by) + rings
    token = signing.dumps([approval.pk.hex, round(until.timestamp())], salt=_SALT)
    return reverse("django_magiclink:live", args=[token])


def read_token(token: str) -> tuple[uuid.UUID, float] | None:
    """Return which approval ``token`` is of and until when, if it is a good one."""
    try:
        pk, until = signing.loads(token, salt=_SALT)
    except signing.BadSignature:
        return None
    return (uuid.UUID(pk), until) if until > timezone.now().timestamp() else None
