"""
HTTPS: one of our calls in a thread, beside ``requests.get`` as it comes.

Both trust the same authorities: those of certifi, and the benchmark's own. Run as a
program, it is the process whose calls wait.
"""

import subprocess
import sys
import tempfile
import threading
from pathlib import Path
from statistics import median

import certifi
import requests

from tests.security.wire import Authority

from .phones import API_KEY, Phones
from .servers import ROOT, until
from .usage import Usage

#: At most these parts of what the plain call takes.
MEMORY, CPU = 0.15, 0.10
_TIMEOUT = 300
_PATIENCE = 280


def compare(size, runs):
    """Print the medians of so many runs and the bars, and return how many it misses."""
    with tempfile.TemporaryDirectory() as folder:
        authority, bundle = Authority(), Path(folder) / "bundle.pem"
        bundle.write_text(Path(certifi.where()).read_text() + authority.pem)
        certificate = Path(folder) / "server.pem"
        authority.server_context(certificate)
        with Phones(certificate) as phones:
            pairs = [
                [_measure(way, phones, bundle, size) for way in ("plain", "ours")]
                for _ in range(runs)
            ]
    plain, ours = (
        [median(column) for column in zip(*those, strict=True)]
        for those in zip(*pairs, strict=True)
    )
    print(f"| HTTPS, {size:,} waiting in threads | KiB each | CPU ms each |")
    print("|---|---:|---:|")
    print(f"| requests.get(verify=True) | {plain[0]:.1f} | {plain[1]:.2f} |")
    print(f"| ours | {ours[0]:.1f} | {ours[1]:.2f} |\n")
    missed = 0
    for what, most, one, other in zip(
        ("memory", "CPU"), (MEMORY, CPU), ours, plain, strict=True
    ):
        missed += one / other > most
        verdict = "FAIL" if one / other > most else "pass"
        print(f"- {verdict}: {what}: {one / other:.3f} (at most {most})")
    print(flush=True)
    return missed


def _measure(way, phones, bundle, size):
    phones.hold()
    command = [sys.executable, "-m", "benchmarks.pending_https", way, phones.url]
    with subprocess.Popen(
        [*command, str(bundle), str(size)],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as process:
        try:
            process.stdout.readline()
            before = Usage(process.pid)
            process.stdin.write(b"\n")
            process.stdin.flush()
            until(lambda: phones.ringing() == size, _PATIENCE)
            after = Usage(process.pid)
        finally:
            process.kill()
    memory, cpu = after.memory - before.memory, after.cpu - before.cpu
    return memory / size, cpu / size


def _plain(url, bundle, number):
    # By itself verify=True loads certifi's bundle, which is as large, as often.
    requests.get(
        f"{url}/api/sfwa/auth",
        params={"msisdn": number},
        headers={"api-key": API_KEY},
        timeout=_TIMEOUT,
        verify=True,
    )


def _ours(url, bundle, number):
    client = MideyeClient(url, API_KEY, ca_file=bundle)
    client.authenticate(number, timeout=_TIMEOUT)


if __name__ == "__main__":
    import os

    from django.conf import settings

    settings.configure()
    from django_magiclink.client import MideyeClient

    way, url, bundle, size = sys.argv[1:]
    os.environ["REQUESTS_CA_BUNDLE"] = bundle
    call = {"plain": _plain, "ours": _ours}[way]
    print("ready", flush=True)
    sys.stdin.readline()
    for each in range(int(size)):
        arguments = [url, bundle, f"+4670{each:07}"]
        threading.Thread(target=call, args=arguments, daemon=True).start()
    threading.Event().wait()
