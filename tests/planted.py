"""Dispatchers with defects, for the tests to find."""

from threading import Thread

from django_magiclink import approvals
from django_magiclink.dispatchers import BaseDispatcher, thread, writer


class Unforked(thread.ThreadDispatcher):
    """Believes that a forked process still has its parent's threads."""

    def __init__(self):
        super().__init__()
        parents = writer._Writer()
        writer._of_this_process = lambda: parents


class Unbounded(BaseDispatcher):
    """Lets as many wait as come."""

    def dispatch(self, pk):
        Thread(target=approvals.perform, args=[pk], daemon=True).start()
