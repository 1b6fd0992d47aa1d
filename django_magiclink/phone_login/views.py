"""Asking for a number or a user name, waiting for its phone, and logging in."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

from django.conf import settings
from django.contrib.auth import authenticate, get_backends, login
from django.core.exceptions import ImproperlyConfigured
from django.http import (
    HttpRequest,
    HttpResponse,
    HttpResponseBase,
    HttpResponseRedirect,
    JsonResponse,
)
from django.shortcuts import resolve_url
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.csrf import csrf_protect
from django.views.decorators.debug import sensitive_variables
from django.views.decorators.http import (
    require_http_methods,
    require_POST,
    require_safe,
)

from .. import approvals, pages
from ..answers import own_view, poll_after
from ..bodies import is_on_this_site
from ..sessions import keep_unsaved
from ..status import Status
from . import budget
from .attempts import Attempt, forget
from .forms import NameForm
from .pace import SHORT, even
from .starting import begin

_WORDS = {
    "sent": gettext_lazy("Answer on your phone."),
    "confirming": gettext_lazy("Accept on your phone, then type the code it shows."),
    "accepted": gettext_lazy("Approved."),
    "no_answer": gettext_lazy("There was no answer. Try again in a few minutes."),
    "other": gettext_lazy(
        "You are logged in as somebody else. Log out, then log in with your phone."
    ),
    "cancelled": gettext_lazy(
        "You cancelled. Decline the request if it is on your phone."
    ),
}


@own_view
@require_http_methods(["GET", "HEAD", "POST"])
@csrf_protect
@sensitive_variables("form")
def ask(request: HttpRequest) -> HttpResponseBase:
    """Ask who it is, and that user's phone."""
    backend = _backend()
    form = NameForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        attempt = begin(request, form.cleaned_data["name"], backend)
        response = HttpResponseRedirect(_address("wait", request), status=303)
        attempt.write(response)
        return response
    context = {"form": form, "next": _next(request)}
    return pages.show(request, "django_magiclink/phone_login.html", 200, **context)


@own_view
@require_safe
def wait(request: HttpRequest) -> HttpResponseBase:
    """Show that the phone is being asked, whether it is or not."""
    return _page(request, Attempt.read(request))


@own_view
@require_http_methods(["GET", "HEAD", "POST"])
@csrf_protect
def status(request: HttpRequest) -> HttpResponseBase:
    """Tell a program how it stands, and take the code."""
    attempt = Attempt.read(request)
    if request.method != "POST":
        keep_unsaved(request)
        return _answer(attempt)
    if attempt is not None:
        with even(SHORT):
            _type(attempt, request.POST.get("code", "").strip())
    if not pages.are_wanted(request):
        return _answer(attempt)
    granted = attempt is not None and _state(attempt) == "accepted"
    return _finish(request, attempt) if granted else _page(request, attempt)


@own_view
@require_POST
@csrf_protect
def cancel(request: HttpRequest) -> HttpResponseBase:
    """Give the attempt up."""
    attempt = Attempt.read(request)
    if attempt is not None:
        with even(SHORT):
            approval = attempt.approval()
            if approval is not None:
                approvals.cancel(approval.pk)
    response: HttpResponse
    if pages.are_wanted(request):
        response = HttpResponseRedirect(_address("ask", request), status=303)
    else:
        response = JsonResponse(_body("cancelled"))
    forget(response)
    return response


@own_view
@require_POST
@csrf_protect
def finish(request: HttpRequest) -> HttpResponseBase:
    """Log in, once the phone has accepted."""
    return _finish(request, Attempt.read(request))


def _type(attempt: Attempt, code: str) -> None:
    approval = attempt.approval()
    if approval is not None and attempt.left and approval.state == Status.CONFIRMING:
        approvals.confirm(approval.pk, code)


def _finish(request: HttpRequest, attempt: Attempt | None) -> HttpResponseBase:
    approval = attempt.accepted() if attempt is not None else None
    if attempt is None or approval is None:
        return HttpResponseRedirect(_address("wait", request), status=303)
    me = request.user
    if me.is_authenticated and me.pk != approval.user_id:
        return _page(request, attempt, "other")
    user = authenticate(request, attempt=attempt)
    # What could not be used is too old, or its user has changed: one begins again.
    target = _target(request) if user else _address("ask", request)
    if user is not None and not me.is_authenticated:
        login(request, user)
    if user is not None:
        budget.give_back(approval.address, attempt.started)
    response = HttpResponseRedirect(target, status=303)
    forget(response)
    return response


def _state(attempt: Attempt) -> str:
    # Of what the phone has answered, only that it accepted.
    if attempt.accepted() is not None:
        return "accepted"
    if not attempt.left:
        return "no_answer"
    return "confirming" if attempt.code_mode == "type" else "sent"


def _answer(attempt: Attempt | None) -> HttpResponse:
    if attempt is None:
        return JsonResponse({"title": _("There is no such login.")}, status=404)
    state = _state(attempt)
    return JsonResponse(_body(state, attempt))


def _body(state: str, attempt: Attempt | None = None) -> dict[str, Any]:
    waiting = attempt if state in ("sent", "confirming") else None
    return {
        "status": state,
        "final": waiting is None,
        "message": str(_WORDS[state]),
        "poll_after": waiting and poll_after(waiting.began, waiting.ends),
        "expires_in": waiting.left if waiting else 0,
    }


def _page(
    request: HttpRequest, attempt: Attempt | None, state: str = ""
) -> HttpResponseBase:
    if attempt is None:
        return HttpResponseRedirect(_address("ask", request), status=303)
    state = state or _state(attempt)
    faces = {"sent": "waiting", "no_answer": "ended", "other": "ended"}
    approval = attempt.accepted() if state == "accepted" else None
    context = {
        "attempt": attempt,
        "account": approval and approval.user_name,
        "state": faces.get(state, state),
        "outcome": state,
        "message": _WORDS[state],
        "next": _next(request),
        **{f"{name}_url": _address(name, request) for name in ("ask", "wait")},
    }
    return pages.show(request, "django_magiclink/phone_login_wait.html", 200, **context)


def _backend() -> Any:
    for backend in get_backends():
        if getattr(backend, "is_phone_alone", False):
            return backend
    raise ImproperlyConfigured(
        "Logging in with a phone needs "
        '"django_magiclink.backends.MagicLinkBackend" in AUTHENTICATION_BACKENDS.'
    )


def _next(request: HttpRequest) -> str:
    url = request.POST.get("next", request.GET.get("next", ""))
    return url if is_on_this_site(request, url) else ""


def _target(request: HttpRequest) -> str:
    return _next(request) or resolve_url(settings.LOGIN_REDIRECT_URL)


def _address(name: str, request: HttpRequest) -> str:
    address = reverse(f"django_magiclink_login:{name}")
    following = _next(request)
    return f"{address}?{urlencode({'next': following})}" if following else address
