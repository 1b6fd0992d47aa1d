"""The approval that a guard looks for, made of its requirement and the request."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.core.exceptions import BadRequest, ImproperlyConfigured
from django.db.models import Q, QuerySet
from django.http import HttpRequest
from django.utils import timezone
from django.utils.translation import gettext as _

from . import texts
from .binding import bind, session_hash
from .bodies import Body
from .conf import app_settings
from .digests import digest
from .models import Approval
from .models.moves import SKEW
from .purposes import LOGIN
from .requirements import Requirement, are_names
from .status import Status

#: Long enough ago that no approval is older.
_EVER = timedelta(days=9999)

#: Seconds within which an accepted single use must be used.
USE_WITHIN = 300


@dataclass(frozen=True, kw_only=True)
class Sought:
    """The approval that lets a request pass: what it must match, and its age."""

    binding: str
    max_age: int | str

    def rows(self) -> QuerySet[Approval]:
        """The approvals of this binding."""
        return Approval.objects.primary().filter(binding=self.binding)

    def granting(self) -> Q:
        """What makes one of them let a request pass now."""
        until = timezone.now() + timedelta(seconds=SKEW)
        return Q(status=Status.ACCEPTED, answered__range=(self.since, until))

    @property
    def since(self) -> datetime:
        """The earliest time at which the phone may have been answered."""
        if self.max_age == "session":
            return timezone.now() - _EVER
        age = timedelta(seconds=int(self.max_age) or USE_WITHIN)
        return timezone.now() - age


@dataclass(frozen=True, kw_only=True)
class Wanted(Sought):
    """The approval that a guard wants, and how to ask for it."""

    purpose: str
    scope: str
    endpoint: str
    timeout: int | None
    code: str
    text: str
    session_hash: str
    #: Of the phone that the challenge names; no other is asked.
    number_hash: str = ""

    @classmethod
    def by_nobody(cls, requirement: Requirement) -> Wanted:
        """Return what ``requirement`` wants where there is no user to ask."""
        nobody = {"endpoint": "", "text": "", "binding": "", "session_hash": ""}
        return cls(**_plain(requirement) | nobody)


class Inquiry:
    """
    What ``requirement`` wants of ``request``, worked out no further than is asked for.

    ``kwargs`` and ``args`` are the arguments of the view. Raise
    :exc:`~django.core.exceptions.BadRequest` for parameters that are missing or
    ambiguous.
    """

    def __init__(
        self,
        request: HttpRequest,
        requirement: Requirement,
        kwargs: Mapping[str, Any],
        args: Sequence[Any],
    ) -> None:
        self._request, self.requirement = request, requirement
        self._arguments = args, kwargs
        body = Body(request)
        params = self._called(requirement.params)
        if are_names(params):
            params = body.named(params, kwargs) if params else {}
        endpoint = self._called(requirement.endpoint)
        if not isinstance(params, Mapping) or not isinstance(endpoint, str):
            raise ImproperlyConfigured(
                "A callable for params must return a dict or names, "
                "and one for endpoint a string."
            )
        self.params, self._endpoint = params, endpoint
        lifetime = requirement.lifetime
        whole = body.whole() if lifetime == 0 else None
        self.sought = Sought(
            max_age=lifetime,
            binding=bind(
                purpose=requirement.purpose,
                user=request.user,
                session=request.session,
                scope=requirement.scope,
                endpoint=endpoint,
                code=requirement.code_mode,
                digest=_digest({"params": params, "request": whole}),
            ),
        )

    def wanted(self) -> Wanted:
        """Return all that is needed to ask for the approval."""
        text = self._called(self.requirement.text)
        return Wanted(
            **_plain(self.requirement),
            endpoint=self._endpoint,
            text=_text(self.requirement, text, self.params),
            session_hash=session_hash(self._request.session),
            binding=self.sought.binding,
            number_hash=self.requirement.number_hash,
        )

    def _called(self, option: Any) -> Any:
        args, kwargs = self._arguments
        return option(self._request, *args, **kwargs) if callable(option) else option


def _plain(requirement: Requirement) -> dict[str, Any]:
    return {
        "purpose": requirement.purpose,
        "scope": requirement.scope,
        "max_age": requirement.lifetime,
        "timeout": requirement.timeout,
        "code": requirement.code_mode,
    }


def _digest(bound: Mapping[str, Any]) -> str:
    try:
        return digest(bound)
    except RecursionError:
        raise BadRequest("The parameters are nested too deeply.") from None


def _text(requirement: Requirement, text: Any, params: Mapping[str, Any]) -> str:
    if callable(requirement.text):
        # Not a template: what it returns may hold what a user typed, braces included.
        return texts.clean(str(text))
    if not text:
        site = app_settings.SITE_NAME
        login = requirement.purpose == LOGIN
        text = _("Confirm your login.") if login else _("Confirm that it is you.")
        return texts.clean(f"{site}: {text}" if site else text)
    return texts.render(str(text), params)
