"""Who waits for the phone, so that no web worker does."""

from .base import BaseDispatcher, dispatch_for, get_dispatcher

__all__ = ["BaseDispatcher", "dispatch_for", "get_dispatcher"]
