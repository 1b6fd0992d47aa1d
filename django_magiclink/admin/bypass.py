"""Letting a user log in once without the phone, in the admin."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin
from django.db import transaction
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponseBase
from django.urls import path
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from .. import bypasses
from ..models import Bypass
from ..stepup import require_approval

_SHOWN = ["user", "by", "reason", "created", "until", "state", "used", "ended"]


class BypassForm(forms.ModelForm):
    """Takes whom, and why."""

    #: Who fills it in.
    by: Any = None

    class Meta:
        model = Bypass
        fields = ["user", "reason"]

    def clean_user(self) -> Any:
        user: Any = self.cleaned_data["user"]
        if user.pk == self.by.pk:
            raise forms.ValidationError(_("Ask somebody else to allow this for you."))
        if user.is_superuser and not self.by.is_superuser:
            raise forms.ValidationError(_("Only a superuser may allow this for one."))
        if not user.is_active:
            raise forms.ValidationError(_("This account is not active."))
        return user


@admin.register(Bypass)
class BypassAdmin(admin.ModelAdmin):
    """Who was let in without the phone, and the form that lets somebody in, once."""

    form = BypassForm
    actions = ["end"]
    list_display = ["user", "state", "by", "reason", "created", "until"]
    list_select_related = ["user", "by"]
    raw_id_fields = ["user"]

    def get_urls(self) -> list[Any]:
        # An approval that is used inside a transaction could be used again.
        add = transaction.non_atomic_requests(self.admin_site.admin_view(self.add_view))
        name = "django_magiclink_bypass_add"
        return [path("add/", add, name=name), *super().get_urls()]

    def get_form(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        form = super().get_form(request, *args, **kwargs)
        return type(form.__name__, (form,), {"by": request.user})

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        return _SHOWN if obj else []

    def get_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        return _SHOWN if obj else ["user", "reason"]

    def add_view(  # type: ignore[override]
        self, request: HttpRequest, form_url: str = "", extra_context: Any = None
    ) -> HttpResponseBase:
        refused = self._ask(request) if request.method == "POST" else None
        return refused or super().add_view(request, form_url, extra_context)

    def _ask(self, request: HttpRequest) -> HttpResponseBase | None:
        form = self.get_form(request)(request.POST)
        if not (self.has_add_permission(request) and form.is_valid()):
            # The admin says what is wrong, and no phone rings for it.
            return None
        user = form.cleaned_data["user"]
        return require_approval(
            request,
            scope="bypass",
            max_age=0,
            text=_("Let {user} log in once without their phone"),
            params={"user": user.get_username()},
        )

    def save_model(
        self, request: HttpRequest, obj: Bypass, form: Any, change: bool
    ) -> None:
        bypasses.allow(obj, request.user)

    def construct_change_message(
        self, request: HttpRequest, form: Any, formsets: Any, add: bool = False
    ) -> Any:
        return _("Reason: %s") % form.cleaned_data["reason"]

    @admin.action(description=gettext_lazy("End what is active"), permissions=["end"])
    def end(self, request: HttpRequest, queryset: QuerySet) -> None:
        ended = bypasses.end(Bypass.objects.filter(pk__in=queryset), request.user)
        said = ngettext("%d login has ended.", "%d logins have ended.", ended)
        self.message_user(request, said % ended)

    @admin.display(description=gettext_lazy("status"))
    def state(self, row: Bypass) -> Any:
        return row.state

    def has_end_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("django_magiclink.allow_bypass")

    has_add_permission = has_end_permission

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        may = self.has_end_permission(request)
        return may or super().has_view_permission(request, obj)

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        # Users are deleted with theirs; no page leads to it otherwise.
        return obj is None and super().has_delete_permission(request)
