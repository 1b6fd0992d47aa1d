"""
New keys from a sandbox that runs elsewhere, for ``MAGICLINK_KEY_ISSUER``.

A real Mideye Server has no such thing: there, an administrator makes the key by hand.
"""

from __future__ import annotations

import json
from datetime import UTC, date, datetime, timedelta
from http.client import HTTPConnection
from typing import Protocol
from urllib.parse import urlencode, urlsplit

from .keys import Keys
from .wire import JSON, response

PATH = "/keys"
#: Days for which a key that was made here is valid.
VALID_FOR = 365


class _Endpoint(Protocol):
    name: str
    base_url: str
    endpoint_name: str


def issue_key(endpoint: _Endpoint) -> tuple[str, date]:
    """Return a new key of ``endpoint`` and the day it expires on."""
    address = urlsplit(endpoint.base_url)
    host = f"{address.hostname}:{address.port}"
    fields = {"endpoint": endpoint.endpoint_name, "name": endpoint.name}
    headers = {
        "Content-Type": "application/x-www-form-urlencoded",
        "Origin": f"http://{host}",
    }
    connection = HTTPConnection(host, timeout=5)
    try:
        connection.request("POST", PATH, urlencode(fields), headers)
        answer = json.load(connection.getresponse())
    finally:
        connection.close()
    return answer["key"], date.fromisoformat(answer["expires"])


def answer(keys: Keys, form: dict[str, str]) -> bytes:
    """Make a key of the endpoint that ``form`` names, and return the response."""
    expires = datetime.now(UTC) + timedelta(days=VALID_FOR)
    try:
        key = keys.issue(form.get("endpoint", ""), form.get("name", ""), expires)
    except LookupError as error:
        return response(404, JSON, json.dumps({"error": str(error)}).encode())
    # The day before, so that it holds for all of it in every time zone.
    day = (expires - timedelta(days=1)).date().isoformat()
    return response(201, JSON, json.dumps({"key": key, "expires": day}).encode())
