"""The guard for views of Django REST framework."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import replace
from typing import Any, ClassVar, cast

from django.http import HttpRequest
from django.utils.datastructures import MultiValueDict
from rest_framework.exceptions import APIException
from rest_framework.permissions import BasePermission
from rest_framework.renderers import BaseRenderer
from rest_framework.request import Request

from .bodies import JSON, MULTIPART, URLENCODED, named, pairs
from .requirements import Requirement, are_names
from .stepup import get_challenge, was_guarded


class ApprovalNeeded(APIException):
    """The request is not approved; its answer is that of every other guard."""

    def __init__(self, response: Any) -> None:
        super().__init__(response.reason_phrase)
        self.status_code = response.status_code
        self.auth_header = response.get("WWW-Authenticate")


class AsItIs(BaseRenderer):
    """Renders what a guard has answered."""

    format = None
    charset = None

    def __init__(self, response: Any) -> None:
        self.media_type = response.get("Content-Type")
        self._content: bytes = response.content

    def render(self, *args: Any, **kwargs: Any) -> bytes:
        return self._content


class ApprovalRequired(BasePermission):
    """
    Let only a user who has approved the request on their phone reach an API view.

    The options are the view's ``approval_…`` attributes. For one action or method take
    ``ApprovalRequired.of(scope=…, …)``. The user must have come by a session: a token
    alone has none that a grant could belong to, and is refused.
    """

    requirement: ClassVar[Requirement | None] = None

    @classmethod
    def of(cls, **options: Any) -> type[ApprovalRequired]:
        """Return this permission with options of its own, those of a decorator."""
        return type(cls.__name__, (cls,), {"requirement": Requirement.of(**options)})

    @classmethod
    def requirement_of(cls, view: Any) -> Requirement:
        """Return what ``view`` wants approved."""
        return cls.requirement or Requirement.of_attributes(type(view), vars(view))

    def has_permission(self, request: Request, view: Any) -> bool:
        asked = request._request
        requirement = self.requirement_of(view)
        if vars(view).setdefault("_approval_request", request) is not request:
            # A copy, to know which forms to show; nobody sends them yet.
            return True
        if request.method != asked.method:
            # The view takes the method from elsewhere, so "methods" cannot tell.
            requirement = replace(requirement, methods=None)
        requirement = _read_by_parsers(requirement, request)
        challenge = get_challenge(asked, requirement, view.kwargs, view.args)
        if challenge is not None:
            response = challenge.response()
            view.headers.update(response.items())
            request.accepted_renderer = AsItIs(response)
            request.accepted_media_type = response["Content-Type"]
            raise ApprovalNeeded(response)
        if was_guarded(asked):
            view.headers["Cache-Control"] = "private, no-store"
        return True


def _read_by_parsers(requirement: Requirement, request: Request) -> Requirement:
    """Take named parameters from what the view's own parsers find in the body."""
    names = requirement.params
    known = request._request.content_type in (URLENCODED, MULTIPART, JSON, "")
    if known or not names or not are_names(names):
        return requirement

    def read(asked: HttpRequest, *args: Any, **kwargs: Any) -> dict[str, Any]:
        # Read before the parsers take it from the stream, for the digest.
        _ = asked.body
        data = request.data
        members: Iterable[tuple[str, Any]]
        if isinstance(data, MultiValueDict):
            members = pairs(data)
        else:
            members = data.items() if isinstance(data, Mapping) else ()
        return named(
            cast(Collection[str], names),
            [*kwargs.items(), *pairs(asked.GET), *members],
        )

    return replace(requirement, params=read)
