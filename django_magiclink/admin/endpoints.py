"""Mideye Servers and their Magic Link endpoints in the admin."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django.contrib import admin, messages
from django.db import transaction
from django.db.models import Count, Q, QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import URLPattern, path
from django.utils import timezone
from django.utils.html import format_html
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext, pgettext_lazy
from django.views.decorators.debug import sensitive_post_parameters

from .. import health
from ..health import Health
from ..models import Approval, Endpoint
from ..purposes import TEST
from ..status import GRANTED, UNDECIDED
from ..stepup import keeps_nothing
from .links import page_url
from .replacing import ReplaceKeyView
from .trying import TryView


@admin.register(Endpoint)
class EndpointAdmin(admin.ModelAdmin):
    """Where approvals are asked for, with a key that is replaced in steps."""

    list_display = [
        "name",
        "server",
        "condition",
        "last_used",
        "success",
        "is_default",
        "enabled",
    ]
    fieldsets = [
        (None, {"fields": ["name", "base_url", "endpoint_name", "ca_certificate"]}),
        (
            pgettext_lazy("heading", "Use"),
            {"fields": ["enabled", "is_default", "timeout"]},
        ),
        (
            gettext_lazy("On the phone"),
            {
                "fields": [
                    "title_text",
                    ("accept_button_text", "reject_button_text"),
                    "accepted_text",
                    "rejected_text",
                ],
                "description": gettext_lazy(
                    "What is left empty is worded by the server, and the title by "
                    "MAGICLINK_SITE_NAME. “Accept” and “Reject” on the buttons are "
                    "put into the user's language."
                ),
            },
        ),
    ]
    actions = ["make_default"]
    search_fields = ["name"]

    class Media:
        css = {"all": ["django_magiclink/admin/endpoints.css"]}

    def get_urls(self) -> list[URLPattern]:
        key = ReplaceKeyView.as_view(model_admin=self)
        # Outside of the view, so that an error of its own set-up reports neither.
        key = sensitive_post_parameters("secret", "password")(key)
        views = {"key": keeps_nothing(key), "test": TryView.as_view(model_admin=self)}
        return [
            path(
                f"<path:object_id>/{name}/",
                # An approval that is used inside a transaction could be used again.
                transaction.non_atomic_requests(self.admin_site.admin_view(view)),
                name=f"django_magiclink_endpoint_{name}",
            )
            for name, view in views.items()
        ] + super().get_urls()

    def get_queryset(self, request: HttpRequest) -> QuerySet[Endpoint]:
        return super().get_queryset(request).prefetch_related("keys")

    def get_changelist_instance(self, request: HttpRequest) -> Any:
        changelist = super().get_changelist_instance(request)
        rates = _success_rates()
        for endpoint in changelist.result_list:
            endpoint.rate = rates.get(endpoint.pk)
        return changelist

    @admin.display(description=gettext_lazy("server"), ordering="base_url")
    def server(self, endpoint: Endpoint) -> str:
        return endpoint.base_url.removeprefix("https://")

    @admin.display(description=gettext_lazy("condition"))
    def condition(self, endpoint: Endpoint) -> str:
        found = health.of(endpoint)
        label = str(found.label)
        key = health.key_in_use(endpoint)
        if found == Health.EXPIRING and key is not None:
            days = health.days_left(key) or 0
            label = ngettext("Key expires in %d day", "Key expires in %d days", days)
            label %= days
        return format_html(
            '<span class="magiclink-badge" data-health="{}">{}</span>', found, label
        )

    @admin.display(description=gettext_lazy("last used"))
    def last_used(self, endpoint: Endpoint) -> Any:
        key = health.key_in_use(endpoint)
        return key.last_used if key else None

    @admin.display(description=gettext_lazy("accepted in 24 hours"))
    def success(self, endpoint: Any) -> str | None:
        if endpoint.rate is None:
            return None
        accepted, ended = endpoint.rate
        return _("%(percent)d %% of %(count)d") % {
            "percent": round(100 * accepted / ended),
            "count": ended,
        }

    @admin.action(
        description=gettext_lazy("Make it the default"), permissions=["change"]
    )
    def make_default(self, request: HttpRequest, queryset: Any) -> None:
        chosen = list(queryset[:2])
        if len(chosen) != 1:
            problem = _("Choose one endpoint: there is one default.")
            self.message_user(request, problem, messages.ERROR)
            return
        [endpoint] = chosen
        endpoint.is_default = True
        endpoint.save()
        self.log_change(request, endpoint, _("It is the default now."))
        done = _("The default is now %s.") % endpoint
        self.message_user(request, done, messages.SUCCESS)

    def has_regenerate_permission(self, request: HttpRequest) -> bool:
        """Tell whether the user may replace keys."""
        return self.has_view_permission(request) and request.user.has_perm(
            "django_magiclink.regenerate_apikey"
        )

    def render_change_form(
        self, request: HttpRequest, context: Any, *args: Any, **kwargs: Any
    ) -> HttpResponse:
        context["may_replace_key"] = self.has_regenerate_permission(request)
        return super().render_change_form(request, context, *args, **kwargs)

    def response_post_save_add(
        self, request: HttpRequest, obj: Endpoint
    ) -> HttpResponseRedirect:
        return self._to_key(request, obj) or super().response_post_save_add(
            request, obj
        )

    def response_post_save_change(
        self, request: HttpRequest, obj: Endpoint
    ) -> HttpResponseRedirect:
        return self._to_key(request, obj) or super().response_post_save_change(
            request, obj
        )

    def save_model(
        self, request: HttpRequest, obj: Endpoint, form: Any, change: bool
    ) -> None:
        super().save_model(request, obj, form, change)
        if self._health(obj) == Health.MOVED:
            problem = _(
                "The key was entered for another host and is not sent to this one. "
                "Enter it again."
            )
            self.message_user(request, problem, messages.WARNING)

    def _to_key(
        self, request: HttpRequest, endpoint: Endpoint
    ) -> HttpResponseRedirect | None:
        """Send whoever may enter a key there, where one is missing now."""
        missing = self._health(endpoint) in (Health.NO_KEY, Health.MOVED)
        if not (missing and self.has_regenerate_permission(request)):
            return None
        return HttpResponseRedirect(self.address(endpoint, "key"))

    @staticmethod
    def _health(endpoint: Endpoint) -> Health:
        # Anew, as what was loaded belongs to the address before.
        return health.of(Endpoint.objects.get(pk=endpoint.pk))

    def address(self, endpoint: Endpoint, page: str) -> str:
        """Return the address of one of the endpoint's pages in this admin."""
        return page_url(self.admin_site, f"endpoint_{page}", endpoint.pk)


def _success_rates() -> dict[int, tuple[int, int]]:
    since = timezone.now() - timedelta(hours=24)
    rows = Approval.objects.filter(created__gte=since).exclude(endpoint=None)
    rows = rows.exclude(purpose=TEST)
    ended = rows.exclude(status__in=UNDECIDED).order_by().values("endpoint")
    return {
        row["endpoint"]: (row["accepted"], row["ended"])
        for row in ended.annotate(
            accepted=Count("pk", filter=Q(status__in=GRANTED)), ended=Count("pk")
        )
    }
