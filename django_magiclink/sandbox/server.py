"""The listening socket, and a thread for each connection."""

from __future__ import annotations

import selectors
import socket
import sys
from contextlib import suppress
from functools import partial
from http.server import ThreadingHTTPServer
from socketserver import TCPServer
from threading import Lock, Thread
from typing import Any

from .handler import Handler
from .state import State


class Server(ThreadingHTTPServer):
    """An HTTP server that a thousand callers may wait at, and that ends at once."""

    request_queue_size = 1024
    daemon_threads = True
    timeout = 0  # of handle_request: who came may have gone again

    def __init__(self, host: str, port: int, state: State) -> None:
        self._state = state
        self._lock = Lock()
        self._open: dict[socket.socket, Thread] = {}
        super().__init__((host, port), partial(Handler, state))
        self._waker, self._sleeper = socket.socketpair()
        self._loop = Thread(
            target=self._accept_all, name="magiclink-sandbox", daemon=True
        )

    def server_bind(self) -> None:
        """Bind without asking a name server who this machine is."""
        TCPServer.server_bind(self)

    def start(self) -> None:
        """Begin to accept connections."""
        self._loop.start()

    def stop(self) -> None:
        """Close every connection and wait until the last thread has ended."""
        self._waker.close()
        self._loop.join()
        self._state.sessions.stop()
        self.server_close()
        with self._lock:
            connections = dict(self._open)
        for connection in connections:
            _shut(connection)
        for thread in connections.values():
            thread.join()

    def _accept_all(self) -> None:
        """Do as ``serve_forever``, but be woken to end instead of polling."""
        with self._sleeper, selectors.DefaultSelector() as selector:
            selector.register(self, selectors.EVENT_READ)
            selector.register(self._sleeper, selectors.EVENT_READ)
            while self._sleeper not in [key.fileobj for key, _ in selector.select()]:
                self.handle_request()

    def process_request(self, request: Any, client_address: Any) -> None:
        """Serve a connection in a thread of its own that :meth:`stop` knows of."""
        thread = Thread(
            target=self._serve,
            args=[request, client_address],
            name="magiclink-sandbox-connection",
            daemon=True,
        )
        with self._lock:
            thread.start()
            self._open[request] = thread

    def _serve(self, request: socket.socket, client_address: Any) -> None:
        self.process_request_thread(request, client_address)
        with self._lock:
            del self._open[request]

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing of callers that hang up, but do report a bug of the sandbox."""
        if not isinstance(sys.exception(), OSError):
            super().handle_error(request, client_address)


def _shut(connection: socket.socket) -> None:
    with suppress(OSError):  # the caller may have been faster
        connection.shutdown(socket.SHUT_RDWR)
