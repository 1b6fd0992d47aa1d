"""Under ASGI a page that waits is told at once, by an event stream of its own."""

from .stream import events
from .tokens import live_url, read_token

__all__ = ["events", "live_url", "read_token"]
