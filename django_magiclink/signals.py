"""What happens to approvals and phones, for audit trails, alerts and mails to users."""

from django.dispatch import Signal

#: A phone is to be asked. Sent with ``approval``.
approval_requested = Signal()

#: A phone was not asked. Sent with ``user``, ``scope``, ``endpoint`` (as the guard
#: names it), ``address``, ``session_hash``, ``reason`` (the word in a problem body),
#: ``limit`` (the one that was reached, if any) and ``retry_after`` (seconds).
approval_refused = Signal()

#: An approval has moved on. Sent with ``pk``, its new ``status``, and ``by``: the user
#: who ended it in the admin, else ``None``.
approval_changed = Signal()

#: Somebody was asked for what they had not asked for. Sent with ``approval`` and the
#: ``request`` that says so.
approval_reported = Signal()

#: Something that its user should hear of by another way, such as a mail. Sent with
#: ``user``, ``kind`` and ``details``, a dict. A receiver may run where the answers of
#: all phones are written, so it hands what takes time, a mail too, to a queue.
#:
#: * ``locked``: the phone is not asked before ``until``
#: * ``accepted_after_failures``: ``approval``, after so many ``failures`` in a row
#: * ``phone_changed``: to ``number``, masked; ``by`` is the user who changed it
#: * ``reported``: ``approval``, as not asked for by the user
#: * ``logins_limited``: somebody made the phone ring so often that nobody can log in
#:   with it alone before ``until``; told once a day
#: * ``bypass_allowed``: one login without the phone, ``until`` then, ``by`` that user
#: * ``bypass_used``: that login, whose ``approval`` it is, allowed ``by`` that user
security_notice = Signal()

#: One login without the phone was ``allowed``, ``used`` or ``ended``, and that is
#: committed. Sent with ``bypass``, ``action``, ``by`` (the user who allowed or ended
#: it) and ``approval``: what a used one has made.
bypass_changed = Signal()

#: A key of an endpoint was ``entered``, ``put to use``, ``put back`` or ``deleted``,
#: and that is committed. Sent with ``endpoint``, ``key`` (an ``ApiKey``; its secret is
#: sealed), ``action`` and ``user``: ``None`` if it was a command, or went with its
#: endpoint.
key_changed = Signal()

#: A key needs a new one soon. Sent with ``endpoint``, ``key`` and ``days``, of which
#: there are none or less when it has expired.
key_expiring = Signal()

#: The audit trail was exported. Sent with ``user``, ``rows`` and ``filters``.
approvals_exported = Signal()

#: Old approvals were deleted. Sent with ``rows`` and ``before``, a time.
approvals_purged = Signal()
