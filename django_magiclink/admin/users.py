"""A user's phone and recent approvals, for the admin page of the project's users."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.forms.models import BaseInlineFormSet
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from ..models import Approval, Bypass, PhoneNumber
from .timeline import badge

#: Approvals that a user's page shows.
SHOWN = 10


class _LookOnlyFormSet(BaseInlineFormSet):
    """Rows that are shown and never bound: what is sent for them is not even read."""

    def __init__(self, data: Any = None, files: Any = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.new_objects: list[Any] = []
        self.changed_objects: list[Any] = []
        self.deleted_objects: list[Any] = []

    def is_valid(self) -> bool:
        return True

    def save(self, commit: bool = True) -> list[Any]:
        return []


class _NewestFormSet(_LookOnlyFormSet):
    def get_queryset(self) -> Any:
        if not hasattr(self, "_newest"):
            self._newest = list(super().get_queryset()[:SHOWN])
        return self._newest


class _LookOnlyInline(admin.TabularInline):
    formset: type[BaseInlineFormSet] = _LookOnlyFormSet
    fk_name = "user"
    extra = 0
    max_num = 0
    can_delete = False

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


class PhoneNumberInline(_LookOnlyInline):
    """The phone that a user is asked on, masked, and the way to where it is changed."""

    model = PhoneNumber
    show_change_link = True
    fields = ["phone", "verified_at"]
    readonly_fields = ["phone", "verified_at"]

    @admin.display(description=_("phone"))
    def phone(self, row: PhoneNumber) -> str:
        return str(row)


class BypassInline(_LookOnlyInline):
    """The logins without the phone that a user was allowed, the newest first."""

    model = Bypass
    formset = _NewestFormSet
    fields = ["state", "until", "by", "reason"]
    readonly_fields = ["state", "until", "by", "reason"]

    @admin.display(description=_("status"))
    def state(self, row: Bypass) -> Any:
        return row.state


class RecentApprovalsInline(_LookOnlyInline):
    """The newest approvals of a user, with the way to all of them."""

    class Media:
        css = {"all": ["django_magiclink/audit.css"]}

    model = Approval
    formset = _NewestFormSet
    template = "admin/django_magiclink/approval/recent.html"
    show_change_link = True
    verbose_name_plural = _("recent approvals")
    ordering = ["-created"]
    fields = ["created", "scope", "state", "text", "masked_number"]
    readonly_fields = ["created", "scope", "state", "text", "masked_number"]

    @admin.display(description=_("status"))
    def state(self, row: Approval) -> str:
        return badge(row)
