"""The server's memory, and how it makes up the answer to one call."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime

from . import parameters
from .calls import CallLog
from .faults import BAD_REQUEST_FAULT, FAULTS
from .keys import Keys
from .records import BAD_REQUEST, FAILED_DELIVERY, Answer, Call
from .sessions import Session, Sessions
from .switch import TAPS, UNDELIVERABLE, Order, Switch


class State:
    """What one server knows. Its plain attributes may be set at any time."""

    #: Calls per minute that one key may make; ``None`` for as many as it likes.
    rate_limit: int | None = None
    #: HTTP statuses that go with two codes, which the documentation leaves open.
    bad_request_status = 400
    failed_delivery_status = 200

    def __init__(self, touch_timeout_scale: float) -> None:
        self.touch_timeout_scale = touch_timeout_scale
        self.keys = Keys()
        self.switch = Switch()
        self.sessions = Sessions()
        self.log = CallLog()

    def answer(
        self, path: str, endpoint: str, query: str, headers: Mapping[str, str]
    ) -> Answer:
        """Note a call to the authentication API, and block until it has an answer."""
        pairs = parameters.parse(query)
        call = self._call(path, endpoint, dict(pairs), headers)
        serial = self.log.add(call)
        secret = headers.get("api-key", "")
        refused = (
            not call.key_valid
            or not parameters.acceptable(pairs)
            or not self.keys.within_rate(secret, self.rate_limit)
        )
        answer = self._refusal() if refused else self._ask(call)
        self.log.answered(serial, answer)
        return answer

    def note(self, path: str, headers: Mapping[str, str], answer: Answer) -> None:
        """Note a call to an address that is not the authentication API's."""
        serial = self.log.add(self._call(path, "", {}, headers))
        self.log.answered(serial, answer)

    def _call(
        self,
        path: str,
        endpoint: str,
        params: dict[str, str],
        headers: Mapping[str, str],
    ) -> Call:
        return Call(
            number=params.get("msisdn", ""),
            params=params,
            endpoint=endpoint,
            key_valid=self.keys.valid(headers.get("api-key", ""), endpoint),
            time=datetime.now(UTC),
            path=path,
            headers=headers,
        )

    def _refusal(self) -> Answer:
        return Answer(code=BAD_REQUEST, status=self.bad_request_status)

    def _ask(self, call: Call) -> Answer:
        order = self.switch.order(call.number)
        if order.answer == BAD_REQUEST_FAULT:
            return self._refusal()
        channel = ""
        if order.answer != UNDELIVERABLE:
            endpoint = self.keys.endpoint(call.endpoint)
            channel = self.switch.channel(endpoint, call.number)
        if not channel:
            self.sessions.stopping.wait(order.delay)
            return Answer(code=FAILED_DELIVERY, status=self.failed_delivery_status)
        seconds = parameters.touch_timeout(call.params) * self.touch_timeout_scale
        session = Session(
            number=call.number, channel=channel, params=call.params, seconds=seconds
        )
        self.sessions.open(session)
        return self._follow(order, session)

    def _follow(self, order: Order, session: Session) -> Answer:
        scripted = order.answer in TAPS or order.answer in FAULTS
        left = session.left()
        session.done.wait(min(order.delay, left) if scripted else left)
        if order.answer in FAULTS:
            return Answer(fault=order.answer)
        if order.answer in TAPS and order.delay < left:
            self.sessions.answer(session, TAPS[order.answer])
        return Answer(code=self.sessions.conclude(session))
