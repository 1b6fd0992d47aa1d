"""A phone number comes to count, or gives way to another, by approvals on both."""

from __future__ import annotations

from collections.abc import Mapping
from typing import cast

from django.core.exceptions import ImproperlyConfigured
from django.http import HttpRequest, HttpResponseBase
from django.utils.translation import gettext as _
from django.views.decorators.debug import sensitive_variables

from . import newcomers, notices
from .conf import app_settings
from .identities import missing_user
from .models import PhoneNumber
from .phones import hash_number, mask, parse
from .purposes import ENROL
from .requirements import Requirement
from .stepup import get_refusal, require_approval

#: What the phone that is in use approves: that another takes its place.
SCOPE = "phone"


class Enrolment(Requirement):
    """What a phone is asked that does not count yet; no guard can ask for it."""

    @property
    def purpose(self) -> str:
        return ENROL

    @property
    def number_hash(self) -> str:
        # Not of what is pending when the page is made: another tab may change that.
        params = cast(Mapping[str, str], self.params)
        return hash_number(params["number"])


@sensitive_variables("number")
def change_number(request: HttpRequest, number: str) -> HttpResponseBase | None:
    """
    Make ``number`` the phone of the request's user, once the phones have agreed.

    The one that counts now approves that another is to take its place, and the new one
    that it is this user's. Who has none yet must have passed the rule for the login, if
    the site has one, unless the view is exempt from it. Return :obj:`None` when that is
    done and the number counts, else the response to return; the browser then sends the
    same request again, as for
    :func:`~django_magiclink.stepup.require_approval`. Raise
    :exc:`~django.core.exceptions.ValidationError` for what is no number.
    """
    if app_settings.GET_PHONE_NUMBER is not None:
        raise ImproperlyConfigured(
            "MAGICLINK_GET_PHONE_NUMBER keeps the numbers elsewhere. Change them "
            "there, and call approvals.revoke(user) after it."
        )
    number = parse(number)
    old = PhoneNumber.objects.verified(request.user).first()
    if old is not None and number == old.number:
        return None
    # One that cannot be read any more is asked too, in vain: then staff must help.
    refused = _ask_old(request, number) if old else _ask_login(request)
    if refused is None:
        refused = _ask_new(request, number)
    if refused is None:
        PhoneNumber.objects.replace(request.user, number)
        notices.of_phone(request.user, by=request.user)
    return refused


@sensitive_variables("number")
def _ask_old(request: HttpRequest, number: str) -> HttpResponseBase | None:
    # A window, as the request comes once more after the new phone has agreed.
    return require_approval(
        request,
        scope=SCOPE,
        max_age=300,
        text=_("Replace this phone by {phone}."),
        params={"phone": mask(number), "number": number},
    )


def _ask_login(request: HttpRequest) -> HttpResponseBase | None:
    requirement = newcomers.login_before(request.resolver_match)
    return get_refusal(request, requirement) if requirement else None


@sensitive_variables("number")
def _ask_new(request: HttpRequest, number: str) -> HttpResponseBase | None:
    if not missing_user(request):
        PhoneNumber.objects.propose(request.user, number)
    requirement = Enrolment.of(
        scope=SCOPE,
        max_age=0,
        text=_("Approve as {user} with this phone from now on."),
        params={"user": request.user.get_username(), "number": number},
    )
    return get_refusal(request, requirement)
