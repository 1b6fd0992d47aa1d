"""Magic Link endpoints, and the API keys that open them."""

from __future__ import annotations

from collections import defaultdict, deque
from dataclasses import dataclass
from datetime import UTC, datetime
from threading import Lock
from time import monotonic
from uuid import uuid4

LONGEST_NAME = 255
RATE_WINDOW = 60.0


@dataclass(frozen=True, kw_only=True)
class Endpoint:
    """The switches of one Magic Link endpoint."""

    push: bool = True
    links: bool = True


@dataclass(frozen=True, kw_only=True)
class Key:
    """An API key, which belongs to one endpoint."""

    endpoint: str
    name: str
    expires: datetime | None


class Keys:
    """The endpoints of one server, with their keys. The default is named ""."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._endpoints = {"": Endpoint()}
        self._keys: dict[str, Key] = {}
        self._uses: defaultdict[str, deque[float]] = defaultdict(deque)

    def add_endpoint(self, name: str, endpoint: Endpoint) -> None:
        """Add an endpoint, or set the switches of the one that has this name."""
        if len(name) > LONGEST_NAME:
            raise ValueError(f"A name has at most {LONGEST_NAME} characters.")
        self._endpoints[name] = endpoint

    def endpoint(self, name: str) -> Endpoint:
        """Return the switches of the endpoint called ``name``."""
        return self._endpoints[name]

    def issue(
        self, endpoint: str, name: str, expires: datetime | None, secret: str = ""
    ) -> str:
        """Make a key of ``endpoint``; those it has already stay valid."""
        if endpoint not in self._endpoints:
            raise LookupError("There is no such endpoint: add_endpoint() makes one.")
        if expires is not None and expires.tzinfo is None:
            raise ValueError("The expiry needs a time zone.")
        secret = secret or str(uuid4())
        self._keys[secret] = Key(endpoint=endpoint, name=name, expires=expires)
        return secret

    def revoke(self, secret: str) -> None:
        """End a key at once."""
        if self._keys.pop(secret, None) is None:
            raise LookupError("There is no such key.")

    def valid(self, secret: str, endpoint: str) -> bool:
        """Tell whether ``secret`` opens ``endpoint`` now."""
        key = self._keys.get(secret)
        return (
            key is not None
            and key.endpoint == endpoint
            and (key.expires is None or key.expires > datetime.now(UTC))
        )

    def within_rate(self, secret: str, limit: int | None) -> bool:
        """Count one use of a key, unless the last minute has had ``limit``."""
        now = monotonic()
        with self._lock:
            uses = self._uses[secret]
            while uses and uses[0] <= now - RATE_WINDOW:
                uses.popleft()
            if limit is not None and len(uses) >= limit:
                return False
            uses.append(now)
            return True
