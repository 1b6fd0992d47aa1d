"""Mideye Servers and their Magic Link endpoints in the admin."""

from __future__ import annotations

from django.contrib import admin

from ..models import Endpoint


@admin.register(Endpoint)
class EndpointAdmin(admin.ModelAdmin):
    list_display = ["name", "base_url", "endpoint_name", "is_default", "enabled"]
