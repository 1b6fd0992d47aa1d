"""The way back from the second step of a login."""

from __future__ import annotations

from django.conf import settings
from django.contrib.auth import logout
from django.contrib.auth.views import redirect_to_login
from django.http import HttpRequest, HttpResponseBase, HttpResponseRedirect
from django.shortcuts import resolve_url
from django.views.decorators.csrf import csrf_protect
from django.views.decorators.http import require_POST

from .answers import own_view
from .challenges import Challenge
from .exceptions import Expired


@own_view
@require_POST
@csrf_protect
def leave(request: HttpRequest) -> HttpResponseBase:
    """Log out, and with the field ``another`` go on to log in as somebody else."""
    path = _path(request)
    logout(request)
    if "another" not in request.POST:
        after = settings.LOGOUT_REDIRECT_URL or settings.LOGIN_URL
        return HttpResponseRedirect(resolve_url(after))
    if path:
        return redirect_to_login(path)
    return HttpResponseRedirect(resolve_url(settings.LOGIN_URL))


def _path(request: HttpRequest) -> str:
    try:
        challenge = Challenge.load(request, request.POST.get("challenge", ""))
    except Expired:
        return ""
    # An address that takes a form is no page to come to after a login.
    return challenge.path if challenge.method == "GET" else ""
