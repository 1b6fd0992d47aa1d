"""What the sandbox tells about itself: values that never change."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

ACCEPTED = "TOUCH_ACCEPTED"
REJECTED = "TOUCH_REJECTED"
NOT_RESPONDED = "USER_NOT_RESPONDED"
FAILED_DELIVERY = "FAILED_DELIVERY"
BAD_REQUEST = "BAD_REQUEST"


class NoPrompt(Exception):
    """No phone rang that could be answered."""


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What goes back to a caller: a code, a fault in its place, or silence."""

    code: str = ""
    status: int = 200
    fault: str = ""


@dataclass(frozen=True, kw_only=True)
class Call:
    """
    One request that reached the API.

    ``code``, ``status`` and ``fault`` are empty until it is answered; a fault
    leaves the first two so.
    """

    #: The ``msisdn`` as it was sent, right or wrong.
    number: str
    #: All query parameters; of a repeated one the last.
    params: Mapping[str, str]
    #: Name of the endpoint, "" for the default one.
    endpoint: str
    #: Whether the key was one of this endpoint's and had not expired.
    key_valid: bool
    time: datetime
    #: Path as it was sent, without the query.
    path: str
    #: Request headers, names in lower case.
    headers: Mapping[str, str] = field(repr=False)
    code: str = ""
    status: int = 0
    fault: str = ""


@dataclass(frozen=True, kw_only=True)
class Prompt:
    """One request for an approval as a phone shows it."""

    id: str
    number: str
    #: "push" or "sms".
    channel: str
    title: str
    text: str
    sms_text: str
    button_accept: str
    button_reject: str
    #: Address of the approval page; "" for a push.
    link: str
    rings_until: datetime
