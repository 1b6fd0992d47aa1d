"""
Makes calls in parallel, and says how long they took and what they left behind.

A program of its own, so that its memory is that of the calls and of nothing else. It
reads from its standard input which client is to call which addresses, how many times.
"""

import contextlib
import gc
import json
import re
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import requests

from django_magiclink import client, transport
from django_magiclink.client import MideyeClient
from django_magiclink.exceptions import CallError

from .wire import open_sockets

#: Seconds: those for a connection, twice, are within the whole, as in earnest.
DEADLINE, CONNECT_TIMEOUT = 1.2, 0.6
AT_ONCE = 25

_kept = []


def ours(url, ca_pem):
    authorities = {"ca_pem": ca_pem} if url.startswith("https") else {}
    try:
        return MideyeClient(url, "key", **authorities).authenticate(
            "+46701234567", timeout=15
        )
    except CallError as error:
        return error.kind


def naive(url, ca_pem):
    """Do as most do: requests and its timeout."""
    with contextlib.suppress(requests.RequestException):
        return requests.get(url, timeout=DEADLINE).content and "read"
    return "failed"


def leaky(url, ca_pem):
    """Leave a socket and a thread behind."""
    _kept.append(requests.get(url, timeout=DEADLINE, stream=True))
    threading.Thread(target=time.sleep, args=[60], daemon=True).start()
    return "left"


def mebibytes(name):
    status = Path("/proc/self/status").read_text()
    return int(re.search(rf"{name}:\s+([0-9]+) kB", status)[1]) / 1024


def run(call, urls, ca_pem):
    def timed(url):
        started = time.monotonic()
        outcome = call(url, ca_pem)
        return time.monotonic() - started, outcome

    with ThreadPoolExecutor(AT_ONCE) as pool:
        return list(pool.map(timed, urls))


def main():
    asked = json.load(sys.stdin)
    client.GRACE = DEADLINE - client.MIN_TIMEOUT
    transport.CONNECT_TIMEOUT = CONNECT_TIMEOUT
    # What the first calls load and what threads need is no growth.
    run(ours, asked["warm_up"], asked["ca_pem"])
    gc.collect()
    memory, sockets, threads = (
        mebibytes("VmRSS"),
        open_sockets(),
        threading.active_count(),
    )
    results = run(globals()[asked["call"]], asked["urls"], asked["ca_pem"])
    said = {
        "seconds": [seconds for seconds, _ in results],
        "outcomes": [str(outcome) for _, outcome in results],
        "grown": mebibytes("VmHWM") - memory,
        "sockets": open_sockets() - sockets,
        "threads": threading.active_count() - threads,
    }
    print(json.dumps(said))


if __name__ == "__main__":
    main()
