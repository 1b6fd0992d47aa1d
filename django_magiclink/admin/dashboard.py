"""The dashboard in the admin: how approvals fare, and what needs a hand."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseBase, JsonResponse
from django.template.response import TemplateResponse
from django.urls import URLPattern, path
from django.utils.decorators import method_decorator
from django.utils.translation import gettext as _
from django.views.decorators.cache import cache_control
from django.views.decorators.http import require_GET

from ..sessions import keep_unsaved
from ..spans import RANGES
from .figures import figures
from .links import page_url

#: What its readers need.
PERMISSION = "django_magiclink.view_dashboard"

_looked_at = [require_GET, cache_control(private=True, no_store=True)]


class DashboardMixin(admin.ModelAdmin):
    """Adds the dashboard, and its numbers as JSON, to the approvals' admin."""

    def get_urls(self) -> list[URLPattern]:
        # cacheable, as they say themselves that they are not to be stored.
        view = self.admin_site.admin_view
        return [
            path(
                "dashboard/",
                view(self.dashboard_view, cacheable=True),
                name="django_magiclink_dashboard",
            ),
            path(
                "dashboard/data/",
                view(self.dashboard_data_view, cacheable=True),
                name="django_magiclink_dashboard_data",
            ),
            *super().get_urls(),
        ]

    def has_dashboard_permission(self, request: HttpRequest) -> bool:
        """Tell whether the user may see the dashboard."""
        return request.user.has_perm(PERMISSION)

    @method_decorator(_looked_at)
    def dashboard_view(self, request: HttpRequest) -> HttpResponseBase:
        """Show the page, which needs no script."""
        name = self._range(request)
        if name is None:
            return _unknown_range()
        data = page_url(self.admin_site, "dashboard_data")
        context = {
            **self.admin_site.each_context(request),
            **figures(name),
            "title": _("Dashboard"),
            "opts": self.opts,
            "data_url": f"{data}?range={name}",
            "app_is_listed": bool(
                self.admin_site.get_app_list(request, self.opts.app_label)
            ),
            "ranges": [(each, _label(each), each == name) for each in RANGES],
        }
        template = "admin/django_magiclink/dashboard.html"
        return TemplateResponse(request, template, context)

    @method_decorator(_looked_at)
    def dashboard_data_view(self, request: HttpRequest) -> HttpResponseBase:
        """Answer with what the page shows, so that it need not be loaded again."""
        name = self._range(request)
        if name is None:
            return _unknown_range()
        keep_unsaved(request)
        return JsonResponse(figures(name))

    def changelist_view(
        self, request: HttpRequest, extra_context: Any = None
    ) -> HttpResponse:
        """Link to the dashboard from the list, for those who may see it."""
        may = self.has_dashboard_permission(request)
        url = page_url(self.admin_site, "dashboard") if may else ""
        context = {**(extra_context or {}), "dashboard_url": url}
        return super().changelist_view(request, context)

    def _range(self, request: HttpRequest) -> str | None:
        """Return the range that is asked for, if there is such a one."""
        if not self.has_dashboard_permission(request):
            raise PermissionDenied
        name = request.GET.get("range", "24h")
        return name if name in RANGES else None


def _unknown_range() -> HttpResponse:
    known = ", ".join(RANGES)
    text = _("There is no such range. Ask for one of these: %s.") % known
    return HttpResponse(text, status=400, content_type="text/plain; charset=utf-8")


def _label(name: str) -> str:
    return {"24h": _("24 hours"), "7d": _("7 days"), "30d": _("30 days")}[name]
