"""Pages of the admin that are about one endpoint, beside its form."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.views.generic import View

from .. import health
from ..conf import app_settings
from ..exceptions import NoPhone
from ..models import Endpoint, PhoneNumber
from ..phones import mask


class EndpointView(View):
    """A page about one endpoint, for those who :meth:`may` see it."""

    #: An ``EndpointAdmin``, which as_view() is given.
    model_admin: Any = None
    template_name = ""
    endpoint: Endpoint

    def setup(self, request: HttpRequest, *args: Any, **kwargs: Any) -> None:
        super().setup(request, *args, **kwargs)
        found = self.model_admin.get_object(request, kwargs["object_id"])
        if found is None:
            raise Http404
        if not self.may(request):
            raise PermissionDenied
        self.endpoint = found

    def may(self, request: HttpRequest) -> bool:
        """Tell whether the user may see the page, and do what it offers."""
        raise NotImplementedError

    def page(self, **context: Any) -> TemplateResponse:
        """Return the page, as one of the admin's."""
        # For the addresses in the template.
        self.request.current_app = self.model_admin.admin_site.name
        context |= {
            **self.model_admin.admin_site.each_context(self.request),
            "opts": self.model_admin.opts,
            "original": self.endpoint,
            "media": self.model_admin.media + context.pop("media", forms.Media()),
            "health": health.of(self.endpoint),
            "phones_elsewhere": app_settings.GET_PHONE_NUMBER is not None,
        }
        return TemplateResponse(self.request, self.template_name, context)

    def phone(self) -> str:
        """Return the phone of whoever looks, masked; empty if none counts."""
        try:
            return mask(PhoneNumber.objects.of(self.request.user))
        except NoPhone:
            return ""

    def again(self, name: str) -> HttpResponseRedirect:
        """Return to a page of this endpoint after something was done."""
        return HttpResponseRedirect(self.model_admin.address(self.endpoint, name))

    def tell(self, text: str, level: int = messages.SUCCESS) -> None:
        """Say something on the next page."""
        self.model_admin.message_user(self.request, text, level)
