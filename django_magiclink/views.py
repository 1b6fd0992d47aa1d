"""Start an approval, look how it stands, give it up."""

from __future__ import annotations

import json
import logging
import uuid
from dataclasses import replace
from typing import Any

from django.contrib.auth import SESSION_KEY
from django.core.handlers.asgi import ASGIRequest
from django.db import OperationalError
from django.http import (
    HttpRequest,
    HttpResponse,
    HttpResponseBase,
    HttpResponseRedirect,
    JsonResponse,
    QueryDict,
    StreamingHttpResponse,
)
from django.urls import reverse
from django.utils.cache import patch_vary_headers
from django.views.decorators.csrf import csrf_protect
from django.views.decorators.debug import sensitive_variables
from django.views.decorators.http import (
    require_http_methods,
    require_POST,
    require_safe,
)

from . import approvals, pages
from .answers import own_stream, own_view, state, too_old
from .binding import session_hash
from .bodies import FIELDS_FIELD, host_fields
from .challenges import Challenge
from .conf import app_settings
from .dispatchers import dispatch_for
from .exceptions import Busy, Expired, Refused
from .identities import client_address
from .live import events, live_url, read_token
from .models import Approval
from .sessions import keep_unsaved, leave_alone
from .status import Status
from .wanted import Wanted

logger = logging.getLogger("django_magiclink")

_STATUS_OF = {"limited": 429, "busy": 503}


def start_approval(
    request: HttpRequest, wanted: Wanted, user: Any
) -> tuple[Approval, bool]:
    """
    Ask the phone of ``user``; return the approval, and whether it joined one.

    Raise a :exc:`~django_magiclink.exceptions.Refused` where it cannot be asked.
    """
    try:
        approval, joined = approvals.request(
            wanted,
            user=user,
            dispatch=dispatch_for(wanted.purpose),
            dispatcher=app_settings.DISPATCHER.rpartition(".")[2],
            address=client_address(request),
            user_agent=request.headers.get("User-Agent", "")[:200],
        )
    except OperationalError as error:
        # Locked, or away for a moment. The text may quote what is in a row.
        logger.error("No approval was started: %s", type(error).__name__)
        raise Busy from error
    if not joined:
        # The dispatcher has spoken by now: these views are in no transaction.
        approval.refresh_from_db()
        if approval.error_kind in ("busy", "dispatch"):
            raise Busy
    return approval, joined


@own_view
@require_safe
def ask(request: HttpRequest) -> HttpResponseBase:
    """Show the page of a challenge that htmx could not show where it asked."""
    challenge = _challenge(request, request.GET.get("challenge", ""))
    if challenge is None or challenge.method != "GET":
        return too_old(request)
    return replace(challenge, reason="").response(200)


@own_view
@require_POST
@csrf_protect
def start(request: HttpRequest) -> HttpResponseBase:
    """Ask the phone for what a challenge wants, or join what is asked already."""
    challenge = _posted_challenge(request)
    if challenge is None:
        return too_old(request)
    if pages.are_wanted(request):
        return _start_page(challenge)
    if challenge.reason:
        return challenge.response(403)
    try:
        approval, joined = start_approval(request, challenge.wanted, request.user)
    except Refused as refusal:
        return _refuse(challenge, refusal)
    body = {
        "id": str(approval.pk),
        "status": approval.state.value,
        "status_url": reverse("django_magiclink:status", args=[approval.pk]),
        "live_url": live_url(request, approval),
        "cancel_url": reverse("django_magiclink:cancel", args=[approval.pk]),
        "code": approval.shown_code or None,
        "expires_in": approval.expires_in,
    }
    return JsonResponse(body, status=200 if joined else 201)


@own_stream
@require_http_methods(["GET"])
async def live(request: HttpRequest, token: str) -> HttpResponseBase:
    """Stream to a page that waits when its phone has answered."""
    found = read_token(token)
    # A worker of WSGI would do nothing else as long as the stream is open.
    if found is None or not isinstance(request, ASGIRequest):
        return HttpResponse(status=404)
    leave_alone(request)
    return StreamingHttpResponse(events(*found), content_type="text/event-stream")


@own_view
@require_http_methods(["GET", "HEAD", "POST"])
@csrf_protect
def status(request: HttpRequest, pk: uuid.UUID) -> HttpResponseBase:
    """Say how an approval stands, or take the code that was typed for it."""
    approval = _own_approval(request, pk)
    if request.method == "POST":
        return _confirm(request, approval)
    keep_unsaved(request)
    response = state(approval)
    patch_vary_headers(response, ["Cookie"])
    return response


@own_view
@require_POST
@csrf_protect
def cancel(request: HttpRequest, pk: uuid.UUID) -> HttpResponseBase:
    """Give an approval up that is still asked for."""
    approval = _own_approval(request, pk)
    if approval is not None:
        approvals.cancel(pk)
        approval.refresh_from_db()
    return _answer(request, approval)


@own_view
@require_POST
@csrf_protect
def report(request: HttpRequest, pk: uuid.UUID) -> HttpResponseBase:
    """Take note that the user had not asked for what their phone was asked."""
    # Of any session of the user's: it may well be somebody else who has asked.
    ended = [Status.REJECTED, Status.CANCELLED]
    mine = Approval.objects.primary().filter(user=request.user.pk, status__in=ended)
    approval = mine.filter(pk=pk).first() if request.user.is_authenticated else None
    if approval is not None:
        approvals.report(approval, request)
        approval.refresh_from_db()
    return _answer(request, approval)


def _confirm(request: HttpRequest, approval: Approval | None) -> HttpResponseBase:
    if approval is not None and approval.state == Status.CONFIRMING:
        approvals.confirm(approval.pk, _posted(request, "code").strip())
        approval.refresh_from_db()
    return _answer(request, approval)


def _answer(request: HttpRequest, approval: Approval | None) -> HttpResponseBase:
    """Answer a program with the state, and a person with the page they came from."""
    if not pages.are_wanted(request):
        return state(approval)
    challenge = _posted_challenge(request)
    if challenge is None:
        return too_old(request)
    # An old one comes again as a fresh one, with what was typed.
    return _show(replace(challenge, reason=""))


@sensitive_variables()
def _posted_challenge(request: HttpRequest) -> Challenge | None:
    return _challenge(request, _posted(request, "challenge"))


@sensitive_variables()
def _posted(request: HttpRequest, name: str) -> str:
    if request.content_type != "application/json":
        return request.POST.get(name, "")
    try:
        return str(json.loads(request.body)[name])
    except (ValueError, KeyError, TypeError, RecursionError):
        return ""


@sensitive_variables()
def _challenge(request: HttpRequest, token: str) -> Challenge | None:
    carried = host_fields(QueryDict(request.POST.get(FIELDS_FIELD, "")))
    try:
        return Challenge.load(request, token, carried)
    except Expired:
        return None


def _start_page(challenge: Challenge) -> HttpResponseBase:
    request = challenge.request
    if challenge.reason:
        # Too old: the page comes again with a fresh one, and asks nobody yet.
        return _show(replace(challenge, reason=""))
    newest = approvals.latest(challenge.wanted)
    if newest and str(newest.pk) != request.POST.get("after"):
        # Sent again by a reload or by Back: what came of the first time is shown.
        return _show(challenge)
    try:
        start_approval(request, challenge.wanted, request.user)
    except Refused as refusal:
        return _refuse(challenge, refusal)
    return _show(challenge)


def _show(challenge: Challenge) -> HttpResponseBase:
    if challenge.method == "POST":
        return challenge.response(200)
    # The guard at that address shows how the approval stands.
    return HttpResponseRedirect(challenge.path, status=303)


def _refuse(challenge: Challenge, refusal: Refused) -> HttpResponseBase:
    status = _STATUS_OF.get(refusal.reason, 403)
    return challenge.refused(refusal).response(status)


def _own_approval(request: HttpRequest, pk: uuid.UUID) -> Approval | None:
    # Not request.user: the session tells whose it is, for one query less.
    if SESSION_KEY not in request.session:
        return None
    mine = Approval.objects.primary().filter(session_hash=session_hash(request.session))
    return mine.filter(pk=pk).first()
