"""The way through the second step of a login for whom staff have allowed it once."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponseBase, HttpResponseRedirect, QueryDict
from django.views.decorators.csrf import csrf_protect
from django.views.decorators.debug import sensitive_variables
from django.views.decorators.http import require_POST

from . import bypasses
from .answers import own_view, too_old
from .bodies import FIELDS_FIELD, host_fields
from .challenges import Challenge
from .exceptions import Expired


@own_view
@require_POST
@csrf_protect
@sensitive_variables()
def bypass(request: HttpRequest) -> HttpResponseBase:
    """Use the one login without the phone, and go on to what was asked for."""
    carried = host_fields(QueryDict(request.POST.get(FIELDS_FIELD, "")))
    token = request.POST.get("challenge", "")
    try:
        challenge = Challenge.load(request, token, carried)
    except Expired:
        return too_old(request)
    if not challenge.reason and bypasses.use(request, challenge.wanted):
        # Whoever else knows the session's key had the password and not the leave.
        request.session.cycle_key()
    if challenge.method == "POST":
        return challenge.response(200)
    # The guard at that address lets the session pass, or shows how it stands.
    return HttpResponseRedirect(challenge.path, status=303)
