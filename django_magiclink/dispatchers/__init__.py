"""Who waits for the phone, so that no web worker does."""

from .base import BaseDispatcher, get_dispatcher

__all__ = ["BaseDispatcher", "get_dispatcher"]
