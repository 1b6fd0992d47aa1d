"""A Mideye Server that runs while a test does, and the phones of the site's users."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import count
from threading import Thread
from typing import Any

from cryptography.fernet import Fernet
from django.db import connections
from django.test.utils import override_settings

from .. import approvals
from ..conf import DEFAULT_LIMITS, app_settings
from ..dispatchers import BaseDispatcher
from ..models import ApiKey, Approval, Endpoint, PhoneNumber
from ..recording import number_of
from ..sandbox import Prompt, Sandbox

#: Seconds for what takes none, on a machine that has much else to do.
_PATIENCE = 30.0


class Mideye(Sandbox):
    """A sandbox for the site under test, which knows whose phone is whose."""

    def __init__(self) -> None:
        super().__init__()
        # The numbers that nobody has: Sweden keeps them for fiction.
        self._numbers = map("+46701740{}".format, count(605))
        self._field_key = Fernet.generate_key().decode()
        self._waits: dict[str, list[Thread]] = {}

    @property
    def settings(self) -> dict[str, Any]:
        """What lets a site ask here, as often as a test likes."""
        return {
            "MAGICLINK_SANDBOX": True,
            "MAGICLINK_SERVER_URL": self.url,
            "MAGICLINK_API_KEY": self.api_key,
            "MAGICLINK_ENDPOINT_NAME": "",
            "MAGICLINK_CA_FILE": "",
            # An endpoint in the database must not ring the phones of real people.
            "MAGICLINK_ALLOWED_SERVERS": ["127.0.0.1"],
            "MAGICLINK_FIELD_KEYS": [*app_settings.FIELD_KEYS, self._field_key],
            "MAGICLINK_DISPATCHER": f"{__name__}.SandboxDispatcher",
            "MAGICLINK_LIMITS": dict.fromkeys(DEFAULT_LIMITS),
        }

    def phone(self, user: Any) -> Phone:
        """Return the phone of ``user``, who is given one if there is none yet."""
        if not PhoneNumber.objects.of_all([user]):
            PhoneNumber.objects.replace(user, next(self._numbers))
        return Phone(number=PhoneNumber.objects.of(user), _mideye=self)

    def endpoint(self, name: str) -> Endpoint:
        """Let the endpoint that guards call ``name`` be one of this server's."""
        self.add_endpoint(name)
        endpoint, _made = Endpoint.objects.update_or_create(
            name=name,
            defaults={
                "base_url": self.url,
                "endpoint_name": name,
                "ca_certificate": "",
                "enabled": True,
            },
        )
        ApiKey(endpoint=endpoint, name="Tests").enter(self.issue_key(name))
        return endpoint

    def ask(self, pk: uuid.UUID) -> None:
        """Perform an approval: now if it is known what comes, else in a thread."""
        number = number_of(Approval.objects.get(pk=pk))
        if self.switch.order(number).answer != "manual":
            approvals.perform(pk)
            return
        wait = Thread(target=_perform, args=[pk], daemon=True)
        wait.start()
        self._waits.setdefault(number, []).append(wait)

    def settle(self, number: str) -> None:
        """Wait until the site has noted what the phone has answered."""
        for wait in self._waits.pop(number, []):
            wait.join(_PATIENCE)

    def stop(self) -> None:
        """End what still waits, so that it writes into no later test's database."""
        super().stop()
        for number in [*self._waits]:
            self.settle(number)


@dataclass(frozen=True, kw_only=True)
class Phone:
    """The phone of one user."""

    number: str
    _mideye: Mideye = field(repr=False)

    @property
    def url(self) -> str:
        """Its page, for a browser."""
        return self._mideye.phone_url(self.number)

    @property
    def prompts(self) -> list[Prompt]:
        """What rings on it, the oldest first."""
        return self._mideye.prompts(self.number)

    def answers(self, answer: str) -> None:
        """Give each later question this answer: one of :meth:`.Sandbox.script`."""
        self._mideye.script(answer, self.number)

    def accept(self) -> Prompt:
        """Tap Accept on what rings; return what that showed."""
        prompt = self._mideye.accept(self.number, _PATIENCE)
        self._mideye.settle(self.number)
        return prompt

    def reject(self) -> Prompt:
        """Tap Reject on what rings; return what that showed."""
        prompt = self._mideye.reject(self.number, _PATIENCE)
        self._mideye.settle(self.number)
        return prompt


_running: list[Mideye] = []


class SandboxDispatcher(BaseDispatcher):
    """Leaves it to the sandbox of the test, which knows if somebody is to tap."""

    def dispatch(self, pk: uuid.UUID) -> None:
        _running[-1].ask(pk)


@contextmanager
def running() -> Iterator[Mideye]:
    """Run a server for the block, whose ``settings`` are yet to be put to use."""
    with Mideye() as mideye:
        _running.append(mideye)
        try:
            yield mideye
        finally:
            _running.remove(mideye)


@contextmanager
def sandboxed() -> Iterator[Mideye]:
    """
    Run a Mideye Server for the block, and let the site ask there, without limits.

    It is for tests whose database is not in a transaction, as what is asked is sent
    once it is committed. An answer that a phone is told beforehand is there when the
    question has been sent. Else somebody taps: :meth:`Phone.accept`, or
    :func:`answer_phone` in a browser.
    """
    with running() as mideye, override_settings(**mideye.settings):
        yield mideye


def _perform(pk: uuid.UUID) -> None:
    try:
        approvals.perform(pk)
    finally:
        connections.close_all()
