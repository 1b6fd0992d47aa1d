"""
The one call to the Mideye Server: ask a phone, and say what the answer means.

What goes wrong has a ``kind``, one short word that the audit keeps.

:exc:`~django_magiclink.exceptions.NotSent`, so no phone rings:

* ``invalid``: number, timeout, key, address, endpoint name or CA cannot be used
* ``dns``, ``connect``: the server's name is unknown, or nothing answers there in time
* ``tls``: no handshake in time, or a certificate that is not trusted

:exc:`~django_magiclink.exceptions.Unanswered`, so a phone may be ringing:

* ``timeout``: no whole answer by the deadline
* ``network``: the connection was lost, or what came was not HTTP
* ``redirect``: sent elsewhere, which is never followed
* ``too_large``, ``garbage``: a body over 64 KiB, or not the strict JSON that is due

An :class:`Answer` that is a failure has an ``error_kind``: ``refused`` (key, parameter
or rate limit: Mideye does not say which), ``unknown_code``, or ``http_status``
(accepted, but not with 200).
"""

from __future__ import annotations

import json
import re
import ssl
from dataclasses import KW_ONLY, dataclass
from time import monotonic
from typing import Any, NoReturn
from urllib.parse import quote, urlencode

import requests
import urllib3
from django.utils.translation import gettext
from django.views.decorators.debug import sensitive_variables

from . import __version__
from .addresses import validate_base_url, validate_endpoint_name
from .exceptions import CallError, NotSent, Unanswered
from .sockets import ssl_context
from .status import Status
from .transport import BODY_LIMIT, Call, Reply

#: Seconds that a phone may be given to answer.
MIN_TIMEOUT, MAX_TIMEOUT = 15, 300
#: Seconds beyond those, for connecting and for the answer's way back.
GRACE = 10.0

_HEADERS = {
    "Accept": "application/json",
    "Accept-Encoding": "identity",
    "Connection": "close",
    "User-Agent": f"django-magiclink/{__version__}",
}
_NUMBER = re.compile(r"\+[1-9][0-9]{7,14}")
_KEY = re.compile(r"[!-~]+")

#: The codes that Mideye documents: the state each means, and the kind of error.
MEANINGS = {
    "TOUCH_ACCEPTED": (Status.ACCEPTED, ""),
    "TOUCH_REJECTED": (Status.REJECTED, ""),
    "USER_NOT_RESPONDED": (Status.NO_ANSWER, ""),
    "FAILED_DELIVERY": (Status.UNDELIVERED, ""),
    "BAD_REQUEST": (Status.FAILED, "refused"),
}


@dataclass(frozen=True, kw_only=True)
class Texts:
    """What the phone shows; an empty text leaves the wording to the server."""

    title: str = ""
    authentication: str = ""
    sms: str = ""
    accept_button: str = ""
    reject_button: str = ""
    accepted: str = ""
    rejected: str = ""


_NO_TEXTS = Texts()


@dataclass(frozen=True, kw_only=True)
class Answer:
    """
    What the server said, and what it means.

    ``code`` is as sent, but printable and at most 64 characters: to show, never to
    decide by. ``documented`` tells that the prompt is over, whatever the HTTP status.
    """

    code: str
    http_status: int
    status: Status
    documented: bool
    error_kind: str


@dataclass(frozen=True, eq=False, repr=False)
class MideyeClient:
    """
    Asks phones through one endpoint of one Mideye Server, a connection each time.

    With ``ca_file`` (a path) or ``ca_pem``, only the authorities in them are trusted.
    """

    base_url: str
    api_key: str
    _: KW_ONLY
    endpoint_name: str = ""
    ca_file: str = ""
    ca_pem: str = ""

    def __reduce__(self) -> NoReturn:
        # Pickled into a cache or a queue, the key would lie there in clear text.
        raise TypeError("A client holds a key: it is not stored and not copied.")

    def check(self) -> None:
        """
        Raise :exc:`ValueError` unless address, endpoint name and CA can be used.

        The text says what to do and repeats none of them. The key is not looked at.
        """
        self._prepare()

    def authenticate(
        self, msisdn: str, *, timeout: int, texts: Texts = _NO_TEXTS
    ) -> Answer:
        """
        Ring the phone ``msisdn`` (E.164) and wait up to ``timeout`` seconds, 15 to 300.

        Returns or raises at most ``GRACE`` seconds after that, save for a slow name
        lookup, and never sends twice. Raises :exc:`NotSent` if the request certainly
        never left and :exc:`Unanswered` otherwise, with a ``kind`` from the list above.
        """
        try:
            outcome = self._ask(msisdn, timeout, texts)
        finally:
            del msisdn, texts  # so that no traceback through here shows them
        if isinstance(outcome, CallError):
            raise outcome
        return outcome

    @sensitive_variables()
    def _ask(self, msisdn: str, timeout: int, texts: Texts) -> Answer | CallError:
        try:
            url, context = self._prepare()
            query = _query(msisdn, timeout, texts)
            if not _KEY.fullmatch(self.api_key):
                raise ValueError
        except (TypeError, ValueError):
            return NotSent("invalid")
        call = Call(context, timeout + GRACE)
        try:
            reply = call.fetch(f"{url}?{query}", _HEADERS | {"api-key": self.api_key})
        except Exception as error:  # whatever it is, it may quote the request
            if call.stage != "sent":
                return NotSent(call.stage)
            late = requests.Timeout | urllib3.exceptions.TimeoutError
            return Unanswered("timeout" if isinstance(error, late) else "network")
        if monotonic() >= call.deadline:
            return Unanswered("timeout")
        return _read(reply)

    def _prepare(self) -> tuple[str, ssl.SSLContext]:
        validate_base_url(self.base_url)
        url = f"{self.base_url.rstrip('/')}/api/sfwa/auth"
        if self.endpoint_name:
            validate_endpoint_name(self.endpoint_name)
            url += "/" + quote(self.endpoint_name, safe="")
        try:
            return url, ssl_context(self.ca_file, self.ca_pem)
        except (OSError, TypeError, ValueError):
            pass
        raise ValueError(
            gettext("Give the CA's certificates as PEM, BEGIN and END too.")
        )


@sensitive_variables()
def _query(msisdn: str, timeout: int, texts: Texts) -> str:
    if type(timeout) is not int or not MIN_TIMEOUT <= timeout <= MAX_TIMEOUT:
        raise ValueError
    if not _NUMBER.fullmatch(msisdn):
        raise ValueError
    shown = {
        "title-text": texts.title,
        "authentication-text": texts.authentication,
        "sms-text": texts.sms,
        "button-accept-text": texts.accept_button,
        "button-reject-text": texts.reject_button,
        "touch-accept-text": texts.accepted,
        "touch-reject-text": texts.rejected,
    }
    shown = {name: text for name, text in shown.items() if text}
    parameters = {"msisdn": msisdn, "touch-timeout": str(timeout), **shown}
    return urlencode(parameters, safe="", quote_via=quote)


def _read(reply: Reply) -> Answer | Unanswered:
    too_large = len(reply.body) > BODY_LIMIT
    code = None if too_large or reply.encoded else _find_code(reply.body)
    if code is not None:
        return _interpret(code, reply.status)
    if 300 <= reply.status < 400:
        return Unanswered("redirect")
    return Unanswered("too_large" if too_large else "garbage")


def _find_code(body: bytes) -> str | None:
    # The parser recurses in C: deep nesting could overrun the small stack of a thread.
    if body.count(b"[") + body.count(b"{") > 100:
        return None
    try:
        found = json.loads(
            body.decode(), object_pairs_hook=_unique, parse_constant=_refuse
        )
    except ValueError:
        return None
    code = found.get("code") if isinstance(found, dict) else None
    return code if isinstance(code, str) else None


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise ValueError
    return members


def _refuse(constant: str) -> NoReturn:
    raise ValueError


def _interpret(code: str, http_status: int) -> Answer:
    status, error_kind = MEANINGS.get(code, (Status.FAILED, "unknown_code"))
    if status is Status.ACCEPTED and http_status != 200:
        status, error_kind = Status.FAILED, "http_status"
    return Answer(
        code="".join(filter(str.isprintable, code))[:64],
        http_status=http_status,
        status=status,
        documented=code in MEANINGS,
        error_kind=error_kind,
    )
