"""What a guard answers instead of the view: signed, in place, as page or problem."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode

from django.contrib.auth import SESSION_KEY
from django.contrib.auth.views import redirect_to_login
from django.core import signing
from django.http import (
    HttpRequest,
    HttpResponse,
    HttpResponseBase,
    HttpResponseRedirect,
    JsonResponse,
)
from django.middleware.csrf import get_token
from django.urls import reverse
from django.utils.cache import patch_cache_control, patch_vary_headers
from django.utils.translation import gettext_lazy
from django.views.decorators.debug import sensitive_variables

from . import bypasses, pages
from .approvals import asked_elsewhere, find, latest
from .binding import keep_nonce, session_hash
from .bodies import host_fields, page_path
from .exceptions import Expired, Limited, Refused
from .purposes import LOGIN
from .status import Status
from .wanted import Wanted

_SALT = "django_magiclink.challenge"
#: Seconds for which a signed challenge can start an approval.
MAX_AGE = 600

_TITLES = {
    "": gettext_lazy("This needs your approval."),
    "login": gettext_lazy("Log in first."),
    "no_phone": gettext_lazy("There is no phone to ask."),
    "no_endpoint": gettext_lazy("Approvals are not available."),
    "inactive": gettext_lazy("This account is not active."),
    "limited": gettext_lazy("Your phone cannot be asked yet."),
    "busy": gettext_lazy("Too many approvals are under way."),
    "expired": gettext_lazy("This page is too old."),
}


class Clearance:
    """What a preflight gets that would pass: a view must never run for one."""

    def response(self) -> HttpResponse:
        """Return the answer."""
        response = HttpResponse(status=204, headers={"X-Approval": "pass"})
        patch_cache_control(response, private=True, no_store=True)
        return response


@dataclass(frozen=True, kw_only=True)
class Challenge:
    """
    An approval that is missing, and the request that needs it.

    ``reason`` is set where nothing can be started; ``retry_after`` is in seconds.
    """

    request: HttpRequest = field(repr=False)
    wanted: Wanted
    method: str
    path: str
    #: Names of the file fields that the request had; a form cannot bring files back.
    files: tuple[str, ...] = ()
    phone: str = ""
    reason: str = ""
    retry_after: int | None = None
    #: Whether the request's own fields may be shown and carried back.
    trusted: bool = True
    #: The host's fields, where the page is not at the guarded address.
    carried: dict[str, list[str]] | None = field(default=None, repr=False)

    @classmethod
    @sensitive_variables()
    def load(
        cls,
        request: HttpRequest,
        token: str,
        carried: dict[str, list[str]] | None = None,
    ) -> Challenge:
        """
        Return the challenge that :meth:`sign` made in this session.

        ``carried`` are the host's fields that came along. A challenge older than 10
        minutes has the reason ``expired``. Raise
        :exc:`~django_magiclink.exceptions.Expired` for one that is not ours or of
        another session.
        """
        if SESSION_KEY not in request.session:
            raise Expired
        try:
            content = signing.loads(token, salt=_SALT)
            wanted = Wanted(**content.pop("wanted"))
            content["files"] = tuple(content["files"])
            challenge = cls(request=request, wanted=wanted, carried=carried, **content)
        except (signing.BadSignature, KeyError, TypeError) as error:
            # Not ours, or of another release, whose content differs.
            raise Expired from error
        if wanted.session_hash != session_hash(request.session):
            raise Expired
        try:
            signing.loads(token, salt=_SALT, max_age=MAX_AGE)
        except signing.SignatureExpired:
            return dataclasses.replace(challenge, reason=Expired.reason)
        return challenge

    def sign(self) -> str:
        """Return what the start view needs to know, for this session only."""
        content = {
            "wanted": dataclasses.asdict(self.wanted),
            "method": self.method,
            "path": self.path,
            "files": self.files,
            "phone": self.phone,
        }
        return signing.dumps(content, salt=_SALT, compress=True)

    def refused(self, error: Refused) -> Challenge:
        """Return this challenge as one that cannot be started."""
        wait = error.retry_after if isinstance(error, Limited) else None
        return dataclasses.replace(self, reason=error.reason, retry_after=wait)

    @property
    def fields(self) -> dict[str, list[str]]:
        """The host's fields, to be carried back, if the request may be trusted."""
        if self.carried is not None:
            return self.carried
        if self.method != "POST" or not self.trusted:
            return {}
        return host_fields(self.request.POST)

    def response(self, status: int = 401) -> HttpResponseBase:
        """Return the answer in the form that the client asks for."""
        if pages.is_fragment_wanted(self.request):
            response = self._fragment(status)
        elif pages.are_wanted(self.request):
            response = self._whole_page(status)
        else:
            response = self._problem(status)
        if status == 401:
            response["WWW-Authenticate"] = self._authenticate()
        if self.retry_after is not None:
            response["Retry-After"] = str(self.retry_after)
        patch_vary_headers(response, ["Accept", "Sec-Fetch-Dest", "HX-Request"])
        # A cache in front of the guard must never keep what it answers.
        patch_cache_control(response, private=True, no_store=True)
        return response

    @sensitive_variables()
    def _page(self, **values: Any) -> pages.Page:
        if not self.reason:
            keep_nonce(self.request.session)
        approval = None if self.reason else latest(self.wanted)
        accepted = approval is not None and approval.state == Status.ACCEPTED
        plain: dict[str, Any] = {"fields": self.fields, "trusted": self.trusted}
        return pages.Page(
            request=self.request,
            token=self.sign(),
            title=self.title,
            text=self.wanted.text,
            phone=self.phone,
            method=self.method,
            path=self.path,
            files=self.files,
            reason=self.reason,
            retry_after=self.retry_after,
            approval=approval,
            is_second_step=self.wanted.purpose == LOGIN,
            bypass=bypasses.is_open(self.request, self.wanted),
            doubtful=None if self.reason else asked_elsewhere(self.request),
            granted=accepted and find(self.wanted) is not None,
            login_url=self._login(page_path(self.request)).url,
            **plain | values,
        )

    def _whole_page(self, status: int) -> HttpResponse:
        stranger = not self.request.user.is_authenticated
        if self.reason == "login" and stranger:
            return self._login(self.path)
        return self._page().response(status)

    def _login(self, path: str) -> HttpResponseRedirect:
        match = self.request.resolver_match
        # Django's own mark, which its LoginRequiredMiddleware obeys too.
        return redirect_to_login(path, getattr(match and match.func, "login_url", None))

    def _fragment(self, status: int) -> HttpResponse:
        back = page_path(self.request)
        if self.reason or self.method != "GET" or self.wanted.max_age == 0 or not back:
            return self._page(embedded=True).response(status)
        # htmx would show the fragment nowhere. It may fetch again after the approval.
        keep_nonce(self.request.session)
        boosted = "HX-Boosted" in self.request.headers
        target = dataclasses.replace(self, path=self.path if boosted else back)
        query = urlencode({"challenge": target.sign()})
        address = f"{reverse('django_magiclink:ask')}?{query}"
        return HttpResponse(status=status, headers={"HX-Redirect": address})

    def _problem(self, status: int) -> JsonResponse:
        body: dict[str, Any] = {
            "type": "urn:django-magiclink:approval-required",
            "title": str(self.title),
            "status": status,
            "scope": self.wanted.scope,
            "max_age": self.wanted.max_age,
            "text": self.wanted.text,
            "phone": self.phone,
        }
        if self.reason:
            body["reason"] = self.reason
        else:
            keep_nonce(self.request.session)
            body["challenge"] = self.sign()
            body["start_url"] = reverse("django_magiclink:start")
            body["csrf_token"] = get_token(self.request)
        if self.retry_after is not None:
            body["retry_after"] = self.retry_after
        if pages.is_dialog_wanted(self.request):
            # The script keeps the request, and only pages of this site have it.
            page = self._page(embedded=True, fields={}, trusted=True)
            body |= {"card": page.card(), "method": self.method}
        return JsonResponse(
            body, status=status, content_type="application/problem+json"
        )

    @property
    def title(self) -> str:
        """What stands in the way, in a few words."""
        return str(_TITLES[self.reason])

    def _authenticate(self) -> str:
        age = self.wanted.max_age
        seconds = f", max_age={age}" if age != "session" else ""
        scheme = self.request.headers.get("Authorization", "").partition(" ")[0]
        if scheme.lower() == "bearer":
            # RFC 9470: the token is fine, how its user proved who they are is not.
            return f'Bearer error="insufficient_user_authentication"{seconds}'
        return f'MagicLink scope="{self.wanted.scope}"{seconds}'
