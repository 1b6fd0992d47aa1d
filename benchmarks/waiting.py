"""
Requests per second of an unrelated page while approvals wait for phones.

Run ``python -m benchmarks.waiting``; README.md says what it measures. Ends with 1 if a
bar is missed.
"""

import argparse
import sys
import tempfile
from pathlib import Path
from statistics import median

from tests.servers import SQLite

from .askers import Blocking, Ours
from .load import rate
from .machine import machine
from .phones import Phones

PACKAGES = ("django", "requests", "flask", "gunicorn")
SITE = "benchmarks.sites.wsgi:application"
LEVELS = (2, 8, 50, 1000)
#: At least this part of the rate must be left, at these levels.
LEFT, BARS = 0.9, (50, 1000)


def main():
    """Measure, print the table and the bars, and return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pairs", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=2, help="of each measurement")
    parser.add_argument("--levels", type=int, nargs="+", default=LEVELS)
    options = parser.parse_args()
    print("| 2 sync workers | waiting | a second without | with | ratio | rang |")
    print("|---|---:|---:|---:|---:|---:|", flush=True)
    bars = compare(options)
    print("\nBars:\n")
    for text, is_met in bars:
        print(f"- {'pass' if is_met else 'FAIL'}: {text}")
    print(f"\n{machine(PACKAGES)}")
    return 0 if all(is_met for _text, is_met in bars) else 1


def compare(options):
    """Print the rows of all, and return the bars."""
    everyone = [
        Blocking("Mideye's example", "benchmarks.mideye:app"),
        Blocking("a Django view that blocks", SITE),
        Ours("ours, ThreadDispatcher", SITE),
    ]
    bars = []
    with (
        tempfile.TemporaryDirectory() as folder,
        Phones() as phones,
        SQLite(Path(folder)) as database,
    ):
        for asker in everyone:
            with asker.serve(Path(folder), database, phones):
                # The first requests of a process cost more than the rest.
                rate(asker.port, "/page/", options.seconds)
                for level in [each for each in options.levels if each <= asker.most]:
                    bars += measured(asker, level, options)
    return bars


def measured(asker, level, options):
    """Print the row of one level, and return its bars."""
    pairs, rang = [], []
    for _ in range(options.pairs):
        without = rate(asker.port, "/page/", options.seconds)
        with asker.waiting(level) as count:
            pairs.append((without, rate(asker.port, "/page/", options.seconds)))
            rang.append(count)
    ratio = median(after / before for before, after in pairs)
    before, after = (median(side) for side in zip(*pairs, strict=True))
    print(
        f"| {asker.name} | {level:,} | {before:,.0f} | {after:,.0f} | {ratio:.2f} "
        f"| {min(rang):,} of {level:,} |",
        flush=True,
    )
    if not asker.is_ours:
        return []
    bars = [(f"{level:,} waiting: every phone rang", min(rang) == level)]
    if level in BARS:
        text = f"{level:,} waiting: {ratio:.2f} of the rate (at least {LEFT})"
        bars.append((text, ratio >= LEFT))
    return bars


if __name__ == "__main__":
    sys.exit(main())
