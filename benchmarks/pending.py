"""
Memory, processor time and the answer's way to its row, for each approval that waits.

Run ``python -m benchmarks.pending``; README.md says what it measures. Ends with 1 if a
bar is missed.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from contextlib import closing, contextmanager
from pathlib import Path
from statistics import median

import django

from tests.brokers import Redis
from tests.servers import Peak, PostgreSQL, SQLite, surroundings

from . import pending_https
from .machine import machine
from .pending_ways import SETTINGS, WAYS
from .phones import Phones
from .servers import ROOT, until
from .usage import Usage, files

PACKAGES = ("django", "celery", "gevent", "redis", "psycopg", "requests")
SIZES, FULL = (100, 1000), (100, 1000, 10_000)
#: Approvals that are with a worker and do not ring yet.
AHEAD = 250
#: Seconds to start that many, or to write their answers, before the rest is lost.
PATIENCE = 280
ACCEPTED = "SELECT count(*) FROM django_magiclink_approval WHERE status = 'accepted'"
#: P3: seconds for 1,000 answers, database connections. P6: KiB each.
WRITTEN, CONNECTIONS, KIB = 2, 2, 100
COLUMNS = (
    *("waiting", "KiB each", "CPU ms each", "started a second", "connections waiting"),
    *("calls", "most for a phone", "connections writing", "p95 s", "all s", "accepted"),
)


def main():
    """Measure, print the tables and the bars, and return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--full", action="store_true", help="10,000 waiting, too")
    parser.add_argument("--size", type=int, nargs="+", help="how many wait")
    parser.add_argument("--way", nargs="+", choices=[way.name for way in WAYS])
    parser.add_argument("--https", type=int, default=1000, help="0 leaves it out")
    parser.add_argument("--database", choices=["PostgreSQL", "SQLite"])
    parser.add_argument("--runs", type=int, default=5, help="medians of so many")
    options = parser.parse_args()
    if options.database:
        return measured(options)
    commands = [["--database=PostgreSQL"], ["--database=SQLite", "--way", "thread"]]
    own = [sys.executable, "-m", "benchmarks.pending", *sys.argv[1:]]
    missed = [subprocess.run([*own, *each], cwd=ROOT).returncode for each in commands]
    if options.https:
        missed.append(pending_https.compare(options.https, options.runs))
    print(machine(PACKAGES))
    return 1 if any(missed) else 0


def measured(options):
    """Print the table and bars of one database, and return the exit status."""
    sizes = options.size or (FULL if options.full else SIZES)
    print(f"| {options.database} | {' | '.join(COLUMNS)} |")
    print(f"|---|{'---:|' * len(COLUMNS)}", flush=True)
    bars = []
    with bench(options.database, max(sizes)) as made:
        for way in WAYS:
            if way.name in (options.way or [way.name]):
                for size in [each for each in sizes if each <= way.most]:
                    runs = [made.measure(way, size) for _ in range(options.runs)]
                    found = summary(runs)
                    print_row(way.name, found)
                    if not way.is_peer:
                        bars += bars_of(f"{way.name}, {size:,} waiting", found)
    print()
    for text, is_met in bars:
        print(f"- {'pass' if is_met else 'FAIL'}: {text}")
    print(flush=True)
    return 0 if all(is_met for _text, is_met in bars) else 1


@contextmanager
def bench(database, users):
    """Run what the measurements of one database need."""
    with tempfile.TemporaryDirectory() as name, Redis() as broker, Phones() as phones:
        folder = Path(name)
        with Cluster() if database == "PostgreSQL" else SQLite(folder) as running:
            yield Bench(folder, running, broker, phones, users)


def summary(runs):
    """Return the medians of these runs, and the worst of what is counted."""
    worst = {"calls": min, "accepted": min} | dict.fromkeys(
        ("most for a phone", "connections waiting", "connections writing"), max
    )
    return {
        column: worst.get(column, median)([run[column] for run in runs])
        for column in runs[0]
    }


def print_row(name, found):
    """Print one row of the table."""
    cells = [
        f"{value:,.2f}" if isinstance(value, float) else f"{value:,}"
        for value in map(found.get, COLUMNS)
    ]
    print(f"| {name} | {' | '.join(cells)} |", flush=True)


def bars_of(name, found):
    """Return the bars of one row, and whether each is met."""
    size, kib, took = found["waiting"], found["KiB each"], found["all s"]
    held, writing = found["connections waiting"], found["connections writing"]
    rang = (found["calls"], found["most for a phone"])
    bars = [
        (f"{name}: each phone rang once", rang == (size, 1)),
        (f"{name}: none lost", found["accepted"] == size),
        (f"{name}: {held} connections while waiting (0)", held == 0),
        (f"{name}: {writing} to write (at most {CONNECTIONS})", writing <= CONNECTIONS),
    ]
    if size == 1000:
        text = f"{name}: written in {took:.2f} s (at most {WRITTEN})"
        bars.append((text, took <= WRITTEN))
    if size == 10_000:
        bars.append((f"{name}: {kib:.1f} KiB each (at most {KIB})", kib <= KIB))
    return bars


class Cluster(PostgreSQL):
    """One that has a connection for each of a thousand threads."""

    OPTIONS = (*PostgreSQL.OPTIONS, "max_connections=1100")


class Bench:
    """A database, a broker and a Mideye Server, with as many users as are needed."""

    def __init__(self, folder, database, broker, phones, users):
        self._folder, self._database = folder, database
        self._broker, self._phones = broker, phones
        self._environment = {
            "DJANGO_SETTINGS_MODULE": SETTINGS,
            "MAGICLINK_MAX_WAITING": "10000",
            "MIDEYE_URL": phones.url,
            "MIDEYE_API_KEY": phones.api_key,
        }
        os.environ |= surroundings(database) | self._environment
        os.environ["CELERY_BROKER_URL"] = broker.url
        django.setup()
        from tests.worker import app

        from . import pending_rows

        app.set_current()
        self._rows = pending_rows
        self._users = pending_rows.make_users(users)

    def measure(self, way, size):
        """Return what so many waits cost in a new process, a value for each column."""
        runs = way.worker(self._folder, self._database, self._broker, self._environment)
        with runs as worker:
            self._worker = worker
            pid = worker.process.pid
            # What a process loads at its first approval is not what each costs.
            self._start(way, 20)
            self._answer(20)
            before, start = Usage(pid), time.perf_counter()
            self._start(way, size)
            took, after = time.perf_counter() - start, Usage(pid)
            # The writer keeps its connection for a second.
            time.sleep(2)
            found = {
                "waiting": size,
                "KiB each": (after.memory - before.memory) / size,
                "CPU ms each": (after.cpu - before.cpu) / size,
                "started a second": round(size / took),
                "connections waiting": self._connections(),
            }
            found["calls"], found["most for a phone"] = self._phones.rang()
            return found | self._answer(size)

    def _start(self, way, size):
        self._phones.hold()
        for first in range(0, size, AHEAD):
            # As they come in life: nobody has thousands sent at a moment.
            self._wait_for(first - AHEAD)
            way.dispatch(self._rows.ask(self._users[first : min(first + AHEAD, size)]))
        self._wait_for(size)

    def _wait_for(self, calls):
        def rang():
            if self._worker.process.poll() is not None:
                raise RuntimeError(self._worker.said())
            return self._phones.rang()[0] >= calls

        until(rang, PATIENCE)

    def _answer(self, size):
        written, times = 0, []
        with closing(self._database.connect()) as connection:
            peak = Writing(self._database, self._connections)
            with peak:
                start = time.perf_counter()
                self._phones.answer()
                while written < size and time.perf_counter() < start + PATIENCE:
                    written = connection.execute(ACCEPTED).fetchone()[0]
                    times.append((written, time.perf_counter() - start))
                    time.sleep(0.02)
            connection.execute("DELETE FROM django_magiclink_approval")
        p95 = next((at for count, at in times if count >= 0.95 * size), PATIENCE)
        return {
            "connections writing": peak.connections,
            "p95 s": p95,
            "all s": times[-1][1],
            "accepted": written,
        }

    def _connections(self):
        if isinstance(self._database, PostgreSQL):
            return self._database.held()[0]
        return files(self._worker.process.pid, ".sqlite3")


class Writing(Peak):
    """The most connections while the block ran, by whatever counts them."""

    def __init__(self, database, count):
        super().__init__(database)
        self._count = count

    def _watch(self):
        while not self._over.wait(0.1):
            self.connections = max(self.connections, self._count())


if __name__ == "__main__":
    sys.exit(main())
