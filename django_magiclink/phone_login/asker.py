"""What the phone says of whoever asks, so that its owner can tell a stranger."""

from __future__ import annotations

from django.http import HttpRequest

from ..identities import client_address

# In this order: each of them also calls itself one or more of those behind it. Only
# these words go to the phone, never what a client says of itself.
_BROWSERS = {
    "Edg": "Edge",
    "OPR/": "Opera",
    "Firefox/": "Firefox",
    "Chrome/": "Chrome",
    "Safari/": "Safari",
}


def describe(request: HttpRequest) -> str:
    """Return the address that asks, and the family of its browser if it is known."""
    agent = request.headers.get("User-Agent", "")
    names = [name for mark, name in _BROWSERS.items() if mark in agent]
    return ", ".join(filter(None, [client_address(request), *names[:1]]))
