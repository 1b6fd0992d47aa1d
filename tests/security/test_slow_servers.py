"""100 calls to servers that are slow or never end: time, memory, threads, sockets."""

import gzip
import json
import os
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from .slow_calls import AT_ONCE, DEADLINE
from .wire import ACCEPTED, CHUNKED, drips, floods, replies, stalls

pytestmark = [
    pytest.mark.slow,
    pytest.mark.covers("R38", "R39", "A34", "A35"),
]

ROOT = Path(__file__).parents[2]
TIMES = 10
BOMB = gzip.compress(bytes(50_000_000))
OK = b"HTTP/1.1 200 OK\r\n"
#: What the server does, whether that is instead of TLS, and how the call ends.
SERVERS = {
    "dripping header": (drips(OK + b"X-Drip: ", b"x"), False, "timeout"),
    "dripping body": (
        drips(OK + b"Content-Length: 999\r\n\r\n", b" "),
        False,
        "timeout",
    ),
    "dripping in TLS": (drips(OK + b"X-Drip: ", b"x"), True, "timeout"),
    "stall after connecting": (stalls, False, "timeout"),
    "stall in the handshake": (stalls, None, "tls"),
    "dripping handshake": (drips(b"\x16\x03\x03\x40\x00\x02", b"\0"), None, "tls"),
    "gzip bomb": (
        replies(BOMB, "200 OK", "Content-Encoding: gzip"),
        False,
        "garbage",
    ),
    "endless chunks": (
        floods(CHUNKED, b"10000\r\n" + b" " * 65536 + b"\r\n"),
        False,
        "too_large",
    ),
    "a gigabyte": (
        floods(OK + b"Content-Length: 1000000000\r\n\r\n", b" " * 65536),
        False,
        "too_large",
    ),
    "endless headers": (floods(OK, b"X: y\r\n" * 1000), False, "network"),
}


@pytest.fixture
def call(serve, tls):
    def call(name, servers):
        """Have a program of its own make the calls, and return what it says."""
        good = serve(replies(ACCEPTED)), serve(replies(ACCEPTED), tls=tls)
        asked = {
            "call": name,
            "warm_up": [server.url for server in good] * AT_ONCE,
            "urls": [server.url for server in servers] * TIMES,
            "ca_pem": tls.ca_pem,
        }
        program = subprocess.run(
            [sys.executable, "-m", "tests.security.slow_calls"],
            input=json.dumps(asked),
            capture_output=True,
            cwd=ROOT,
            env=os.environ | {"DJANGO_SETTINGS_MODULE": "tests.settings"},
            text=True,
            timeout=120,
        )
        assert program.returncode == 0, program.stderr
        return json.loads(program.stdout)

    return call


@pytest.fixture
def start(serve, tls):
    def start(name):
        script, encrypted, _ = SERVERS[name]
        server = serve(
            script, tls=tls if encrypted else None, reads=encrypted is not None
        )
        if encrypted is None:
            server.url = server.url.replace("http:", "https:")
        return server

    return start


def test_100_calls_end_in_time_and_leave_nothing_behind(call, start):
    servers = [start(name) for name in SERVERS]

    said = call("ours", servers)

    late = [seconds for seconds in said["seconds"] if seconds > DEADLINE + 2]
    expected = [kind for _, _, kind in SERVERS.values()] * TIMES
    assert (len(said["seconds"]), late) == (100, [])
    assert said["outcomes"] == expected
    assert said["grown"] < 20
    assert (said["sockets"], said["threads"]) == (0, 0)


def test_a_client_that_is_slow_is_seen(call, serve):
    def drips_for_a_while(server, connection):
        connection.sendall(OK + b"Content-Length: 999\r\n\r\n")
        for _ in range(40):
            connection.sendall(b" ")
            server.stopped.wait(0.1)

    said = call("naive", [serve(drips_for_a_while)])

    assert min(said["seconds"]) > DEADLINE + 2


def test_a_client_that_takes_memory_is_seen(call, start):
    said = call("naive", [start("gzip bomb")])

    assert Counter(said["outcomes"]) == {"read": TIMES}
    assert said["grown"] > 20


def test_a_client_that_leaves_something_behind_is_seen(call, serve):
    said = call("leaky", [serve(replies(b" " * 100_000))])

    assert (said["sockets"], said["threads"]) == (TIMES, TIMES)
