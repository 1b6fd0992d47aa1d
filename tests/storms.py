"""Very many requests, as fast as the machine sends and serves them."""

import socket
from threading import Event, Thread
from urllib.parse import urlencode

from django_magiclink.sandbox import Sandbox
from django_magiclink.sandbox.sessions import Sessions

from .servers import PATIENCE, Answer


def storm(site, times, act, lines=64):
    """
    Call ``act`` with 0, 1 and so on, ``times`` in all; return the results.

    As many as there are ``lines`` at a time, and the first of them at one moment.
    """

    results = [None] * times

    def share(line):
        for number in range(line, times, lines):
            results[number] = act(number)

    site.together(min(lines, times), share)
    return results


class Letter:
    """A request that is written once and sent often: ten times faster than writing."""

    def __init__(self, visitor, method, path, fields=None, site=None):
        self._address = ("127.0.0.1", (site or visitor.site).port)
        body, form = urlencode(fields or {}).encode(), []
        if fields:
            form = ["Content-Type: application/x-www-form-urlencoded"]
        head = [
            f"{method} {path} HTTP/1.1",
            "Host: {}:{}".format(*self._address),
            "Connection: close",
            *(f"{name}: {value}" for name, value in visitor.headers.items()),
            *form,
            f"Content-Length: {len(body)}",
            "\r\n",
        ]
        self._bytes = "\r\n".join(head).encode() + body

    def send(self):
        """Send it on a connection of its own, and return the answer."""
        with socket.create_connection(self._address, PATIENCE) as connection:
            connection.sendall(self._bytes)
            received = b"".join(iter(lambda: connection.recv(65536), b""))
        head, _, body = received.partition(b"\r\n\r\n")
        if not head:
            raise ConnectionResetError
        return Answer(status=int(head.split()[1]), text=body.decode(), cookies=[])


def start_of(visitor, path, site=None):
    """
    Return the start of an approval of ``path``, as a :class:`Letter`.

    It may go to another ``site`` with the same database.
    """
    problem = visitor.get(path).json
    fields = {
        "challenge": problem["challenge"],
        "csrfmiddlewaretoken": problem["csrf_token"],
    }
    return Letter(visitor, "POST", problem["start_url"], fields, site)


class Watched(Sandbox):
    """A Mideye Server that knows how many prompts rang on one phone at a time."""

    def __init__(self, **options):
        super().__init__(**options)
        self.sessions = _Watched()

    @property
    def most(self):
        """The most since the last reset."""
        return self.sessions.most

    def reset(self):
        super().reset()
        self.sessions.most = 0


class _Watched(Sessions):
    most = 0

    def open(self, session):
        with self._changed:
            super().open(session)
            self.most = max(self.most, len(self.ringing(session.number)))


class Owner:
    """Whoever has the phones: answers at moments and in ways that ``random`` picks."""

    def __init__(self, sandbox, random, most=0.1):
        self._sandbox = sandbox
        self._random = random
        self._most = most
        self._over = Event()
        self._thread = Thread(target=self._answer)

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *error):
        self._over.set()
        self._thread.join()

    def _answer(self):
        while not self._over.wait(self._random.random() * self._most):
            for prompt in self._sandbox.prompts():
                # The third is to ignore it.
                code = self._random.choice(["TOUCH_ACCEPTED", "TOUCH_REJECTED", ""])
                session = self._sandbox.sessions.find(
                    prompt.id, f"/phone/{prompt.number}"
                )
                if session and code:
                    self._sandbox.sessions.answer(session, code)
