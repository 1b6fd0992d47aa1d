"""Starting, stopping and steering the sandbox from Python."""

from __future__ import annotations

from datetime import datetime
from types import TracebackType
from typing import Self
from urllib.parse import quote

from .keys import Endpoint
from .records import ACCEPTED, REJECTED, Call, Prompt
from .server import Server
from .state import State
from .switch import Order, Phone

HOSTS = ("127.0.0.1", "localhost")


class Sandbox(State):
    """
    A Mideye Server on loopback, for development and tests.

    Use it as a context manager, or call :meth:`start` and :meth:`stop`. It forgets
    nothing until :meth:`reset`, and comes back on the same port when started again.
    ``touch_timeout_scale`` shortens the time to answer: at 0.01 a ``touch-timeout``
    of 60 is over after 0.6 s.
    """

    def __init__(
        self,
        port: int = 0,
        *,
        host: str = HOSTS[0],
        api_key: str = "",
        touch_timeout_scale: float = 1.0,
    ) -> None:
        if host not in HOSTS:
            raise ValueError(f"The sandbox listens on loopback only: use {HOSTS[0]}.")
        if not 0 <= port <= 65535:
            raise ValueError("A port is a number from 0 to 65535.")
        super().__init__(touch_timeout_scale)
        #: A key of the default endpoint, there from the beginning.
        self.api_key = self.keys.issue("", "default", None, api_key)
        self._port = port
        self._server: Server | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.stop()

    def start(self) -> None:
        """Listen. A port that is taken raises :exc:`OSError`."""
        if self._server is None:
            self._server = Server(HOSTS[0], self._port, self)
            self._port = self._server.server_address[1]
            self.sessions.stopping.clear()
            self._server.start()

    def stop(self) -> None:
        """End every waiting call without an answer, and close all sockets."""
        if self._server is not None:
            self._server.stop()
            self._server = None

    @property
    def url(self) -> str:
        """The base URL to give to a client."""
        if not self._port:
            raise RuntimeError("Start the sandbox first: then it has a port.")
        return f"http://{HOSTS[0]}:{self._port}"

    def phone_url(self, number: str) -> str:
        """Return the address of the browser phone that has ``number``."""
        return f"{self.url}/phone/{quote(number, safe='+')}"

    def add_endpoint(self, name: str, push: bool = True, links: bool = True) -> None:
        """Add a named endpoint; the name "" sets the default one's switches."""
        self.keys.add_endpoint(name, Endpoint(push=push, links=links))

    def issue_key(
        self, endpoint: str = "", name: str = "", expires: datetime | None = None
    ) -> str:
        """Return a new key of ``endpoint``; the keys it has stay valid."""
        return self.keys.issue(endpoint, name, expires)

    def revoke_key(self, key: str) -> None:
        """Refuse ``key`` from now on."""
        self.keys.revoke(key)

    def set_phone(
        self,
        number: str,
        app: bool = True,
        reachable: bool = True,
        sms: bool = True,
    ) -> None:
        """Say if the app is activated, if pushes arrive there, and if SMS does."""
        self.switch.set_phone(number, Phone(app=app, reachable=reachable, sms=sms))

    def script(
        self, answer: str, number: str | None = None, delay: float = 0.0
    ) -> None:
        """
        Answer every later prompt for ``number``, or for all, after ``delay`` seconds.

        ``answer`` is "accept", "reject", "ignore" (nobody taps), "undeliverable",
        "manual" (whoever taps) or one of ``FAULTS``. The latest order holds.
        """
        self.switch.set_order(number, Order(answer=answer, delay=delay))

    def accept(self, number: str | None = None, within: float = 5.0) -> Prompt:
        """Tap Accept on the newest prompt, once one rings, and return that prompt."""
        return self._tap(number, ACCEPTED, within)

    def reject(self, number: str | None = None, within: float = 5.0) -> Prompt:
        """Tap Reject on the newest prompt, once one rings, and return that prompt."""
        return self._tap(number, REJECTED, within)

    def prompts(self, number: str | None = None) -> list[Prompt]:
        """Return the prompts that ring now, the oldest first."""
        return [each.prompt(self.url) for each in self.sessions.ringing(number)]

    @property
    def calls(self) -> list[Call]:
        """A copy of the list of all calls that reached the API, in order."""
        return self.log.copy()

    def wait_for_calls(self, count: int, within: float = 5.0) -> list[Call]:
        """Return the calls once there are ``count``, else raise TimeoutError."""
        self.log.wait_for(count, within)
        return self.calls

    def reset(self) -> None:
        """
        Forget calls, prompts, orders, phones and the attributes that were set.

        Endpoints and keys remain. Callers that wait get USER_NOT_RESPONDED.
        """
        self.rate_limit = None
        self.bad_request_status = State.bad_request_status
        self.failed_delivery_status = State.failed_delivery_status
        self.sessions.forget()
        self.log.forget()
        self.switch.forget()

    def _tap(self, number: str | None, code: str, within: float) -> Prompt:
        return self.sessions.answer_next(number, code, within).prompt(self.url)
