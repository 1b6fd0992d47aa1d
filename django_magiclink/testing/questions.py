"""What a phone would have been asked, and how it would have answered."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from django.http import HttpRequest

from ..stepup import PREFLIGHT_HEADER
from ..wanted import Inquiry, Wanted


@dataclass(frozen=True, kw_only=True)
class Question:
    """What the phone of ``user`` would have shown, and what that was bound to."""

    scope: str
    #: The sentence on the phone, filled in and cut as there.
    text: str
    #: What the approval is bound to; of names what the request had.
    params: Mapping[str, Any]
    #: Seconds, ``0`` for one request, or ``"session"``.
    max_age: int | str
    #: Name of the endpoint, empty for the default one.
    endpoint: str
    #: ``"show"``, ``"type"``, or empty for no code.
    code: str
    user: Any


@dataclass(kw_only=True)
class Answer:
    """The same answer to all questions of ``scope``, or to all that there are."""

    accepts: bool
    scope: str | None
    questions: list[Question] = field(default_factory=list)
    _bindings: set[str] = field(default_factory=set)

    def is_for(self, scope: str) -> bool:
        """Tell whether it is the answer to questions of ``scope``."""
        return self.scope in (None, scope)

    def give(self, request: HttpRequest, inquiry: Inquiry) -> bool:
        """Answer, and note what was asked."""
        wanted = inquiry.wanted()
        if not self.accepts or self._is_new(request, wanted):
            self.questions.append(_question(request, inquiry, wanted))
        return self.accepts

    def _is_new(self, request: HttpRequest, wanted: Wanted) -> bool:
        # A preflight is of a request that is still to come.
        if PREFLIGHT_HEADER in request.headers:
            return False
        # An approval with a window is asked for once and opens what it is bound to.
        known = wanted.max_age != 0 and wanted.binding in self._bindings
        self._bindings.add(wanted.binding)
        return not known


def _question(request: HttpRequest, inquiry: Inquiry, wanted: Wanted) -> Question:
    return Question(
        scope=wanted.scope,
        text=wanted.text,
        params=inquiry.params,
        max_age=wanted.max_age,
        endpoint=wanted.endpoint,
        code=wanted.code,
        user=request.user,
    )
