"""A real approval on one's own phone, to see whether an endpoint works."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest, HttpResponseBase
from django.utils.translation import gettext as _

from .. import health, keys
from ..models import Approval
from ..purposes import TEST
from ..requirements import Requirement
from ..stepup import get_refusal
from .pages import EndpointView


class Trial(Requirement):
    """What opens nothing; no guard can ask for it."""

    @property
    def purpose(self) -> str:
        return TEST


class TryView(EndpointView):
    """Ring the phone of whoever looks, and show what came of it."""

    template_name = "admin/django_magiclink/endpoint/test.html"
    http_method_names = ["get", "post"]

    def may(self, request: HttpRequest) -> bool:
        return bool(
            self.model_admin.has_change_permission(request)
            or self.model_admin.has_regenerate_permission(request)
        )

    def get(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        staged = keys.staged(self.endpoint)
        # Their own: of others', the audit tells those who may see it.
        trials = Approval.objects.filter(
            endpoint=self.endpoint, purpose=TEST, user=request.user.pk
        )
        return self.page(
            title=_("Test %s with my phone") % self.endpoint,
            phone=self.phone(),
            key=staged or health.key_in_use(self.endpoint),
            staged=staged,
            trials=trials.order_by("-created")[:5],
            key_url=self.model_admin.address(self.endpoint, "key"),
            may_replace_key=self.model_admin.has_regenerate_permission(request),
        )

    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        trial = Trial(
            scope="test",
            max_age=0,
            text=_("Test of the endpoint {endpoint}"),
            params={"endpoint": self.endpoint},
            endpoint=self.endpoint.name,
        )
        refused = get_refusal(request, trial)
        if refused is not None:
            return refused
        done = _("It was tested with a phone.")
        self.model_admin.log_change(request, self.endpoint, done)
        self.tell(_("It works: the phone was asked, and the answer came back."))
        return self.again("test")
