"""Blocks in which guards have their answer: no phone, no server, no row."""

from __future__ import annotations

from dataclasses import replace
from threading import Lock
from typing import ClassVar

from django.http import HttpRequest
from django.test.utils import TestContextDecorator

from .. import approvals, stepup
from ..challenges import Challenge
from ..models import Approval
from ..pages import Page
from ..requirements import SCOPE
from ..status import Status
from ..wanted import Inquiry, Wanted
from .questions import Answer, Question

#: What is replaced while a block runs, and put back after the last.
_REAL = {name: getattr(stepup, name) for name in ("_is_approved", "_answerable")}

#: The phone that a page of ``rejecting`` names: nobody has it.
_NUMBER = "+46701740600"

# Not a context variable: the threads of a live server, and what they start, would not
# see it.
_answers: list[Answer] = []
_lock = Lock()


class _Answering(TestContextDecorator):
    _accepts: ClassVar[bool]

    def __init__(
        self,
        scope: str | None = None,
        *,
        attr_name: str | None = None,
        kwarg_name: str | None = None,
    ) -> None:
        super().__init__(attr_name, kwarg_name)
        if scope is not None and not (
            isinstance(scope, str) and SCOPE.fullmatch(scope)
        ):
            raise ValueError(f"No guard can have the scope {scope!r}.")
        self._scope = scope
        # The latest block last: a test that is decorated may call itself.
        self._own: list[Answer] = []

    def __enter__(self) -> list[Question]:  # type: ignore[override]
        return self.enable()

    def enable(self) -> list[Question]:
        """Begin to answer; return the list that the questions come to stand in."""
        answer = Answer(accepts=self._accepts, scope=self._scope)
        self._own.append(answer)
        with _lock:
            _answers.append(answer)
            _replace(_is_approved=_is_approved, _answerable=_answerable)
        return answer.questions

    def disable(self) -> None:
        """End it; a block around it goes on."""
        ended = self._own.pop()
        with _lock:
            # Not by equality: two blocks may be alike.
            _answers[:] = [each for each in _answers if each is not ended]
            if not _answers:
                _replace(**_REAL)


class approving(_Answering):
    """
    Let guards pass as if each user had tapped Accept, while the block runs.

    With ``scope`` only its guards. All else holds: users log in, options and parameters
    must be right, a use inside a transaction fails as it does on a site. Gives a list
    of each :class:`Question` that a phone would have shown. A context manager, and a
    decorator of functions, async ones too, and of ``TestCase`` classes;
    ``kwarg_name`` and ``attr_name`` say where these find the list.

    It holds for the whole process, so for a live server and async views as well.
    """

    _accepts = True


class rejecting(_Answering):
    """
    Let guards refuse as if each user had tapped Reject, while the block runs.

    Used as :class:`approving` is. The answer is the 401 whose page says so, also for
    users without a phone and sites without an endpoint.
    """

    _accepts = False


def _replace(**functions: object) -> None:
    for name, function in functions.items():
        setattr(stepup, name, function)


def _answer_to(scope: str) -> Answer | None:
    with _lock:
        fitting = (answer for answer in reversed(_answers) if answer.is_for(scope))
        return next(fitting, None)


def _is_approved(request: HttpRequest, inquiry: Inquiry, *, use: bool = False) -> bool:
    answer = _answer_to(inquiry.requirement.scope)
    if answer is None:
        return bool(_REAL["_is_approved"](request, inquiry, use=use))
    if use and answer.accepts:
        # What fails on the site fails here.
        with approvals.committing():
            pass
    return answer.give(request, inquiry)


def _answerable(request: HttpRequest, wanted: Wanted) -> Challenge:
    answer = _answer_to(wanted.scope)
    if answer is None or answer.accepts:
        challenge: Challenge = _REAL["_answerable"](request, wanted)
        return challenge
    return _Declined(**vars(stepup._question(request, wanted, _NUMBER)))


class _Declined(Challenge):
    def _page(self, **values: object) -> Page:
        declined = Approval(text=self.wanted.text, status=Status.REJECTED)
        return replace(super()._page(**values), approval=declined, granted=False)
