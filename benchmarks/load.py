"""How many requests a second a server answers, asked by a process of its own."""

import selectors
import socket
import subprocess
import sys
import time

from .servers import PATIENCE, ROOT

#: Connections at a time, a new one for each request as sync workers keep none.
CONNECTIONS = 8


def rate(port, path, seconds):
    """Return how many requests for ``path`` were answered with 200, a second."""
    command = [sys.executable, "-m", "benchmarks.load", str(port), path, str(seconds)]
    done = subprocess.run(
        command, cwd=ROOT, stdout=subprocess.PIPE, check=True, timeout=PATIENCE
    )
    return float(done.stdout)


class _Line:
    """One request after the other, none of which blocks."""

    def __init__(self, selector, address, request):
        self.answered = 0
        self._selector, self._address, self._request = selector, address, request
        self._connect()

    def _connect(self):
        self._socket, self._got = socket.socket(), b""
        self._socket.setblocking(False)
        self._socket.connect_ex(self._address)
        self._selector.register(self._socket, selectors.EVENT_WRITE, self._send)

    def _send(self):
        self._socket.sendall(self._request)
        self._selector.modify(self._socket, selectors.EVENT_READ, self._receive)

    def _receive(self):
        data = self._socket.recv(65536)
        self._got += data
        if not data:
            self._selector.unregister(self._socket)
            self._socket.close()
            if not self._got.startswith(b"HTTP/1.1 200"):
                raise ConnectionError(self._got)
            self.answered += 1
            self._connect()


def _measure(port, path, seconds):
    request = f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n"
    selector = selectors.DefaultSelector()
    lines = [
        _Line(selector, ("127.0.0.1", port), request.encode())
        for _ in range(CONNECTIONS)
    ]
    start = now = time.perf_counter()
    while now < start + seconds:
        for key, _ in selector.select(start + seconds - now):
            key.data()
        now = time.perf_counter()
    return sum(line.answered for line in lines) / (now - start)


if __name__ == "__main__":
    print(_measure(int(sys.argv[1]), sys.argv[2], float(sys.argv[3])))
