"""Endpoints, keys, phones and approvals in Django's admin. Secrets are write-only."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import ImproperlyConfigured, ValidationError
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils.decorators import method_decorator
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext
from django.views.decorators.debug import sensitive_post_parameters, sensitive_variables

from . import approvals, notices
from .fields import Sealed
from .models import ApiKey, Approval, Endpoint, PhoneNumber


@admin.register(Endpoint)
class EndpointAdmin(admin.ModelAdmin):
    list_display = ["name", "base_url", "endpoint_name", "is_default", "enabled"]


class NewKeyForm(forms.ModelForm):
    """Takes a key, which is not shown again, here or anywhere."""

    secret = forms.CharField(
        label=_("API key"),
        max_length=255,
        widget=forms.PasswordInput(attrs={"autocomplete": "off"}),
        help_text=_(
            "Made in Mideye: Magic Link Endpoints, Edit, API Token Management. "
            "It takes the place of the endpoint's present key."
        ),
    )

    class Meta:
        model = ApiKey
        fields = ["endpoint", "name", "secret", "expires_on"]

    @sensitive_variables()
    def clean_secret(self) -> str:
        secret: str = self.cleaned_data["secret"]
        if not (secret.isascii() and secret.isprintable()) or " " in secret:
            raise ValidationError(_("A key is plain characters without spaces."))
        try:
            Sealed.seal(secret, "")
        except ImproperlyConfigured as error:
            raise ValidationError(str(error)) from error
        return secret


@admin.register(ApiKey)
class ApiKeyAdmin(admin.ModelAdmin):
    list_display = ["__str__", "endpoint", "expires_on", "created", "retired"]
    list_filter = ["endpoint"]
    readonly_fields = [
        "endpoint",
        "origin",
        "last_four",
        "fingerprint",
        "made_by",
        "created",
        "last_used",
        "last_result",
        "retired",
    ]

    @method_decorator(sensitive_post_parameters("secret"))
    def changeform_view(self, *args: Any, **kwargs: Any) -> HttpResponse:
        return super().changeform_view(*args, **kwargs)

    def get_form(
        self,
        request: HttpRequest,
        obj: ApiKey | None = None,
        change: bool = False,
        **kwargs: Any,
    ) -> Any:
        if obj is None:
            return NewKeyForm
        return super().get_form(request, obj, change, **kwargs)

    def get_fields(self, request: HttpRequest, obj: ApiKey | None = None) -> Any:
        if obj is None:
            return NewKeyForm.Meta.fields
        return ["name", "expires_on", *self.readonly_fields]

    def get_readonly_fields(
        self, request: HttpRequest, obj: ApiKey | None = None
    ) -> Any:
        return self.readonly_fields if obj else []

    @sensitive_variables()
    def save_model(
        self, request: HttpRequest, obj: ApiKey, form: Any, change: bool
    ) -> None:
        if change:
            super().save_model(request, obj, form, change)
        else:
            obj.made_by_id = request.user.pk
            obj.enter(form.cleaned_data["secret"])


class PhoneNumberForm(forms.ModelForm):
    """Takes a number in spite of its user, so it asks why."""

    reason = forms.CharField(
        label=_("reason"),
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
        name = f"{self.admin_site.name}:django_magiclink_phonenumber_change"
        return HttpResponseRedirect(reverse(name, args=[object_id]))

    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",
        extra_context: Any = None,
    ) -> HttpResponse:
        context = {**(extra_context or {}), "show_delete": False}
        return super().change_view(request, object_id, form_url, context)


@admin.register(Approval)
class ApprovalAdmin(admin.ModelAdmin):
    """The audit trail: for reading only, whoever asks."""

    list_display = ["created", "user_name", "scope", "endpoint_name", "state", "text"]
    list_filter = ["status", "scope"]
    list_select_related = False
    show_full_result_count = False
    # Nobody but the phone's owner needs the code, and nobody at all the hashes.
    exclude = ["code", "number_hash", "session_hash", "binding"]
    actions = ["revoke_users"]

    @admin.action(
        description=_("End all approvals of their users"), permissions=["revoke"]
    )
    def revoke_users(self, request: HttpRequest, queryset: Any) -> None:
        chosen = list(queryset.exclude(user=None))
        ended = sum(map(approvals.revoke, {approval.user_id for approval in chosen}))
        for approval in chosen:
            self.log_change(request, approval, "All approvals of the user were ended.")
        self.message_user(
            request,
            ngettext("%d approval has ended.", "%d approvals have ended.", ended)
            % ended,
        )

    def has_revoke_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("django_magiclink.revoke_approval")

    def state(self, approval: Approval) -> str:
        return str(approval.state.label)

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(
        self, request: HttpRequest, obj: Approval | None = None
    ) -> bool:
        return False

    def has_delete_permission(
        self, request: HttpRequest, obj: Approval | None = None
    ) -> bool:
        return False
