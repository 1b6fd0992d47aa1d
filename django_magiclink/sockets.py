"""Sockets whose reads end together at a deadline, and the TLS that they speak."""

from __future__ import annotations

import os
import socket
import ssl
from functools import lru_cache
from threading import Lock
from time import monotonic
from typing import Any

from requests.utils import DEFAULT_CA_BUNDLE_PATH


def ssl_context(ca_file: str, ca_pem: str) -> ssl.SSLContext:
    """
    Return the context that trusts these authorities only, else those of ``certifi``.

    A process makes one for each configuration (42 ms and 700 KiB for ``certifi``) until
    the file changes. Raises :exc:`OSError` or :exc:`ValueError` for what is unreadable.
    """
    path = ca_file or ("" if ca_pem else DEFAULT_CA_BUNDLE_PATH)
    found = os.stat(path) if path else None
    stamp = (found.st_mtime_ns, found.st_size, found.st_ino) if found else None
    with _making_context:
        return _make_context(path, stamp, ca_pem)


_making_context = Lock()


@lru_cache(maxsize=64)
def _make_context(path: str, stamp: object, pem: str) -> ssl.SSLContext:
    # Not create_default_context(): it obeys SSLKEYLOGFILE, and from Python 3.13 on it
    # refuses certificates that private authorities are known to issue.
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    context.sslsocket_class = TLSSocket
    context.load_verify_locations(path or None, cadata=pem or None)
    return context


def until(moment: float) -> float:
    """Return how many seconds are left, or raise :exc:`TimeoutError` if none are."""
    seconds = moment - monotonic()
    if seconds <= 0:
        raise TimeoutError
    return seconds


class Socket(socket.socket):
    """A socket whose reads, together, end at ``deadline``."""

    deadline: float

    def recv_into(self, *args: Any, **kwargs: Any) -> int:
        # Python's timeouts bound the whole of one read or handshake, TLS records that
        # drip included (gevent's do not); that leaves the sequence of reads.
        self.settimeout(until(self.deadline))
        return super().recv_into(*args, **kwargs)


class TLSSocket(Socket, ssl.SSLSocket):
    """The same over TLS, whose handshake reads as well."""


def dial(sock: Socket, address: Any, timeout: float) -> Socket:
    """Connect ``sock`` and return it, or close it if that fails."""
    try:
        sock.settimeout(timeout)
        sock.connect(address)
    except OSError:
        sock.close()
        raise
    return sock
