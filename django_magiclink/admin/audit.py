"""The audit trail in the admin."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext

from .. import approvals
from ..models import Approval


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
