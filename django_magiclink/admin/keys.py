"""The keys of an endpoint in the admin: taken, and never shown again."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin
from django.core.exceptions import ImproperlyConfigured, ValidationError
from django.http import HttpRequest, HttpResponse
from django.utils.decorators import method_decorator
from django.utils.translation import gettext_lazy as _
from django.views.decorators.debug import sensitive_post_parameters, sensitive_variables

from ..fields import Sealed
from ..models import ApiKey


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
