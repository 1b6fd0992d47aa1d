"""Whose phone it is, in the admin: changed with a reason that is logged."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.utils.translation import gettext_lazy as _

from .. import notices
from ..models import PhoneNumber
from .links import page_url


class PhoneNumberForm(forms.ModelForm):
    """Takes a number in spite of its user, so it asks why."""

    reason = forms.CharField(
        label=_("Reason"),
        max_length=200,
        help_text=_(
            "Why the user cannot change it with an approval on the present phone. "
            "It is logged, and what that phone has approved ends."
        ),
    )

    class Meta:
        model = PhoneNumber
        fields = ["user", "number", "verified_at"]


@admin.register(PhoneNumber)
class PhoneNumberAdmin(admin.ModelAdmin):
    """Whose phone it is; each change is logged with its reason, and the user told."""

    form = PhoneNumberForm
    # None, so that none is deleted without a reason.
    actions = None
    list_display = ["user", "__str__", "verified_at"]
    # Not autocomplete_fields, which need a registered user admin with a search.
    raw_id_fields = ["user"]

    def get_readonly_fields(
        self, request: HttpRequest, obj: PhoneNumber | None = None
    ) -> Any:
        return ["user"] if obj else []

    def construct_change_message(
        self, request: HttpRequest, form: Any, formsets: Any, add: bool = False
    ) -> Any:
        # The entry names the number, masked, already.
        return _("Reason: %s") % form.cleaned_data["reason"]

    def save_model(
        self, request: HttpRequest, obj: PhoneNumber, form: Any, change: bool
    ) -> None:
        super().save_model(request, obj, form, change)
        notices.of_phone(obj.user, by=request.user)

    # Not by has_delete_permission: users are deleted with their phones.
    def delete_view(
        self, request: HttpRequest, object_id: str, extra_context: Any = None
    ) -> HttpResponse:
        self.message_user(
            request,
            _('To take a phone away, empty "verified at", and say why.'),
            messages.ERROR,
        )
        page = page_url(self.admin_site, "phonenumber_change", object_id)
        return HttpResponseRedirect(page)

    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",
        extra_context: Any = None,
    ) -> HttpResponse:
        context = {**(extra_context or {}), "show_delete": False}
        return super().change_view(request, object_id, form_url, context)
