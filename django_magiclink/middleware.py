"""Guards for the views that ``MAGICLINK_RULES`` name."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, cast

from django.http import HttpRequest, HttpResponseBase
from django.urls import ResolverMatch
from django.utils.deprecation import MiddlewareMixin

from .challenges import Clearance
from .decorators import REQUIREMENTS_MARK
from .rules import Rule, find_rules, get_rules
from .stepup import get_challenge, keep_uncached


class ApprovalMiddleware(MiddlewareMixin):
    """
    Let only a user who has approved the request reach a view that a rule is for.

    It stands after ``AuthenticationMiddleware``. Beside that it keeps caches from every
    response that a guard let through, whichever guard it was.
    """

    def __init__(self, get_response: Callable[..., Any]) -> None:
        super().__init__(get_response)
        self._rules = get_rules()
        # As many as the site has views.
        self._found: dict[tuple[str, Any], tuple[Rule, ...]] = {}

    def process_view(
        self,
        request: HttpRequest,
        view: Callable[..., Any],
        args: Sequence[Any],
        kwargs: Mapping[str, Any],
    ) -> HttpResponseBase | None:
        """Answer instead of the view, unless no rule is for it or it was approved."""
        match = cast(ResolverMatch, request.resolver_match)
        key = match.view_name, view
        if key not in self._found:
            self._found[key] = find_rules(self._rules, match)
        cleared = None
        for rule in self._found[key]:
            asked = get_challenge(request, rule.requirement, match.kwargs, match.args)
            # That somebody is logged in says nothing of what they are about to do: a
            # preflight is for the guards behind this one, if there are any.
            if asked and not (rule.for_login and isinstance(asked, Clearance)):
                return asked.response()
            cleared = asked
        if cleared and not hasattr(view, REQUIREMENTS_MARK):
            return cleared.response()
        return None

    def process_response(
        self, request: HttpRequest, response: HttpResponseBase
    ) -> HttpResponseBase:
        """Keep caches from what an approval opened."""
        return keep_uncached(request, response)
