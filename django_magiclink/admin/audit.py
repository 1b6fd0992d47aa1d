"""The audit trail in the admin."""

from __future__ import annotations

import logging
import uuid
from collections.abc import Iterable
from typing import Any

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import (
    HttpRequest,
    HttpResponse,
    HttpResponseNotAllowed,
    HttpResponseRedirect,
)
from django.shortcuts import get_object_or_404
from django.template.loader import render_to_string
from django.urls import path
from django.utils.formats import number_format
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _

from .. import approvals
from ..binding import SHORT_HASH
from ..models import Approval
from .dashboard import DashboardMixin
from .exporting import ExportMixin
from .filters import EndpointFilter, ScopeFilter, StateFilter, TimeFilter, UserFilter
from .links import page_url
from .listing import AuditList, BoundedPaginator, found_by
from .timeline import badge, error_text, steps

logger = logging.getLogger("django_magiclink")

#: What an address may look for. With any lookup on any column, staff could guess the
#: hashes and the code of a row letter by letter.
_LOOKUPS = frozenset(
    ["created__year", "created__month", "created__day"]
    + [
        str(each.parameter_name)
        for each in (StateFilter, ScopeFilter, EndpointFilter, UserFilter, TimeFilter)
    ]
)


@admin.register(Approval)
class ApprovalAdmin(DashboardMixin, ExportMixin, admin.ModelAdmin):
    """The audit trail: for reading only, whoever asks."""

    class Media:
        css = {"all": ["django_magiclink/audit.css"]}

    list_display = [
        "created",
        "user_name",
        "scope",
        "endpoint_name",
        "state",
        "text",
        "masked_number",
        "seconds",
    ]
    list_filter = [StateFilter, TimeFilter, ScopeFilter, EndpointFilter, UserFilter]
    date_hierarchy = "created"
    # By anything else all rows would be sorted for one page.
    sortable_by = ["created"]
    search_fields = ["text"]
    search_help_text = _(
        "An approval's id, a scope, or the beginning of a user name. Else a part of "
        "the text or the last two digits of a phone, among the newest 10,000."
    )
    list_per_page = 50
    list_select_related = False
    show_full_result_count = False
    show_facets = admin.ShowFacets.NEVER
    paginator = BoundedPaginator
    actions = ["revoke_users", "export_selected"]
    fieldsets = [
        (None, {"fields": ["state", "timeline"]}),
        (_("What"), {"fields": ["scope", "purpose", "text", "code_mode"]}),
        (
            _("Who"),
            {
                "fields": [
                    *("user", "user_name", "masked_number"),
                    *("session", "address", "user_agent"),
                ]
            },
        ),
        (
            _("How"),
            {
                "fields": [
                    *("endpoint", "endpoint_name", "answer_code", "http_status"),
                    *("error", "seconds", "timeout", "deadline", "live_until"),
                    *("dispatcher", "language", "id"),
                ]
            },
        ),
    ]
    readonly_fields = ["state", "timeline", "session", "error", "seconds"]

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type:
        return AuditList

    def lookup_allowed(self, lookup: str, value: Any, request: Any = None) -> bool:
        return lookup in _LOOKUPS

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet, search_term: str
    ) -> tuple[QuerySet, bool]:
        return found_by(queryset, search_term) if search_term else queryset, False

    def get_urls(self) -> list[Any]:
        revoke = self.admin_site.admin_view(self.revoke_view)
        name = "django_magiclink_approval_revoke"
        return [path("<uuid:pk>/revoke/", revoke, name=name), *super().get_urls()]

    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",
        extra_context: Any = None,
    ) -> HttpResponse:
        may = {"has_revoke_permission": self.has_revoke_permission(request)}
        context = (extra_context or {}) | may
        return super().change_view(request, object_id, form_url, context)

    def revoke_view(self, request: HttpRequest, pk: uuid.UUID) -> HttpResponse:
        """End what the user of one approval was granted, and what is still asked."""
        if request.method != "POST":
            return HttpResponseNotAllowed(["POST"])
        approval = get_object_or_404(self.get_queryset(request), pk=pk)
        may_view = self.has_view_permission(request, approval)
        if not (may_view and self.has_revoke_permission(request)):
            raise PermissionDenied
        self._revoke(request, [approval])
        return HttpResponseRedirect(page_url(self.admin_site, "approval_change", pk))

    @admin.action(
        description=_("End all approvals of their users"), permissions=["revoke"]
    )
    def revoke_users(self, request: HttpRequest, queryset: QuerySet) -> None:
        # Of "all", which may be more than the list says, nobody knows whom it ends.
        if request.POST.get("select_across") == "1":
            text = _("Choose the approvals page by page.")
            self.message_user(request, text, messages.ERROR)
            return
        self._revoke(request, queryset)

    def _revoke(self, request: HttpRequest, chosen: Iterable[Approval]) -> None:
        known = [approval for approval in chosen if approval.user_id is not None]
        users = {approval.user_id for approval in known}
        ended = sum(approvals.revoke(user, by=request.user) for user in users)
        done = gettext("All approvals of the user were ended.")
        for approval in known:
            self.log_change(request, approval, done)
            logger.warning(
                "All approvals of user %s were ended by user %s.",
                approval.user_id,
                request.user.pk,
            )
        said = ngettext("%d approval has ended.", "%d approvals have ended.", ended)
        self.message_user(request, said % ended)

    def has_revoke_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("django_magiclink.revoke_approval")

    @admin.display(description=_("status"))
    def state(self, approval: Approval) -> str:
        return badge(approval)

    @admin.display(description=_("seconds to the answer"), empty_value="-")
    def seconds(self, approval: Approval) -> str | None:
        took = approval.took
        return None if took is None else number_format(took, decimal_pos=1)

    @admin.display(description=_("session"))
    def session(self, approval: Approval) -> str:
        return approval.session_hash[:SHORT_HASH]

    @admin.display(description=_("error"))
    def error(self, approval: Approval) -> str:
        kind = approval.error_kind
        return f"{error_text(kind)} ({kind})" if kind else ""

    @admin.display(description=_("timeline"))
    def timeline(self, approval: Approval) -> str:
        template = "admin/django_magiclink/approval/timeline.html"
        return render_to_string(template, {"steps": steps(approval)})

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
