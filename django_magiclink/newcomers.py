"""Users without a phone: what stands before their first, and where they may add it."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace

from django.core.exceptions import BadRequest
from django.http import HttpRequest
from django.urls import NoReverseMatch, Resolver404, ResolverMatch, reverse

from . import approvals
from .conf import app_settings
from .requirements import Requirement
from .rules import find_rules, get_rules, is_exempt, resolve_url_path
from .wanted import Inquiry

#: The page for it, if the project has included ``phone_urls``.
VIEW = "django_magiclink_phone:change"


def login_before(match: ResolverMatch | None) -> Requirement | None:
    """
    Return the rule for the login that whoever adds a first phone must have passed.

    It holds in the view that ``match`` leads to also if it names other views alone: the
    password by itself would else decide which phone is asked there. :obj:`None` stands
    for no such rule, and for a view that the site has exempted from it.
    """
    logins = [rule for rule in get_rules() if rule.for_login]
    if not logins or (match is not None and is_exempt(match)):
        return None
    fitting = [rule for rule in logins if match is not None and rule.fits(match)]
    # Without what lets some requests to the rule's own views pass.
    return replace((fitting or logins)[0].requirement, when=None, methods=None)


def phone_url(request: HttpRequest) -> str:
    """Return where the user of ``request``, who has no phone, may add one, or ""."""
    if app_settings.GET_PHONE_NUMBER is None:
        with suppress(NoReverseMatch, Resolver404):
            url = reverse(VIEW)
            if _is_open(request, resolve_url_path(url)):
                return url
    return ""


def _is_open(request: HttpRequest, match: ResolverMatch) -> bool:
    if not all(rule.for_login for rule in find_rules(get_rules(), match)):
        # It asks a phone.
        return False
    login = login_before(match)
    if login is None:
        return True
    with suppress(BadRequest):
        # Staff may have let the user pass it without a phone.
        passed = Inquiry(request, login, match.kwargs, match.args).sought
        return approvals.find(passed) is not None
    return False
