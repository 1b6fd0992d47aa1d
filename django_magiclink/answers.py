"""What our own views answer, to a program and to a person."""

from __future__ import annotations

import logging
from collections.abc import Callable, Coroutine
from datetime import datetime
from functools import wraps
from math import ceil
from typing import Any, TypeVar

from django.contrib.auth.decorators import login_not_required
from django.db import OperationalError
from django.http import HttpRequest, HttpResponse, HttpResponseBase, JsonResponse
from django.utils import timezone
from django.utils.cache import patch_cache_control
from django.utils.translation import gettext as _
from django.views.decorators.debug import sensitive_post_parameters

from . import pages
from .decorators import EveryAlias
from .exceptions import Busy, Expired
from .models import Approval
from .status import UNDECIDED

logger = logging.getLogger("django_magiclink")

#: Seconds between two looks at the status, by the seconds since the phone was asked:
#: most people answer within the first 30.
_POLLS = ((30, 1), (90, 2))
_LATER = 5

View = TypeVar("View", bound=Callable[..., Any])


def own_view(view: Callable[..., HttpResponseBase]) -> Callable[..., HttpResponseBase]:
    """Wrap a view of ours: in no transaction, stored nowhere, open to strangers."""

    @wraps(view)
    def wrapper(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        try:
            response = view(request, *args, **kwargs)
        except OperationalError as error:
            if pages.are_wanted(request):
                raise
            # Our script asks again after a 503, and stays where it is.
            logger.error("The database does not answer: %s", type(error).__name__)
            response = problem(503, Busy.reason, _("Try again in a moment."))
        patch_cache_control(response, private=True, no_store=True)
        return response

    return _open(wrapper)


def own_stream(
    view: Callable[..., Coroutine[Any, Any, HttpResponseBase]],
) -> Callable[..., Coroutine[Any, Any, HttpResponseBase]]:
    """Wrap an async view of ours, and keep what it streams from being held back."""

    @wraps(view)
    async def wrapper(
        request: HttpRequest, *args: Any, **kwargs: Any
    ) -> HttpResponseBase:
        response = await view(request, *args, **kwargs)
        patch_cache_control(response, private=True, no_store=True, no_transform=True)
        # For nginx, and for Django's GZipMiddleware, which would put each part into
        # an archive of its own: Chromium reads the first.
        response["X-Accel-Buffering"] = "no"
        response["Content-Encoding"] = "identity"
        return response

    return _open(wrapper)


def _open(wrapper: View) -> View:
    wrapper._non_atomic_requests = EveryAlias()  # type: ignore[attr-defined]
    # They answer strangers themselves, and what they carry is the host's.
    return login_not_required(sensitive_post_parameters()(wrapper))


def too_old(request: HttpRequest) -> HttpResponseBase:
    """Answer a request whose challenge is none of this session's."""
    if pages.are_wanted(request):
        return pages.show(request, "django_magiclink/too_old.html", 403)
    return problem(403, Expired.reason, _("This page is too old."))


def problem(status: int, reason: str, title: str) -> HttpResponseBase:
    """Return a problem body; ``reason`` is the word on the wire."""
    body = {
        "type": "urn:django-magiclink:approval-required",
        "title": title,
        "status": status,
        "reason": reason,
    }
    return JsonResponse(body, status=status, content_type="application/problem+json")


def state(approval: Approval | None) -> HttpResponse:
    """Say how ``approval`` stands, or that this session has no such."""
    if approval is None:
        return JsonResponse({"title": _("There is no such approval.")}, status=404)
    status = approval.state
    final = status not in UNDECIDED
    asked = approval.sent or approval.created
    body = {
        "id": str(approval.pk),
        "status": status.value,
        "final": final,
        "message": pages.describe(approval),
        "poll_after": None if final else poll_after(asked, approval.deadline),
        "expires_in": approval.expires_in,
    }
    return JsonResponse(body)


def poll_after(asked: datetime, deadline: datetime) -> int:
    """Return in how many seconds a page that waits since then looks again."""
    now = timezone.now()
    waited = (now - asked).total_seconds()
    pause = next((pause for until, pause in _POLLS if waited < until), _LATER)
    # Who waits for the end is not told of it much later.
    left = ceil((deadline - now).total_seconds())
    return max(1, min(pause, left))
