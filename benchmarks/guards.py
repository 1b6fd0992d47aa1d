"""
What a guard costs whose approval is valid, over ``login_required``.

Run ``python -m benchmarks.guards``; README.md says what it measures. Ends with 1 if a
bar is missed.
"""

import argparse
import os
import sys
import tempfile
from statistics import median

import django
from django.core.management import call_command

from django_magiclink.sandbox import Sandbox

from .machine import machine
from .stacks import BASELINE, OTHERS, OTP, OURS, UNGUARDED, Stack

ENGINES = {
    "db sessions": "django.contrib.sessions.backends.db",
    "signed cookies": "django.contrib.sessions.backends.signed_cookies",
}
PACKAGES = ("django", "django-otp", "django-allauth", "django-elevate")
#: At most this part of what otp_required adds may ours add.
SHARE = 0.6
#: Microseconds that the middleware may add to a view that no rule is for.
UNGUARDED_MICROSECONDS = 10


def main():
    """Measure, print the tables and the bars, and return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=150)
    parser.add_argument("--requests", type=int, default=20, help="in each round")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, Sandbox() as sandbox:
        sandbox.script("accept")
        os.environ |= {
            "DJANGO_SETTINGS_MODULE": "benchmarks.sites.cost",
            "BENCHMARK_FOLDER": folder,
            "MIDEYE_URL": sandbox.url,
            "MIDEYE_API_KEY": sandbox.api_key,
        }
        django.setup()
        call_command("migrate", verbosity=0)
        bars = [
            *compare("db sessions", options),
            *compare("signed cookies", options),
            *compare_unguarded(options),
        ]
    print("Bars:\n")
    for text, is_met in bars:
        print(f"- {'pass' if is_met else 'FAIL'}: {text}")
    print(f"\n{machine(PACKAGES)}")
    return 0 if all(is_met for _text, is_met in bars) else 1


def compare(sessions, options):
    """Print what each guard costs with one kind of sessions, and return the bars."""
    engine = ENGINES[sessions]
    baseline, otp = Stack(BASELINE, engine), Stack(OTP, engine)
    ours = [Stack(guard, engine) for guard in OURS]
    others, broken = [], []
    for guard in OTHERS:
        try:
            others.append(Stack(guard, engine))
        except Exception as error:
            # One that does not work with this Django is worth a line too.
            broken.append((guard.name, f"{type(error).__name__}: {error}"))
    everyone = [baseline, *ours, otp, *others]
    costs = measure(everyone, options.rounds, options.requests)
    print_costs(sessions, baseline, costs, broken)
    print_refused(baseline, ours)
    return [
        bar
        for stack in ours
        for bar in bars_of(f"{sessions}, {stack.name}", costs[stack], costs[otp])
    ]


def bars_of(name, ours, otp):
    """Return each bar of our guard, and whether it is met."""
    share = ours["added"] / otp["added"]
    return [
        (f"{name}: {ours['queries']} query added (1)", ours["queries"] == 1),
        (
            f"{name}: {share:.2f} of what otp_required adds (at most {SHARE})",
            share <= SHARE,
        ),
    ]


def compare_unguarded(options):
    """Print what the middleware costs a view without a rule, and return the bars."""
    without, behind = [Stack(guard, ENGINES["db sessions"]) for guard in UNGUARDED]
    # So much cheaper that it takes more to tell them apart.
    costs = measure([without, behind], options.rounds, 10 * options.requests)
    print_costs("an unguarded view", without, costs)
    queries, added = costs[behind]["queries"], costs[behind]["added"]
    return [
        (f"unguarded view: {queries} queries added (0)", queries == 0),
        (
            f"unguarded view: {added:.1f} µs added (below {UNGUARDED_MICROSECONDS})",
            added < UNGUARDED_MICROSECONDS,
        ),
    ]


def measure(stacks, rounds, requests):
    """Return what each of the stacks adds to the first; they take turns."""
    baseline = stacks[0]
    times = {stack: [] for stack in stacks}
    for number in range(rounds):
        # Not always the same one first.
        first = number % len(stacks)
        for stack in stacks[first:] + stacks[:first]:
            times[stack].append(stack.seconds(requests))
    queries = {stack: len(stack.queries()) for stack in stacks}
    costs = {}
    for stack in stacks:
        pairs = list(zip(times[stack], times[baseline], strict=True))
        costs[stack] = {
            "taken": 1e6 * median(times[stack]),
            "ratio": median(one / other for one, other in pairs),
            "added": 1e6 * median(one - other for one, other in pairs),
            "queries": queries[stack] - queries[baseline],
        }
    return costs


def print_costs(title, baseline, costs, broken=()):
    """Print one table, with a line for each guard that does not work."""
    print(f"| {title:34} | µs a request | ratio | µs added | queries added |")
    print(f"|{'-' * 36}|-------------:|------:|---------:|--------------:|")
    for stack, cost in costs.items():
        added = f"{cost['added']:+.1f}" if stack is not baseline else ""
        queries = f"{cost['queries']:+}" if stack is not baseline else ""
        print(
            f"| {stack.name:34} | {cost['taken']:12.0f} | {cost['ratio']:5.2f} "
            f"| {added:>8} | {queries:>13} |"
        )
    for name, reason in broken:
        print(f"| {name:34} | does not work: {reason} | | | |")
    print()


def print_refused(baseline, ours):
    """Print what is asked of the database where there is no approval yet."""
    for stack in ours:
        added = len(stack.refused) - len(baseline.queries())
        looks = sum("django_magiclink_approval" in sql for sql in stack.refused)
        print(
            f"{stack.name}, without an approval: {looks} query added to look for one, "
            f"{added - looks} more to make the challenge."
        )
    print()


if __name__ == "__main__":
    sys.exit(main())
