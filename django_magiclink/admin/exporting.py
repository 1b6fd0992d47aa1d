"""The button and the action of the audit trail that export it."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Generator
from functools import partial
from typing import Any
from urllib.parse import urlencode

from asgiref.sync import sync_to_async
from django.contrib import admin, messages
from django.contrib.admin.models import CHANGE, LogEntry
from django.contrib.admin.options import IncorrectLookupParameters
from django.contrib.admin.views.main import SEARCH_VAR
from django.contrib.contenttypes.models import ContentType
from django.core.exceptions import PermissionDenied
from django.core.handlers.asgi import ASGIRequest
from django.db.models import QuerySet
from django.http import (
    HttpRequest,
    HttpResponse,
    HttpResponseBase,
    HttpResponseNotAllowed,
    HttpResponseRedirect,
    StreamingHttpResponse,
)
from django.urls import path
from django.utils import timezone
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from .. import exports
from ..models import Approval
from ..signals import approvals_exported
from .links import page_url
from .listing import BoundedPaginator

logger = logging.getLogger("django_magiclink")


class ExportMixin(admin.ModelAdmin):
    """Adds the export, with a permission of its own, to the audit trail."""

    def get_urls(self) -> list[Any]:
        export = self.admin_site.admin_view(self.export_view)
        name = "django_magiclink_approval_export"
        return [path("export/", export, name=name), *super().get_urls()]

    def changelist_view(
        self, request: HttpRequest, extra_context: Any = None
    ) -> HttpResponse:
        may = {"has_export_permission": self.has_export_permission(request)}
        return super().changelist_view(request, (extra_context or {}) | may)

    def export_view(self, request: HttpRequest) -> HttpResponseBase:
        """Export what the list shows with the same query, on all of its pages."""
        if request.method != "GET":
            return HttpResponseNotAllowed(["GET"])
        may_view = self.has_view_permission(request)
        if not (may_view and self.has_export_permission(request)):
            raise PermissionDenied
        try:
            rows = self.get_changelist_instance(request).queryset
        except IncorrectLookupParameters:
            page = page_url(self.admin_site, "approval_changelist")
            return HttpResponseRedirect(f"{page}?e=1")
        return _export(request, rows, request.GET.dict())

    @admin.action(description=_("Export as CSV"), permissions=["export"])
    def export_selected(
        self, request: HttpRequest, queryset: QuerySet
    ) -> HttpResponseBase | None:
        across = request.POST.get("select_across") == "1"
        # Of a list that is cut, "all" is more than it says.
        if across and BoundedPaginator(queryset, 1).is_cut:
            text = _("The list ends before that. Use the button above it for all rows.")
            self.message_user(request, text, messages.ERROR)
            return None
        chosen = {} if across else {"selected": str(queryset.count())}
        return _export(request, queryset, request.GET.dict() | chosen)

    def has_export_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("django_magiclink.export_approval")


def _export(
    request: HttpRequest, rows: QuerySet, filters: dict[str, str]
) -> StreamingHttpResponse:
    # Before the first byte, so that whatever ends the export later hides nothing.
    LogEntry.objects.create(
        user_id=str(request.user.pk),
        content_type=ContentType.objects.get_for_model(Approval),
        object_repr=str(Approval._meta.verbose_name_plural),
        action_flag=CHANGE,
        change_message=gettext("Exported as CSV: %s.") % _without_search(filters),
    )
    pieces = _counted(request.user, rows, filters)
    # Django would read a sync stream to its end first under ASGI.
    is_async = isinstance(request, ASGIRequest)
    name = f"approvals-{timezone.now():%Y-%m-%d}.csv"
    return StreamingHttpResponse(
        _Asynchronous(pieces) if is_async else pieces,
        content_type="text/csv; charset=utf-8",
        headers={"Content-Disposition": f'attachment; filename="{name}"'},
    )


def _without_search(filters: dict[str, str]) -> str:
    """What the admin's log may keep: a name that is looked for may be forgotten."""
    told = urlencode({name: filters[name] for name in filters if name != SEARCH_VAR})
    if filters.get(SEARCH_VAR):
        return gettext("%s and a search") % told if told else gettext("a search")
    return told or gettext("all")


def _counted(
    user: Any, rows: QuerySet, filters: dict[str, str]
) -> Generator[str, None, None]:
    exported = 0
    try:
        for piece, count in exports.chunks(rows):
            yield piece
            exported += count
    finally:
        # Also where the browser went away before the end.
        logger.warning(
            "%d approvals were exported by user %s, filters: %s.",
            exported,
            user.pk,
            urlencode(filters) or "none",
        )
        details = {"user": user, "rows": exported, "filters": filters}
        approvals_exported.send_robust(Approval, **details)


class _Asynchronous:
    # Not an async generator: Django would not close it where the browser goes away.
    def __init__(self, pieces: Generator[str, None, None]) -> None:
        self._next = sync_to_async(partial(next, pieces, None))
        self.close = pieces.close

    def __aiter__(self) -> AsyncIterator[str]:
        return self

    async def __anext__(self) -> str:
        piece: str | None = await self._next()
        if piece is None:
            raise StopAsyncIteration
        return piece
