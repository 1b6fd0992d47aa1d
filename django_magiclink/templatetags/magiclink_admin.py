"""What our own pages in the admin have in common."""

from __future__ import annotations

from typing import Any

from django import template

from .. import health

register = template.Library()


@register.inclusion_tag("admin/django_magiclink/key_warnings.html", takes_context=True)
def key_warnings(context: template.Context) -> dict[str, Any]:
    """Show which endpoints need somebody, to those who may see endpoints."""
    user = context["request"].user
    if not user.has_perm("django_magiclink.view_endpoint"):
        return {"warnings": []}
    found = health.unwell(health.endpoints())
    said = [(endpoint, health.describe(endpoint, state)) for endpoint, state in found]
    return {"warnings": said}
