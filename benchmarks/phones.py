"""
A Mideye Server for thousands of phones: each call is held until all are answered.

The package's sandbox gives each caller a thread; 10,000 of those would be measured
too. This one is a process of its own, which speaks the same protocol on one event loop.
"""

import asyncio
import json
import os
import ssl
import subprocess
import sys
from collections import Counter
from http.client import HTTPConnection
from urllib.parse import parse_qs, urlsplit

from .servers import PATIENCE, ROOT, until

API_KEY = "0d1f2c3b-benchmarks-only"
_BODY = b'{"code": "TOUCH_ACCEPTED"}'


class Phones:
    """
    The process, as its caller sees it: ``url`` is where phones are asked.

    A context manager. With ``certificate``, a PEM file with its key, it speaks HTTPS.
    """

    api_key = API_KEY

    def __init__(self, certificate=""):
        self._certificate = str(certificate)

    def __enter__(self):
        command = [sys.executable, "-m", "benchmarks.phones", self._certificate]
        self._process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE)
        port, self._control = json.loads(self._process.stdout.readline())
        scheme = "https" if self._certificate else "http"
        self.url = f"{scheme}://127.0.0.1:{port}"
        return self

    def __exit__(self, *error):
        self._process.terminate()
        self._process.wait(PATIENCE)
        self._process.stdout.close()

    def hold(self):
        """Forget what was, and let the phones that are asked from now on ring."""
        self._tell("hold")

    def answer(self):
        """Accept on all phones that ring, and at once on those that are asked later."""
        self._tell("answer")

    def ringing(self):
        """Return how many phones ring."""
        return self._tell("state")["ringing"]

    def rang(self):
        """Return how many calls came since the last hold, and the most for a phone."""
        state = self._tell("state")
        return state["calls"], state["most"]

    def wait_for(self, calls):
        """Return once so many calls have come since the last hold."""
        until(lambda: self.rang()[0] >= calls)

    def _tell(self, word):
        connection = HTTPConnection("127.0.0.1", self._control, timeout=PATIENCE)
        try:
            connection.request("GET", f"/{word}")
            return json.loads(connection.getresponse().read())
        finally:
            connection.close()


class _Exchange:
    """The phones that ring, and how often each has."""

    def __init__(self):
        self.hold()

    def hold(self):
        self.is_holding, self.waiting, self.calls = True, set(), Counter()

    def ask(self, transport, target):
        self.calls[parse_qs(urlsplit(target).query)["msisdn"][0]] += 1
        if self.is_holding:
            self.waiting.add(transport)
        else:
            _respond(transport, _BODY)

    def answer(self):
        self.is_holding, waiting, self.waiting = False, self.waiting, set()
        for transport in waiting:
            _respond(transport, _BODY)

    def state(self):
        return {
            "ringing": len(self.waiting),
            "calls": self.calls.total(),
            "most": max(self.calls.values(), default=0),
        }


class _Connection(asyncio.Protocol):
    def __init__(self, exchange, act):
        self._exchange, self._act, self._read = exchange, act, b""

    def connection_made(self, transport):
        self._transport = transport

    def data_received(self, data):
        self._read += data
        if b"\r\n\r\n" in self._read:
            self._act(self._exchange, self._transport, self._read.decode("ascii"))

    def connection_lost(self, error):
        self._exchange.waiting.discard(self._transport)


def _respond(transport, body, status="200 OK"):
    head = f"HTTP/1.1 {status}\r\nContent-Length: {len(body)}\r\nConnection: close"
    transport.write(f"{head}\r\n\r\n".encode() + body)
    transport.close()


def _call(exchange, transport, request):
    line, *fields = request.split("\r\n")
    if f"api-key: {API_KEY}" not in fields or " /api/sfwa/auth" not in line:
        _respond(transport, b'{"code": "BAD_REQUEST"}', "400 Bad Request")
    else:
        exchange.ask(transport, line.split()[1])


def _control(exchange, transport, request):
    word = request.split()[1].removeprefix("/")
    found = getattr(exchange, word)()
    _respond(transport, json.dumps(found).encode())


async def _serve(certificate):
    context = None
    if certificate:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate)
    loop, exchange, ports = asyncio.get_running_loop(), _Exchange(), []
    for act, tls in ((_call, context), (_control, None)):
        server = await loop.create_server(
            lambda act=act: _Connection(exchange, act),
            "127.0.0.1",
            0,
            ssl=tls,
            backlog=4096,
            # Many handshakes at a time take long on few cores.
            ssl_handshake_timeout=PATIENCE if tls else None,
        )
        ports.append(server.sockets[0].getsockname()[1])
    print(json.dumps(ports), flush=True)
    parent = os.getppid()
    while os.getppid() == parent:
        await asyncio.sleep(1)


if __name__ == "__main__":
    asyncio.run(_serve(sys.argv[1]))
