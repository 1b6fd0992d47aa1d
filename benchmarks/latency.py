"""
From the phone's answer to the browser that waits for it.

Run ``python -m benchmarks.latency``; README.md says what it measures. Ends with 1 if a
bar is missed.
"""

import argparse
import asyncio
import json
import os
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path
from statistics import median, quantiles

from django_magiclink.sandbox import Sandbox
from tests.servers import ROOT, PostgreSQL, Site, SQLite, surroundings, until

from .latency_pages import hear, look
from .machine import machine
from .usage import cpu

PACKAGES = ("django", "gunicorn", "uvicorn", "psycopg")
#: Of those that wait, at most so many are answered, while the others go on.
ANSWERS = 100
#: The way, its database, its server, and how many wait.
WAYS = {
    "looks each second": (SQLite, {"threads": 1, "workers": 2}, (10, 200)),
    "hears from the watcher": (SQLite, {"server": "uvicorn"}, (10, 500, 2000)),
    "hears from PostgreSQL": (PostgreSQL, {"server": "uvicorn"}, (10, 500, 2000)),
}
#: Milliseconds at p95, and percent of a core, at the most that wait.
BARS = {
    "looks each second": (1200, None),
    "hears from the watcher": (250, 10),
    "hears from PostgreSQL": (20, None),
}


def main():
    """Measure, print the table and the bars, and return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--way", nargs="+", choices=WAYS, default=list(WAYS))
    options = parser.parse_args()
    print("| a page that waits | waiting | p50 ms | p95 ms | server's CPU |")
    print("|---|---:|---:|---:|---:|", flush=True)
    bars = []
    for way in options.way:
        database, server, sizes = WAYS[way]
        for size in sizes:
            runs = [run(database, server, size) for _ in range(options.runs)]
            p50, p95, cpu = (median(column) for column in zip(*runs, strict=True))
            print(
                f"| {way} | {size:,} | {p50:,.1f} | {p95:,.1f} | {cpu:.0f} % |",
                flush=True,
            )
        limit, most = BARS[way]
        met = p95 <= limit and (most is None or cpu <= most)
        bars.append(
            (f"{way}, {size:,} waiting: {p95:,.1f} ms at p95, {cpu:.0f} %", met)
        )
    print("\nBars:\n")
    for text, met in bars:
        print(f"- {'pass' if met else 'FAIL'}: {text}")
    print(f"\n{machine(PACKAGES)}")
    return 0 if all(met for _, met in bars) else 1


def run(kind, server, size):
    """Return p50 and p95 in milliseconds and the CPU in percent of one run."""
    with tempfile.TemporaryDirectory() as name, Sandbox() as sandbox:
        folder = Path(name)
        sandbox.script("manual")
        database = PostgreSQL() if kind is PostgreSQL else SQLite(folder)
        options = server | {"MAGICLINK_TIMEOUT": "300", "MAGICLINK_MAX_WAITING": "500"}
        with database, Site(folder, database, sandbox, **options) as site:
            streams = "server" in server
            pages = _ask(site, sandbox, 1 if streams else size)
            with _answerer(database, [pk for pk, *_ in pages], size, streams) as tell:
                usage = _Usage(site.process.pid)
                if streams:
                    urls = json.loads(tell.stdout.readline())
                    waits = hear(site.port, urls, usage.around(lambda: _answer(tell)))
                else:
                    waits = look(site.port, pages, usage.around(lambda: _answer(tell)))
                times = asyncio.run(waits)
    cuts = quantiles(times, n=100)
    return cuts[49], cuts[94], usage.percent


def _ask(site, sandbox, count):
    """Return the id, the status's address and the headers of pages that wait."""
    pages = []
    for visitor in site.crowd(count):
        started = visitor.start(visitor.get("/once/")).json
        pages.append(
            (started["id"].replace("-", ""), started["status_url"], visitor.headers)
        )
    until(lambda: len(sandbox.calls) == count)
    return pages


@contextmanager
def _answerer(database, pks, size, streams):
    process = subprocess.Popen(
        [sys.executable, "-m", "benchmarks.latency_rows"],
        cwd=ROOT,
        env=os.environ | surroundings(database),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    task = {"pks": pks, "more": size if streams else 0, "answers": min(size, ANSWERS)}
    with process:
        print(json.dumps(task), file=process.stdin, flush=True)
        yield process


def _answer(process):
    print("go", file=process.stdin, flush=True)
    return json.loads(process.stdout.readline())


class _Usage:
    """The CPU time of a process and of its children, while something ran."""

    def __init__(self, pid):
        self._pid = pid

    def around(self, act):
        """Return what calls ``act`` and measures meanwhile."""

        def measured():
            before, start = self._cpu(), time.monotonic()
            found = act()
            taken = 1000 * (time.monotonic() - start)
            self.percent = 100 * (self._cpu() - before) / taken
            return found

        return measured

    def _cpu(self):
        children = Path(f"/proc/{self._pid}/task/{self._pid}/children").read_text()
        return sum(map(cpu, [self._pid, *children.split()]))


if __name__ == "__main__":
    sys.exit(main())
