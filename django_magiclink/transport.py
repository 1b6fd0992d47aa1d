"""
One GET to the Mideye Server: bounded in time and size, and kept private.

``urllib3`` and ``http.client``, and the tracers that patch them, log and quote the URL
and the headers that they are given. They are given neither the query string nor the
key: :meth:`_Private.urlopen` sets both aside, and :meth:`_Connection.send` puts them
back, on their way into the socket.
"""

from __future__ import annotations

import http.client
import logging
import socket
import ssl
from functools import partial
from time import monotonic
from typing import Any, NamedTuple

import requests
from django.views.decorators.debug import sensitive_variables
from requests.adapters import HTTPAdapter
from urllib3 import BaseHTTPResponse, HTTPConnectionPool, HTTPSConnectionPool
from urllib3.connection import HTTPConnection, HTTPSConnection

from .sockets import Socket, dial, until

logger = logging.getLogger(__name__)

#: Seconds for the TCP connection over all addresses, and again for the TLS handshake.
CONNECT_TIMEOUT = 5.0
#: Bytes of a body that are read; the body in a :class:`Reply` may be one byte longer.
BODY_LIMIT = 64 * 1024


class Reply(NamedTuple):
    """What came back: ``encoded`` tells that the body has a Content-Encoding."""

    status: int
    encoded: bool
    body: bytes


class Call:
    """
    One request, and how far it got.

    Reading ends after ``patience`` seconds, at ``deadline``, however slowly bytes come.
    ``stage`` is ``sent`` once the request may have left; until then it tells how far it
    got: ``invalid``, ``dns``, ``connect``, ``tls``.
    """

    def __init__(self, context: ssl.SSLContext, patience: float) -> None:
        now = monotonic()
        self.stage = "invalid"
        self.context = context
        self.deadline = now + patience
        # If sent later, the phone would still ring when nobody listens any more.
        self.send_by = now + 2 * CONNECT_TIMEOUT
        self.query = self.key = b""

    @sensitive_variables()
    def fetch(self, url: str, headers: dict[str, str]) -> Reply:
        """
        Send the request once and return what came back by the deadline.

        Raises whatever ``requests``, ``urllib3`` and ``ssl`` raise; ``stage`` tells
        whether the request can have left.
        """
        with (
            _Session(self) as session,
            session.get(
                url,
                headers=headers,
                stream=True,
                allow_redirects=False,
                timeout=CONNECT_TIMEOUT,  # urllib3 wants one; Socket sets its own
            ) as response,
        ):
            raw, body = response.raw, b""
            # A second read is what tells a complete body from a truncated one.
            while len(body) <= BODY_LIMIT and (
                chunk := raw.read(BODY_LIMIT + 1 - len(body), decode_content=False)
            ):
                body += chunk
            encoded = "Content-Encoding" in response.headers
            return Reply(response.status_code, encoded, body)


class _Response(http.client.HTTPResponse):
    def begin(self) -> None:
        super().begin()
        # urllib3 would log a malformed header as it stands, and go on.
        if self.msg.defects:
            raise http.client.HTTPException("Malformed header")


class _Connection(HTTPConnection):
    debuglevel = 0  # http.client's switch for all would print what is sent
    response_class = _Response

    def __init__(self, *args: Any, call: Call, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.call = call

    def connect(self) -> None:
        self.call.stage = "dns"
        # The system's resolver takes its own time, which Python cannot bound; after a
        # very long one, nothing is sent.
        found = socket.getaddrinfo(self._dns_host, self.port, type=socket.SOCK_STREAM)
        self.call.stage = "connect"
        limit = min(monotonic() + CONNECT_TIMEOUT, self.call.send_by)
        while self.sock is None:
            family, kind, protocol, _, address = found.pop(0)
            try:
                share = until(limit) / (len(found) + 1)
                self.sock = dial(Socket(family, kind, protocol), address, share)
            except OSError:
                if not found:
                    raise

    def send(self, data: Any) -> None:
        if self.sock is None:
            self.connect()
        sock: Any = self.sock
        sock.deadline = self.call.deadline
        line, end, fields = data.partition(b" HTTP/1.1\r\n")
        self.call.stage = "sent"
        sock.sendall(line + self.call.query + end + self.call.key + fields)


class _TLSConnection(_Connection, HTTPSConnection):
    def connect(self) -> None:
        # Not urllib3's own: it alters the context, which other threads are using.
        super().connect()
        sock: Any = self.sock
        self.call.stage = "tls"
        sock.settimeout(min(CONNECT_TIMEOUT, until(self.call.send_by)))
        self.sock = self.call.context.wrap_socket(
            sock, server_hostname=self.host, do_handshake_on_connect=False
        )
        try:
            # By itself, wrap_socket() lets a connection that was just reset go without.
            self.sock.do_handshake()
        except ssl.SSLError as error:
            reason = getattr(error, "verify_message", error.reason)
            logger.warning("No TLS with the Mideye Server: %s", reason)
            raise
        self.is_verified = True


class _Private(HTTPConnectionPool):
    def __init__(self, *args: Any, call: Call, **kwargs: Any) -> None:
        super().__init__(*args, call=call, **kwargs)
        self.call = call

    def urlopen(  # type: ignore[override]
        self, method: str, url: str, *, headers: Any, **options: Any
    ) -> BaseHTTPResponse:
        path, mark, query = url.partition("?")
        bare = dict(headers)
        self.call.query = f"{mark}{query}".encode("ascii")
        self.call.key = f"api-key: {bare.pop('api-key')}\r\n".encode("ascii")
        return super().urlopen(method, path, headers=bare, **options)


class _Pool(_Private):
    ConnectionCls = _Connection


class _TLSPool(_Private, HTTPSConnectionPool):
    ConnectionCls = _TLSConnection


class _Adapter(HTTPAdapter):
    def __init__(self, call: Call) -> None:
        self.call = call
        super().__init__(max_retries=0)

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        super().init_poolmanager(*args, **kwargs)
        manager: Any = self.poolmanager
        manager.pool_classes_by_scheme = {
            "http": partial(_Pool, call=self.call),
            "https": partial(_TLSPool, call=self.call),
        }


class _Session(requests.Session):
    """A session for one request, deaf to proxies, netrc and bundles of the machine."""

    def __init__(self, call: Call) -> None:
        super().__init__()
        self.trust_env = False
        adapter = _Adapter(call)
        self.mount("https://", adapter)
        self.mount("http://", adapter)

    def get_redirect_target(self, resp: requests.Response) -> None:
        # Even when it follows none, requests reads and decodes a redirect's whole body.
        return None
