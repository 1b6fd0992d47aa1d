"""The page that asks, waits and tells the outcome, with JavaScript and without."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any
from urllib.parse import urlencode

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from django.views.debug import SafeExceptionReporterFilter
from django.views.decorators.debug import sensitive_variables

from . import newcomers
from .conf import app_settings
from .limits import value_of
from .live import live_url
from .models import Approval
from .status import UNDECIDED, Status

#: With this header our script says that it has a dialog to show a card in.
DIALOG_HEADER = "X-Approval-Dialog"

_WORDS = {
    Status.PENDING: _("Your phone is being asked."),
    Status.SENT: _("Answer on your phone."),
    Status.CONFIRMING: _("Type the code that your phone shows."),
    Status.ACCEPTED: _("Approved."),
    Status.CONSUMED: _("This approval has been used."),
    Status.REVOKED: _("This approval was withdrawn."),
    Status.REJECTED: _("You declined. Nothing was carried out."),
    Status.NO_ANSWER: _("The phone did not answer in time."),
    Status.UNDELIVERED: _("The request did not reach your phone."),
    Status.FAILED: _("The approval could not be asked for."),
    Status.CANCELLED: _("You cancelled. Decline the request if it is on your phone."),
    Status.EXPIRED: _("Nobody answered in time."),
}
_TO_BE_TYPED = _("Answer on your phone, and keep the code that it shows.")
_REPORTED = _("Thank you. If somebody else may know your password, change it now.")
_LOCKED = _("Your phone will not be asked for a while.")
_REFUSED_BY_SERVER = _("The approval service refused the request.")
_UNREACHABLE = _("The approval service cannot be reached.")
_NOT_SENT = _("Your phone could not be asked in time. Try again in a moment.")
_FAILURES = {
    "refused": _REFUSED_BY_SERVER,
    "busy": _("Too many approvals are under way. Try again in a moment."),
    "no_phone": _("Your phone number has changed. Ask again."),
    "withdrawn": _("This approval was withdrawn. Nothing was carried out."),
    "restart": _("The site was restarted, and cannot hear your phone. Ask again."),
    "code": _("That was not the code, so nothing was carried out. Ask again."),
    "dns": _UNREACHABLE,
    "connect": _UNREACHABLE,
    "tls": _UNREACHABLE,
    "network": _UNREACHABLE,
    "timeout": _UNREACHABLE,
}


def are_wanted(request: HttpRequest) -> bool:
    """Tell whether a person's browser navigates, rather than a program asks."""
    if is_dialog_wanted(request):
        return False
    destination = request.headers.get("Sec-Fetch-Dest")
    if destination:
        return destination in ("document", "iframe")
    # JSON first, so that "*/*" is taken for a program.
    kinds = ["application/json", "text/html"]
    return request.get_preferred_type(kinds) == "text/html"


def is_fragment_wanted(request: HttpRequest) -> bool:
    """Tell whether htmx asks, and our script is not there to ask for it."""
    return "HX-Request" in request.headers and not is_dialog_wanted(request)


def is_dialog_wanted(request: HttpRequest) -> bool:
    """Tell whether our script asks, which shows a card in a dialog of its own."""
    return DIALOG_HEADER in request.headers


@sensitive_variables("context")
def show(
    request: HttpRequest, template: str, status: int, **context: Any
) -> HttpResponse:
    """Return a page of ours, kept out of frames, and its address from other sites."""
    context["site_name"] = app_settings.SITE_NAME
    response = render(request, template, context, status=status)
    response["X-Frame-Options"] = "DENY"
    response["Referrer-Policy"] = "same-origin"
    return response


def describe(approval: Approval) -> str:
    """Return where ``approval`` stands, in words for its user."""
    state = approval.state
    if approval.reported:
        locked = "lock" in app_settings.ON_REPORT and value_of("lock_seconds")
        return f"{_REPORTED} {_LOCKED}" if locked else str(_REPORTED)
    if state == Status.SENT and approval.code_mode == "type":
        return str(_TO_BE_TYPED)
    if state == Status.EXPIRED and approval.sent is None:
        return str(_NOT_SENT)
    if state in (Status.FAILED, Status.CANCELLED) and approval.error_kind in _FAILURES:
        return str(_FAILURES[approval.error_kind])
    return str(_WORDS[state])


@dataclass(frozen=True, kw_only=True)
class Page:
    """What the page shows of one challenge, and of its latest approval."""

    request: HttpRequest
    token: str
    title: str
    text: str
    phone: str
    method: str
    path: str
    files: Collection[str]
    fields: Mapping[str, Sequence[str]] = field(repr=False)
    reason: str
    login_url: str
    retry_after: int | None
    trusted: bool
    approval: Approval | None
    #: Whether it is the second step of a login.
    is_second_step: bool
    #: Whether that step may be taken without the phone, once.
    bypass: bool
    #: What the phone was asked lately, in vain, for another session.
    doubtful: Approval | None
    #: Whether that approval lets the request pass, if it is only repeated.
    granted: bool
    #: Whether it stands in somebody else's page, which keeps the request.
    embedded: bool = False

    def response(self, status: int) -> HttpResponse:
        """Return it as an answer to the request."""
        name = "fragment" if self.embedded else "challenge"
        template = f"django_magiclink/{name}.html"
        return show(self.request, template, status, **self._context())

    @sensitive_variables("context")
    def card(self) -> str:
        """Return it as HTML for a dialog in the page that sent the request."""
        context = self._context() | {"site_name": app_settings.SITE_NAME}
        template = "django_magiclink/fragment.html"
        return render_to_string(template, context, self.request)

    @property
    def state(self) -> str:
        """Which of its faces the page shows."""
        if self.reason in ("limited", "busy"):
            return "later"
        if self.reason:
            return "refused"
        if not self.trusted:
            return "reopen"
        if self.granted:
            return "accepted"
        approval = self.approval
        if approval is None or approval.state in (Status.ACCEPTED, Status.CONSUMED):
            return "ask"
        if approval.state == Status.CONFIRMING:
            return "confirming"
        return "waiting" if approval.state in UNDECIDED else "ended"

    @property
    def starts_by_itself(self) -> bool:
        """
        Whether the script may ask at once, without a tap on the button.

        Only for what the user did, on this site, and only if nothing was declined or
        used up lately: neither a link elsewhere nor a reload may make a phone ring. Of
        a request that is no navigation only the script knows whether the user did it.
        """
        headers = self.request.headers
        return (
            self.state == "ask"
            and headers.get("Sec-Fetch-Site") == "same-origin"
            and (self.embedded or headers.get("Sec-Fetch-User") == "?1")
            and "Sec-Purpose" not in headers
            and (self.approval is None or self.approval.state == Status.ACCEPTED)
        )

    def _phone_url(self) -> str:
        """Return where the user may add a phone, if anywhere without one."""
        url = newcomers.phone_url(self.request)
        if not url or self.path.partition("?")[0] == url:
            return ""
        back = {"next": self.path} if self.method == "GET" else {}
        return f"{url}?{urlencode(back)}" if back else url

    @sensitive_variables()
    def _context(self) -> dict[str, Any]:
        context: dict[str, Any] = {
            **_frame(self.request),
            "page": self,
            "start_url": reverse("django_magiclink:start"),
            "leave_url": reverse("django_magiclink:leave"),
            "bypass_url": reverse("django_magiclink:bypass"),
            "phone_url": self._phone_url() if self.reason == "no_phone" else "",
            "encoded": urlencode(self.fields, doseq=True),
            "entered": _readable(self.fields),
        }
        if self.retry_after is not None:
            wait = timedelta(seconds=self.retry_after)
            context["retry_at"] = timezone.now() + wait
        if self.approval is not None:
            approval = [self.approval.pk]
            context |= {
                "message": describe(self.approval),
                "status_url": reverse("django_magiclink:status", args=approval),
                "live_url": live_url(self.request, self.approval),
                "cancel_url": reverse("django_magiclink:cancel", args=approval),
                "report_url": reverse("django_magiclink:report", args=approval),
            }
        if self.doubtful is not None:
            doubtful = [self.doubtful.pk]
            context["doubt_url"] = reverse("django_magiclink:report", args=doubtful)
        return context


def _frame(request: HttpRequest) -> dict[str, Any]:
    """Return what the page stands in: that of a view of the admin, in the admin."""
    view = getattr(request.resolver_match, "func", None)
    site = getattr(getattr(view, "model_admin", view), "admin_site", None)
    if site is None:
        return {"frame": "django_magiclink/base.html"}
    # Neither its models nor the user's name: the page may be a login's second step.
    names = {"site_header": site.site_header, "site_title": site.site_title}
    return names | {"frame": "admin/django_magiclink/base.html"}


@sensitive_variables()
def _readable(fields: Mapping[str, Sequence[str]]) -> list[tuple[str, str]]:
    secret: re.Pattern[str] = SafeExceptionReporterFilter.hidden_settings
    return [
        (name.replace("_", " "), ", ".join(values))
        for name, values in fields.items()
        if not secret.search(name) and any(values)
    ]
