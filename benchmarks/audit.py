"""
What the audit trail costs with 10,000 and with 1,000,000 approvals.

Run ``python -m benchmarks.audit``; README.md says what it measures. Ends with 1 if a
bar is missed.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from statistics import median
from time import perf_counter

import django

from tests.servers import PostgreSQL, SQLite, surroundings

from .machine import machine

SMALL, LARGE = 10_000, 1_000_000
#: Milliseconds for one page, and how many times as long it may take with all rows.
PAGE, RATIO = 300, 3
#: What shows as many rows of few as of many, so that a ratio says something.
COMPARED = ("first page", "status and scope", "one approval", "dashboard")
#: Milliseconds that another writer may wait for the purge, and seconds for all rows.
LOCK, PURGE = 200, 60
LIST = "/admin/django_magiclink/approval/"
PAGES = {
    "first page": LIST,
    "last page": f"{LIST}?p=20",
    "status and scope": f"{LIST}?state=rejected&scope=payroll",
    "rare status and scope": f"{LIST}?state=undelivered&scope=vault",
    "expired, as it reads now": f"{LIST}?state=expired",
    "endpoint": f"{LIST}?endpoint_name=branch",
    "last hour": f"{LIST}?within=1h",
    "a user": f"{LIST}?user={{user}}",
    "search: a user's name": f"{LIST}?q=user0042",
    "search: names that begin so": f"{LIST}?q=user00",
    "search: an id": f"{LIST}?q={{approval}}",
    "search: a text": f"{LIST}?q=9999.00",
    "search: a text that is not": f"{LIST}?q=nothing+has+this",
    "one approval": f"{LIST}{{approval}}/change/",
    "CSV, first rows": f"{LIST}export/",
    "CSV, first rows, filtered": f"{LIST}export/?state=rejected&scope=vault",
}
RANGES = ("24h", "7d", "30d")


def main():
    """Measure, print the tables and the bars, and return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=LARGE)
    parser.add_argument("--times", type=int, default=7)
    parser.add_argument("--only", choices=["SQLite", "PostgreSQL"])
    parser.add_argument("--inside", choices=["measure", "write"], help="internal")
    options = parser.parse_args()
    if options.inside:
        django.setup()
        inside(options)
        return 0
    with tempfile.TemporaryDirectory() as folder:
        kinds = {"SQLite": SQLite(Path(folder)), "PostgreSQL": PostgreSQL()}
        missed = 0
        for name, database in kinds.items():
            if options.only in (None, name):
                with database:
                    missed += report(name, measured(database, options))
    print(machine(["django", "psycopg"]))
    return 1 if missed else 0


def measured(database, options):
    """Return what another process measures with the tables of ``database``."""
    command = [sys.executable, "-m", "benchmarks.audit", "--inside=measure"]
    command += [f"--rows={options.rows}", f"--times={options.times}"]
    environment = os.environ | surroundings(database)
    done = subprocess.run(command, env=environment, stdout=subprocess.PIPE, check=True)
    return json.loads(done.stdout)


def inside(options):
    """Measure with the database of the settings, or write until told to stop."""
    from . import audit_inside

    if options.inside == "write":
        audit_inside.write()
    else:
        json.dump(audit_inside.measure(options.rows, options.times), sys.stdout)


def report(name, found):
    """Print the table of one database and its bars; return how many are missed."""
    small, large = found["small"], found["large"]
    print(f"## {name} {found['version']}\n")
    print(f"| page | {SMALL:,} rows, ms | {found['rows']:,} rows, ms | ratio |")
    print("|---|---|---|---|")
    for page in large:
        ratio = large[page] / small[page]
        print(f"| {page} | {small[page]:.1f} | {large[page]:.1f} | {ratio:.2f} |")
    purge = found["purge"]
    rows = purge["rows"]
    seconds = purge["seconds"] * LARGE / rows
    print(
        f"\nThe purge of {rows:,} rows took {purge['seconds']:.1f} s, its longest "
        f"statement {purge['statement']:.0f} ms. Somebody who wrote meanwhile, "
        f"{purge['writes']:,} times, waited {purge['wait']:.0f} ms at most; "
        f"{purge['wait_before']:.0f} ms in as long a time before it.\n"
    )
    bars = {
        f"each page under {PAGE} ms at the median": max(large.values()) < PAGE,
        f"ratio under {RATIO} for {', '.join(COMPARED)}": all(
            large[page] < RATIO * small[page]
            for page in large
            if page.startswith(COMPARED)
        ),
        f"a million rows purged in {PURGE} s ({seconds:.0f})": seconds <= PURGE,
    }
    if name == "PostgreSQL":
        bars[f"no lock over {LOCK} ms"] = purge["wait"] <= LOCK
    for text, is_met in bars.items():
        print(f"- {'pass' if is_met else 'FAIL'}: {text}")
    print(flush=True)
    return sum(not is_met for is_met in bars.values())


def milliseconds(act, times):
    """Return the median of what ``act`` takes, once all is warm."""
    act()
    took = []
    for _ in range(times):
        start = perf_counter()
        act()
        took.append((perf_counter() - start) * 1000)
    return median(took)


if __name__ == "__main__":
    sys.exit(main())
