"""Proof that it is the administrator, before a key is touched."""

from __future__ import annotations

import time
from datetime import timedelta
from typing import Any

from django.contrib.auth import authenticate
from django.http import HttpRequest, HttpResponseBase
from django.utils import timezone
from django.utils.functional import cached_property
from django.utils.translation import gettext as _
from django.views.decorators.debug import sensitive_variables

from .. import health
from ..challenges import Challenge, Clearance
from ..models import Approval, Endpoint
from ..requirements import Requirement
from ..status import Status
from ..stepup import get_challenge

#: Seconds for which an approval, or the password, lets keys be replaced.
PROVED_FOR = 300
SCOPE = "api-key"

_PASSWORD = "_magiclink_password"  # noqa: S105


class Proof:
    """
    Whether an administrator has proved who they are, for the keys of one endpoint.

    By an approval as long as their phone can be asked, through that endpoint or the
    default one. Only where neither has a key that could work, or one has just failed
    to ask them, by their password: else whoever has that could do without the phone.
    """

    def __init__(self, request: HttpRequest, endpoint: Endpoint) -> None:
        self._request, self._endpoint = request, endpoint

    @cached_property
    def by_phone(self) -> Endpoint | None:
        """The endpoint through which the phone is asked, if there is one."""
        return next(filter(self._can_ask, self._asking), None)

    @cached_property
    def holds(self) -> bool:
        """Whether it was given, within the last five minutes."""
        place, since = self._request.session.get(_PASSWORD, ("", 0))
        if place == self._place and 0 <= time.time() - since < PROVED_FOR:
            return True
        return any(self._challenge(asking) is None for asking in self._asking)

    def ask(self, endpoint: Endpoint) -> HttpResponseBase | None:
        """Return what asks the phone through it, or ``None`` if it has approved."""
        challenge = self._challenge(endpoint)
        return None if challenge is None else challenge.response()

    @sensitive_variables()
    def take(self, password: str) -> bool:
        """Tell whether ``password`` is theirs, and note that it was given."""
        user: Any = self._request.user
        # By the project's own backends, which may count and lock.
        found = authenticate(
            self._request,
            **{user.USERNAME_FIELD: user.get_username()},
            password=password,
        )
        if found is None or found.pk != user.pk:
            return False
        self._request.session[_PASSWORD] = [self._place, int(time.time())]
        return True

    @property
    def _place(self) -> str:
        # A key that is entered after a move would be sealed for the other host.
        return f"{self._endpoint.pk} {self._endpoint.origin}"

    @cached_property
    def _asking(self) -> list[Endpoint]:
        default = Endpoint.objects.filter(is_default=True)
        return [self._endpoint, *default.exclude(pk=self._endpoint.pk)]

    def _can_ask(self, endpoint: Endpoint) -> bool:
        if not health.of(endpoint).can_be_asked:
            return False
        since = timezone.now() - timedelta(seconds=PROVED_FOR)
        tried = Approval.objects.filter(endpoint=endpoint, scope=SCOPE)
        failed = tried.filter(status=Status.FAILED, created__gte=since)
        return not failed.filter(user=self._request.user.pk).exists()

    def _challenge(self, asking: Endpoint) -> Challenge | Clearance | None:
        requirement = Requirement(
            scope=SCOPE,
            max_age=PROVED_FOR,
            text=_("Replace the key of the endpoint {endpoint}"),
            params={"endpoint": self._endpoint},
            endpoint=asking.name,
        )
        return get_challenge(self._request, requirement, {})
