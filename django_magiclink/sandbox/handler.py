"""HTTP: the API for callers, the phone's pages for browsers."""

from __future__ import annotations

import re
from http.server import BaseHTTPRequestHandler
from typing import Any
from urllib.parse import parse_qsl, unquote

from . import faults, issuer, phone
from .markup import CONTENT_SECURITY_POLICY
from .records import ACCEPTED, BAD_REQUEST, Answer
from .state import State
from .wire import HTML, code_response, response

LONGEST_FORM = 10_000

_AUTHENTICATE = re.compile(r"/api/sfwa/auth(?:/(?P<endpoint>[^/]+))?")
_LOOPBACK = re.compile(r"(?:127\.0\.0\.1|localhost|\[::1\])(?::[0-9]+)?")

_PAGE_FIELDS = (
    "Cache-Control: no-store",
    f"Content-Security-Policy: {CONTENT_SECURITY_POLICY}",
    "Referrer-Policy: same-origin",
    "X-Content-Type-Options: nosniff",
    "X-Frame-Options: DENY",
)


class Handler(BaseHTTPRequestHandler):
    """One connection of a caller or a browser."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def __init__(self, state: State, *args: Any) -> None:
        self.state = state
        super().__init__(*args)  # which serves the connection to its end

    def do_GET(self) -> None:
        """Answer a call to the API, or show a page of the phone."""
        path, _, query = self.path.partition("?")
        if path.startswith("/api/"):
            self._call(path, query)
        elif self._from_this_machine():
            url = f"http://{self.headers['Host']}"
            self._show(phone.get(self.state, url, unquote(path), _pairs(query)))

    def do_POST(self) -> None:
        """Take an answer from a page of the phone, or make a key."""
        path, _, _ = self.path.partition("?")
        form = self._form()
        if path.startswith("/api/"):
            self._note(path, Answer(code=BAD_REQUEST, status=405))
        elif self._from_this_machine() and self._from_this_site():
            if path == issuer.PATH:
                self._send(issuer.answer(self.state.keys, form))
            else:
                self._show(phone.post(self.state, unquote(path), form))

    def log_message(self, format: str, *args: Any) -> None:
        """Stay quiet: the line would hold a phone number."""

    def _call(self, path: str, query: str) -> None:
        if path == faults.REDIRECTED:
            self._note(path, Answer(code=ACCEPTED))
        elif match := _AUTHENTICATE.fullmatch(path):
            self._answer(path, unquote(match["endpoint"] or ""), query)
        else:
            self._note(path, Answer(code=BAD_REQUEST, status=404))

    def _answer(self, path: str, endpoint: str, query: str) -> None:
        answer = self.state.answer(path, endpoint, query, self._fields())
        if answer.code:
            self._send(code_response(answer.code, answer.status))
            return
        self.close_connection = True
        if answer.fault:
            stopping = self.state.sessions.stopping
            faults.play(answer.fault, self.connection, stopping)

    def _note(self, path: str, answer: Answer) -> None:
        self.state.note(path, self._fields(), answer)
        self._send(code_response(answer.code, answer.status))

    def _fields(self) -> dict[str, str]:
        """Join repeated fields, so that a second API key spoils the first."""
        fields = self.headers
        return {name.lower(): ", ".join(fields.get_all(name, [])) for name in fields}

    def _form(self) -> dict[str, str]:
        length = self.headers.get("Content-Length", "")
        if not length.isdecimal() or int(length) > LONGEST_FORM:
            self.close_connection = True
            return {}
        return _pairs(self.rfile.read(int(length)).decode("utf-8", "replace"))

    def _from_this_machine(self) -> bool:
        """Refuse names that another site has pointed at this machine."""
        local = _LOOPBACK.fullmatch(self.headers.get("Host", "").lower())
        return bool(local) or self._forbid("Open this page as 127.0.0.1.")

    def _from_this_site(self) -> bool:
        """Refuse what another site makes the browser send: it could tap Accept."""
        site = self.headers.get("Sec-Fetch-Site")
        if site is None:
            origin = self.headers.get("Origin")
            allowed = origin == f"http://{self.headers['Host']}"
        else:
            allowed = site in ("same-origin", "none")
        return allowed or self._forbid("Only the phone's own pages may answer.")

    def _forbid(self, reason: str) -> bool:
        self._show(phone.refusal(403, "Not from here", reason))
        return False

    def _show(self, page: phone.Page) -> None:
        location = [f"Location: {page.location}"] if page.location else []
        fields = [*_PAGE_FIELDS, *location]
        self._send(response(page.status, HTML, page.body.encode(), *fields))

    def _send(self, data: bytes) -> None:
        self.wfile.write(data)


def _pairs(encoded: str) -> dict[str, str]:
    return dict(parse_qsl(encoded, keep_blank_values=True))
