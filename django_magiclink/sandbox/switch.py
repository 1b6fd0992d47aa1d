"""Mideye Switch's part: how a phone is reached, and what its owner will do."""

from __future__ import annotations

from dataclasses import dataclass

from .faults import FAULTS
from .keys import Endpoint
from .records import ACCEPTED, REJECTED

#: Standing orders that tap a button, and the code it makes.
TAPS = {"accept": ACCEPTED, "reject": REJECTED}
UNDELIVERABLE = "undeliverable"
ORDERS = frozenset({*TAPS, "ignore", UNDELIVERABLE, "manual", *FAULTS})


@dataclass(frozen=True, kw_only=True)
class Phone:
    """What Switch finds out about a number when it tries to reach it."""

    app: bool = True
    reachable: bool = True
    sms: bool = True


@dataclass(frozen=True, kw_only=True)
class Order:
    """What happens to every later prompt, and after how many seconds."""

    answer: str = "manual"
    delay: float = 0.0


class Switch:
    """The phones that exist, and the standing orders for them."""

    def __init__(self) -> None:
        self._phones: dict[str, Phone] = {}
        self._orders: dict[str | None, Order] = {}

    def set_phone(self, number: str, phone: Phone) -> None:
        """Change how ``number`` can be reached from now on."""
        self._phones[number] = phone

    def phone(self, number: str) -> Phone:
        """Return how ``number`` can be reached; any number has a phone."""
        return self._phones.get(number, Phone())

    def set_order(self, number: str | None, order: Order) -> None:
        """Set the order for one number, or for all in place of all earlier ones."""
        if order.answer not in ORDERS:
            raise ValueError(f"{order.answer!r} is none of {sorted(ORDERS)}.")
        if number is None:
            self._orders = {None: order}
        else:
            self._orders[number] = order

    def order(self, number: str) -> Order:
        """Return the standing order for ``number``."""
        return self._orders.get(number) or self._orders.get(None) or Order()

    def channel(self, endpoint: Endpoint, number: str) -> str:
        """Choose "push", else "sms" as the fallback, else "" for neither."""
        phone = self.phone(number)
        if endpoint.push and phone.app and phone.reachable:
            return "push"
        return "sms" if endpoint.links and phone.sms else ""

    def forget(self) -> None:
        """Return to phones that anything reaches, and to no orders."""
        self._phones = {}
        self._orders = {}
