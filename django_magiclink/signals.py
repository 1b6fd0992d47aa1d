"""What happens to approvals, for audit trails and alerts."""

from django.dispatch import Signal

#: A phone is to be asked. Sent with ``approval``.
approval_requested = Signal()

#: An approval has moved on. Sent with ``pk`` and its new ``status``.
approval_changed = Signal()
