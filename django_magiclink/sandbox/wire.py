"""HTTP responses as bytes, so that the faults can send broken ones too."""

from __future__ import annotations

import json
from http import HTTPStatus

HTML = "text/html; charset=utf-8"
JSON = "application/json"


def head(status: int, content_type: str, *fields: str) -> bytes:
    """Return the status line and header fields, each of ``fields`` as written."""
    try:
        reason = HTTPStatus(status).phrase
    except ValueError:
        reason = ""
    lines = [f"HTTP/1.1 {status} {reason}", f"Content-Type: {content_type}", *fields]
    return "\r\n".join([*lines, "", ""]).encode("latin-1")


def response(status: int, content_type: str, body: bytes, *fields: str) -> bytes:
    """Return a whole response with the length of its ``body``."""
    length = f"Content-Length: {len(body)}"
    return head(status, content_type, length, *fields) + body


def code_response(code: str, status: int) -> bytes:
    """Return the API's own answer."""
    return response(status, JSON, json.dumps({"code": code}).encode())
