"""The one question that every guard asks: has the user approved this?"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, TypeVar

from asgiref.sync import sync_to_async
from django.core.exceptions import ImproperlyConfigured
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.middleware.csrf import CsrfViewMiddleware
from django.utils.cache import patch_cache_control
from django.views.decorators.debug import sensitive_variables

from . import approvals
from .bodies import APPROVAL_FIELD, CHALLENGE_FIELD, full_path, own_field
from .challenges import Challenge, Clearance
from .exceptions import Expired, Refused
from .identities import is_phone_alone, missing_user
from .models import PhoneNumber
from .phones import hash_number, mask
from .purposes import LOGIN
from .requirements import Requirement
from .wanted import Inquiry, Wanted

#: A request that only asks whether the same one without this header would pass.
PREFLIGHT_HEADER = "X-Approval-Preflight"
#: Where a request keeps the bindings of the single uses it has consumed.
_USED = "_django_magiclink_used"
_SECRET = "_django_magiclink_secret"  # noqa: S105
_View = TypeVar("_View", bound=Callable[..., HttpResponseBase])


def get_challenge(
    request: HttpRequest,
    requirement: Requirement,
    params: Mapping[str, Any],
    args: Sequence[Any] = (),
) -> Challenge | Clearance | None:
    """
    Return :obj:`None` if the user has approved what ``requirement`` asks for.

    ``params`` and ``args`` are the arguments of the view. A single use is then already
    consumed. Without an approval that fits, return the :class:`.Challenge` to answer
    the request with. Nothing is sent to a phone yet: that takes a POST, so that a link
    on another site cannot make it ring. A preflight that would pass consumes nothing
    and gets a :class:`.Clearance`, as the view must not run for it.
    """
    cleared = Clearance() if PREFLIGHT_HEADER in request.headers else None
    if not _applies(request, requirement, params, args):
        return cleared
    if reason := missing_user(request) or _missing_step(request, requirement):
        return _challenge(request, Wanted.by_nobody(requirement), reason=reason)
    inquiry = Inquiry(request, requirement, params, args)
    incomplete = _without_files(request)
    if incomplete is not None:
        return incomplete
    if _passes(request, inquiry):
        return cleared
    return _answerable(request, inquiry.wanted())


def get_refusal(
    request: HttpRequest, requirement: Requirement
) -> HttpResponseBase | None:
    """Return the response that keeps ``request`` from its view, if it must be."""
    match = request.resolver_match
    args, kwargs = (match.args, match.kwargs) if match else ((), {})
    challenge = get_challenge(request, requirement, kwargs, args)
    return None if challenge is None else challenge.response()


def require_approval(request: HttpRequest, **options: Any) -> HttpResponseBase | None:
    """
    Return :obj:`None` if the user has approved, else the response to return.

    For use inside a view, once its form is valid; the keywords are those of
    :func:`~django_magiclink.decorators.approval_required`, with ``params`` as what the
    approval is bound to.
    """
    return get_refusal(request, Requirement.of(**options))


#: :func:`require_approval` for async views.
arequire_approval = sync_to_async(require_approval)


def was_guarded(request: HttpRequest) -> bool:
    """Tell whether a guard has looked at ``request``, and did not leave it alone."""
    return _USED in request.__dict__


def keep_uncached(request: HttpRequest, response: HttpResponseBase) -> HttpResponseBase:
    """
    Keep caches from ``response`` if a guard let its request through.

    Only then: the browser may keep the form of a guarded POST, and so what was typed in
    it.
    """
    if was_guarded(request):
        patch_cache_control(response, private=True, no_store=True)
    return response


def keeps_nothing(view: _View) -> _View:
    """Mark a view whose fields no page of a guard may show or carry back: secrets."""
    setattr(view, _SECRET, True)
    return view


def _is_secret(request: HttpRequest) -> bool:
    match = request.resolver_match
    return bool(getattr(match and match.func, _SECRET, False))


def _mark(request: HttpRequest) -> None:
    request.__dict__.setdefault(_USED, set())
    # Django's caches look at this when they are about to store an answer.
    request._cache_update_cache = False  # type: ignore[attr-defined]


def _applies(
    request: HttpRequest,
    requirement: Requirement,
    kwargs: Mapping[str, Any],
    args: Sequence[Any],
) -> bool:
    if not requirement.guards(request.method or ""):
        return False
    # Before "when": the answer to one request must not be cached for another.
    _mark(request)
    return requirement.when is None or bool(requirement.when(request, *args, **kwargs))


def _missing_step(request: HttpRequest, requirement: Requirement) -> str:
    # The same phone twice would be one factor.
    is_second_step = requirement.purpose == LOGIN
    return "login" if is_second_step and is_phone_alone(request.session) else ""


def _passes(request: HttpRequest, inquiry: Inquiry) -> bool:
    sought = inquiry.sought
    if sought.max_age != 0 or PREFLIGHT_HEADER in request.headers:
        return _is_approved(request, inquiry)
    used: set[str] = request.__dict__[_USED]
    if sought.binding in used:
        return True
    if used:
        raise ImproperlyConfigured(
            "Two guards with max_age=0 want different approvals for one request. "
            "Give them the same options, or leave one of them out."
        )
    # A speculative request must not use up what the user approved for a real one.
    if "Sec-Purpose" in request.headers:
        return False
    if not _is_approved(request, inquiry, use=True):
        return False
    used.add(sought.binding)
    return True


def _is_approved(request: HttpRequest, inquiry: Inquiry, *, use: bool = False) -> bool:
    # The test kit answers in place of this one, and knows what it would have asked.
    if not use:
        return approvals.find(inquiry.sought) is not None
    named = request.headers.get("X-Approval") or own_field(request, APPROVAL_FIELD)
    return approvals.consume(inquiry.sought, named) is not None


def _challenge(request: HttpRequest, wanted: Wanted, **values: Any) -> Challenge:
    return Challenge(
        request=request,
        wanted=wanted,
        method=request.method or "GET",
        path=full_path(request),
        **values,
    )


@sensitive_variables("number")
def _answerable(request: HttpRequest, wanted: Wanted) -> Challenge:
    try:
        number = PhoneNumber.objects.of(request.user, wanted.purpose)
        if wanted.number_hash not in ("", hash_number(number)):
            raise Expired
        approvals.ready_endpoint(wanted.endpoint, wanted.purpose)
    except Refused as refusal:
        return _challenge(request, wanted, reason=refusal.reason)
    # The phone that the page names is the one that will be asked.
    return _question(request, replace(wanted, number_hash=hash_number(number)), number)


@sensitive_variables("number")
def _question(request: HttpRequest, wanted: Wanted, number: str) -> Challenge:
    return _challenge(
        request,
        wanted,
        phone=mask(number),
        files=tuple(request.FILES),
        trusted=request.method != "POST" or _is_trusted(request),
    )


def _without_files(request: HttpRequest) -> Challenge | None:
    """Return the challenge of a repeated form that came back without its files."""
    token = own_field(request, CHALLENGE_FIELD)
    try:
        challenge = Challenge.load(request, token) if token else None
    except Expired:
        return None
    if challenge is None or challenge.path != full_path(request):
        return None
    if set(challenge.files) <= set(request.FILES):
        return None
    return replace(challenge, reason="", trusted=_is_trusted(request))


def _is_trusted(request: HttpRequest) -> bool:
    return _passes_csrf(request) and not _is_secret(request)


def _passes_csrf(request: HttpRequest) -> bool:
    """
    Tell whether the request's fields are the user's own, by Django's own check.

    It may not have run yet, and does not run for views that are exempt. Another site
    must not fill a form that our page then asks the user to approve.
    """
    if getattr(request, "csrf_processing_done", False):
        return True
    check = CsrfViewMiddleware(lambda request: HttpResponse())
    check.process_request(request)
    return check.process_view(request, _any_view, (), {}) is None


def _any_view(request: HttpRequest) -> HttpResponse:
    raise NotImplementedError
