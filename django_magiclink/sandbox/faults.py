"""
Answers that approve nothing, whatever they look like.

Each is played in place of the answer to one call and ends the connection. The phone
knows nothing of it and rings on until its time is up.
"""

from __future__ import annotations

import gzip
import socket
import struct
import zlib
from collections.abc import Callable
from functools import cache
from threading import Event

from .wire import HTML, JSON, head, response

#: Path of the answer that only a client that follows redirects gets to see.
REDIRECTED = "/api/sfwa/redirected"
#: Refuses the call before any phone rings; every other fault lets it ring.
BAD_REQUEST_FAULT = "bad_request"

_CLOSE = "Connection: close"
_ACCEPTED = b'{"code": "TOUCH_ACCEPTED"}'
_PAGE = b"<!doctype html><title>TOUCH_ACCEPTED</title><h1>TOUCH_ACCEPTED</h1>"
_DRIP_SECONDS = 0.1
_SPACE = ord(" ")
_CAP = 64 * 1024
_BOMB_MEBIBYTES = 64


def _ok(body: bytes, *fields: str, content_type: str = JSON) -> bytes:
    return response(200, content_type, body, _CLOSE, *fields)


_WHOLE = {
    "accepted_202": response(202, JSON, _ACCEPTED, _CLOSE),
    "accepted_403": response(403, JSON, _ACCEPTED, _CLOSE),
    "accepted_500": response(500, JSON, _ACCEPTED, _CLOSE),
    "bad_length": head(200, JSON, f"Content-Length: {len(_ACCEPTED) + 9}", _CLOSE)
    + _ACCEPTED,
    "code_list": _ok(b'{"code": ["TOUCH_ACCEPTED"]}'),
    "drop": b"",
    "duplicate_key": _ok(b'{"code":"TOUCH_REJECTED","code":"TOUCH_ACCEPTED"}'),
    "empty": _ok(b""),
    "garbage": _ok(_PAGE, content_type=HTML),
    "gateway_timeout": response(504, HTML, _PAGE, _CLOSE),
    "gzip": _ok(gzip.compress(_ACCEPTED), "Content-Encoding: gzip"),
    "lower_case": _ok(b'{"code": "touch_accepted"}'),
    "nested": _ok(b'{"result": {"code": "TOUCH_ACCEPTED"}}'),
    "not_object": _ok(b'["TOUCH_ACCEPTED"]'),
    "null_code": _ok(b'{"code": null}'),
    "padded_code": _ok(b'{"code": " TOUCH_ACCEPTED "}'),
    "redirect": response(302, HTML, _PAGE, _CLOSE, f"Location: {REDIRECTED}"),
    "server_error": response(500, HTML, _PAGE, _CLOSE),
    "too_large": _ok(_ACCEPTED + b" " * _CAP),
    "two_objects": _ok(_ACCEPTED + _ACCEPTED),
    "unknown_code": _ok(b'{"code": "TOUCH_APPROVED_V2"}'),
}


def _drip_headers(connection: socket.socket, stopping: Event) -> None:
    start = head(200, JSON).removesuffix(b"\r\n") + b"X-Drip: "
    _drip(connection, stopping, start)


def _drip_body(connection: socket.socket, stopping: Event) -> None:
    connection.sendall(head(200, JSON, "Content-Length: 60000", _CLOSE))
    _drip(connection, stopping, _ACCEPTED.removesuffix(b"}"))


def _drip(connection: socket.socket, stopping: Event, start: bytes) -> None:
    first = iter(start)
    while not stopping.wait(_DRIP_SECONDS):
        connection.sendall(bytes([next(first, _SPACE)]))


def _endless(connection: socket.socket, stopping: Event) -> None:
    connection.sendall(head(200, JSON, "Transfer-Encoding: chunked", _CLOSE))
    part = _ACCEPTED
    while not stopping.is_set():
        connection.sendall(b"%x\r\n%b\r\n" % (len(part), part))
        part = b" " * 8192


def _gzip_bomb(connection: socket.socket, stopping: Event) -> None:
    connection.sendall(_ok(_bomb(), "Content-Encoding: gzip"))


@cache
def _bomb() -> bytes:
    packer = zlib.compressobj(wbits=31)
    mebibyte = b" " * 2**20
    parts = [packer.compress(mebibyte) for _ in range(_BOMB_MEBIBYTES)]
    return b"".join([packer.compress(_ACCEPTED), *parts, packer.flush()])


def _reset(connection: socket.socket, stopping: Event) -> None:
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    socket.close(connection.detach())


def _stall(connection: socket.socket, stopping: Event) -> None:
    while connection.recv(1024):  # until the caller leaves, or stop() shuts it
        pass


_ACTED: dict[str, Callable[[socket.socket, Event], None]] = {
    "drip_body": _drip_body,
    "drip_headers": _drip_headers,
    "endless": _endless,
    "gzip_bomb": _gzip_bomb,
    "reset": _reset,
    "stall": _stall,
}

#: Every fault that ``Sandbox.script`` can play. None is a valid approval.
FAULTS: tuple[str, ...] = tuple(sorted([*_WHOLE, *_ACTED, BAD_REQUEST_FAULT]))


def play(name: str, connection: socket.socket, stopping: Event) -> None:
    """Send what the fault called ``name`` sends, until the caller has left."""
    if name in _ACTED:
        _ACTED[name](connection, stopping)
    else:
        connection.sendall(_WHOLE[name])
