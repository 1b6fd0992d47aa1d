"""The keys there are and were, in the admin: never their secrets."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.http import HttpRequest
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from ..models import ApiKey


@admin.register(ApiKey)
class ApiKeyAdmin(admin.ModelAdmin):
    """The history; a new key is entered on the page of its endpoint."""

    list_display = [
        "__str__",
        "endpoint",
        "state",
        "expires_on",
        "last_used",
        "last_result",
        "created",
    ]
    list_filter = ["endpoint"]
    list_select_related = ["endpoint"]
    ordering = ["endpoint__name", "-created"]
    # The date too: with another one a key could be made not to work, so that the
    # password is enough to replace it.
    readonly_fields = [
        "expires_on",
        "endpoint",
        "state",
        "origin",
        "last_four",
        "fingerprint",
        "made_by",
        "created",
        "activated",
        "retired",
        "last_used",
        "last_result",
    ]
    fields = ["name", *readonly_fields]

    @admin.display(description=gettext_lazy("state"))
    def state(self, key: ApiKey) -> str:
        if key.is_in_use:
            return _("In use")
        return _("Retired") if key.retired else _("Not in use yet")

    def has_add_permission(self, request: HttpRequest) -> bool:
        # It takes steps: see the endpoint's own page.
        return False

    def has_delete_permission(
        self, request: HttpRequest, obj: ApiKey | None = None
    ) -> bool:
        # With its endpoint it may go: that asks here too, from another page.
        here = request.resolver_match and request.resolver_match.url_name
        if obj is not None and obj.is_in_use and "apikey" in str(here):
            return False
        return super().has_delete_permission(request, obj)

    def get_queryset(self, request: HttpRequest) -> Any:
        return super().get_queryset(request).defer("sealed")
