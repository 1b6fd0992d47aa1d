"""Magic Link sessions: each rings on one phone, and is answered once or never."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from secrets import token_urlsafe
from threading import Condition, Event
from time import monotonic

from .records import NOT_RESPONDED, NoPrompt, Prompt

_TEXTS = {
    "title-text": "Do you approve this?",
    "authentication-text": "A service asks for your approval.",
    "sms-text": "A service asks for your approval. Open the link to answer.",
    "button-accept-text": "Accept",
    "touch-accept-text": "You can go back to the service.",
    "touch-reject-text": "Nothing was approved.",
}
_REJECT = {"push": "Reject", "sms": "Decline"}


@dataclass(eq=False, kw_only=True)
class Session:
    """One request for an approval. Only :class:`Sessions` changes it."""

    number: str
    channel: str
    params: Mapping[str, str]
    seconds: float
    id: str = field(default_factory=lambda: token_urlsafe(16))
    opened: datetime = field(default_factory=lambda: datetime.now(UTC))
    started: float = field(default_factory=monotonic)
    code: str = ""
    done: Event = field(default_factory=Event)

    def text(self, name: str) -> str:
        """Return the caller's text for a parameter, or the server's own."""
        if name == "button-reject-text":
            return self.params.get(name) or _REJECT[self.channel]
        return self.params.get(name) or _TEXTS[name]

    def left(self) -> float:
        """Return the seconds in which it can still be answered."""
        return max(0.0, self.started + self.seconds - monotonic())

    def rings(self) -> bool:
        """Tell whether it can be answered now."""
        return not self.code and self.left() > 0

    def end(self) -> None:
        """Let its time be up now."""
        self.seconds = 0
        self.done.set()

    def path(self) -> str:
        """Return where it is answered: the phone's inbox, or the link of its SMS."""
        if self.channel == "push":
            return f"/phone/{self.number}"
        return f"/link/{self.id}"

    def prompt(self, base_url: str) -> Prompt:
        """Return what the phone shows of it."""
        return Prompt(
            id=self.id,
            number=self.number,
            channel=self.channel,
            title=self.text("title-text"),
            text=self.text("authentication-text"),
            sms_text=self.text("sms-text"),
            button_accept=self.text("button-accept-text"),
            button_reject=self.text("button-reject-text"),
            link=base_url + self.path() if self.channel == "sms" else "",
            rings_until=self.opened + timedelta(seconds=self.seconds),
        )


class Sessions:
    """All sessions of one server, and the only writer of their answers."""

    def __init__(self) -> None:
        self.stopping = Event()
        self._changed = Condition()
        self._all: dict[str, Session] = {}
        self._ringing: dict[str, Session] = {}

    def open(self, session: Session) -> None:
        """Let a phone ring, unless the server is stopping."""
        with self._changed:
            if self.stopping.is_set():
                session.end()
                return
            self._all[session.id] = self._ringing[session.id] = session
            self._changed.notify_all()

    def find(self, pk: str, path: str) -> Session | None:
        """Return the session with this id, if ``path`` is where it is answered."""
        session = self._all.get(pk)
        return session if session and session.path() == path else None

    def of(self, number: str) -> list[Session]:
        """Return every session of ``number``, the newest first."""
        with self._changed:
            return [
                each for each in reversed(self._all.values()) if each.number == number
            ]

    def numbers(self) -> list[str]:
        """Return every number that was called, the latest first."""
        with self._changed:
            return [*dict.fromkeys(s.number for s in reversed(self._all.values()))]

    def ringing(self, number: str | None = None) -> list[Session]:
        """Return the sessions that can be answered now, the oldest first."""
        with self._changed:
            live = [each for each in self._ringing.values() if each.rings()]
            self._ringing = {each.id: each for each in live}
            return [each for each in live if number in (None, each.number)]

    def answer(self, session: Session, code: str) -> bool:
        """Answer a session, and tell whether it was still open."""
        with self._changed:
            if not session.rings():
                return False
            session.code = code
            del self._ringing[session.id]
            session.done.set()
            return True

    def answer_next(self, number: str | None, code: str, within: float) -> Session:
        """Answer the newest session that rings, waiting for one to ring."""
        with self._changed:
            session = self._changed.wait_for(lambda: self._newest(number), within)
            if session is None or not self.answer(session, code):
                raise NoPrompt(f"No such phone rang within {within} s.")
            return session

    def conclude(self, session: Session) -> str:
        """Close a session and return its code: "" if it ends because of a stop."""
        with self._changed:
            self._ringing.pop(session.id, None)
            if not session.code and not self.stopping.is_set():
                session.code = NOT_RESPONDED
            return session.code

    def end_all(self) -> None:
        """End every session that rings, as if its time were up."""
        with self._changed:
            for session in self._ringing.values():
                session.end()
            self._ringing.clear()

    def stop(self) -> None:
        """End every session without a code, and those that are still to come."""
        with self._changed:
            self.stopping.set()
            self.end_all()

    def forget(self) -> None:
        """End and forget all sessions, so that every link is unknown."""
        with self._changed:
            self.end_all()
            self._all.clear()

    def _newest(self, number: str | None) -> Session | None:
        newest = reversed(self._ringing.values())
        fits = (each for each in newest if number in (None, each.number))
        return next((each for each in fits if each.rings()), None)
