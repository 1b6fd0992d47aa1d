"""
What can go wrong, none of it with a number, a key or an address in its text.

* ``MagicLinkError``

  * ``Refused``: no phone is asked; ``reason`` is the word on the wire

    * ``NoPhone``, ``NoEndpoint``, ``Inactive``, ``Limited``, ``Busy``, ``Expired``

  * ``CallError``: the call to the Mideye Server brought no answer that counts

    * ``NotSent``: it never left, so no phone rings
    * ``Unanswered``: it may have left, so a phone may be ringing

  * ``DecryptionError``: a stored secret cannot be read with the present keys
"""

from __future__ import annotations

from typing import ClassVar


class MagicLinkError(Exception):
    """Base class of everything that django_magiclink raises."""


class Refused(MagicLinkError):
    """No phone was asked."""

    #: The word for it in a problem body.
    reason: ClassVar[str]


class NoPhone(Refused):
    """The user has no phone number that counts."""

    reason = "no_phone"


class NoEndpoint(Refused):
    """No Mideye Server, or no usable key for it, is configured."""

    reason = "no_endpoint"


class Inactive(Refused):
    """The user's account is not active."""

    reason = "inactive"


class Expired(Refused):
    """The signed challenge is too old, or of another session."""

    reason = "expired"


class Busy(Refused):
    """This process waits for as many phones as it may."""

    reason = "busy"


class Limited(Refused):
    """
    The phone may not be asked now; ``retry_after`` is in seconds.

    ``limit`` is the one of ``MAGICLINK_LIMITS`` that was reached, ``live`` where
    another prompt is on the phone, or ``reported`` after "That was not me".
    """

    reason = "limited"

    def __init__(self, retry_after: int, limit: str = "live") -> None:
        super().__init__(f"Not before {retry_after} s, for {limit}.")
        self.retry_after = retry_after
        self.limit = limit


class CallError(MagicLinkError):
    """
    The call to the Mideye Server brought no answer that counts.

    ``kind`` is one short word for the audit, such as ``timeout``.
    """

    def __init__(self, kind: str) -> None:
        super().__init__(kind)
        self.kind = kind


class NotSent(CallError):
    """The request never left this machine, so no phone rings."""


class Unanswered(CallError):
    """The request may have left, so a phone may be ringing."""


class DecryptionError(MagicLinkError):
    """A stored secret cannot be read with ``MAGICLINK_FIELD_KEYS`` as they are."""
