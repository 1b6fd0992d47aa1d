"""Where our own pages are in an admin site."""

from __future__ import annotations

from django.contrib.admin import AdminSite
from django.urls import reverse


def page_url(site: AdminSite, page: str, *args: object) -> str:
    """Return the address of ``page`` in ``site``, Django's own or another."""
    return reverse(f"{site.name}:django_magiclink_{page}", args=args)
