"""The record of every request that reached the API."""

from __future__ import annotations

from dataclasses import replace
from threading import Condition

from .records import Answer, Call


class CallLog:
    """All calls in the order in which they came."""

    def __init__(self) -> None:
        self._arrived = Condition()
        self._calls: dict[int, Call] = {}
        self._serial = 0

    def add(self, call: Call) -> int:
        """Keep a call, and return the number under which to answer it."""
        with self._arrived:
            self._serial += 1
            self._calls[self._serial] = call
            self._arrived.notify_all()
            return self._serial

    def answered(self, serial: int, answer: Answer) -> None:
        """Note what goes back, unless the call has been forgotten."""
        status = 0 if answer.fault else answer.status
        with self._arrived:
            if call := self._calls.get(serial):
                self._calls[serial] = replace(
                    call, code=answer.code, status=status, fault=answer.fault
                )

    def copy(self) -> list[Call]:
        """Return all calls, with what was answered so far."""
        with self._arrived:
            return [*self._calls.values()]

    def wait_for(self, count: int, within: float) -> None:
        """Wait until ``count`` calls have come."""
        with self._arrived:
            if not self._arrived.wait_for(lambda: len(self._calls) >= count, within):
                came = len(self._calls)
                raise TimeoutError(f"{came} of {count} calls came within {within} s.")

    def forget(self) -> None:
        """Start again with none."""
        with self._arrived:
            self._calls.clear()
