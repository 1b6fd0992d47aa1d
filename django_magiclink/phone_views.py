"""The page where users add their phone, or let another take its place."""

from __future__ import annotations

from django import forms
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import (
    Http404,
    HttpRequest,
    HttpResponse,
    HttpResponseBase,
    HttpResponseRedirect,
)
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.csrf import csrf_protect
from django.views.decorators.debug import sensitive_variables
from django.views.decorators.http import require_http_methods

from . import pages
from .answers import own_view
from .bodies import is_on_this_site
from .conf import app_settings
from .enrolment import change_number
from .models import PhoneNumber
from .phones import parse


class PhoneForm(forms.Form):
    """The number of the phone that is to approve."""

    number = forms.CharField(
        label=gettext_lazy("Mobile number"),
        max_length=32,
        help_text=gettext_lazy("With its country code, such as +46 70 123 45 67."),
        widget=forms.TextInput(attrs={"type": "tel", "autocomplete": "tel"}),
    )

    @sensitive_variables("number")
    def clean_number(self) -> str:
        """Return it in E.164 form, so that no phone rings for a typo."""
        number: str = self.cleaned_data["number"]
        return parse(number)


@own_view
@require_http_methods(["GET", "HEAD", "POST"])
@csrf_protect
@login_required
def change(request: HttpRequest) -> HttpResponseBase:
    """Add the user's phone once it has agreed, or change it once both have."""
    if app_settings.GET_PHONE_NUMBER is not None:
        raise Http404
    form = PhoneForm(request.POST if request.method == "POST" else None)
    if not form.is_valid():
        return _page(request, form)
    refused = change_number(request, form.cleaned_data["number"])
    if refused is not None:
        return refused
    messages.success(request, _("Your phone has agreed."), fail_silently=True)
    return HttpResponseRedirect(_next(request) or request.path, status=303)


def _page(request: HttpRequest, form: PhoneForm) -> HttpResponse:
    phone = PhoneNumber.objects.verified(request.user).first()
    status = 400 if form.errors else 200
    context = {"form": form, "phone": phone, "back": _next(request)}
    return pages.show(request, "django_magiclink/phone.html", status, **context)


def _next(request: HttpRequest) -> str:
    url = request.GET.get("next", "")
    return url if is_on_this_site(request, url) else ""
