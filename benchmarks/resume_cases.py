"""
Nine kinds of request that must go on after the user has proved who they are.

Run ``python -m benchmarks.resume_cases``; README.md says what it measures. Ends with
an error if it misses a planted defect, and with 1 if ours does not hold throughout.
"""

import argparse
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path

from playwright.sync_api import sync_playwright

from django_magiclink.sandbox import Sandbox
from tests.needs import chromium

from .cases import CASES
from .machine import machine
from .servers import Site
from .trials import EARLY, KEPT, NOT_FOR_PROGRAMS, SWAPPED
from .visitors import Ours, Theirs

SERVERS = ("WSGI", "ASGI")
PACKAGES = ("django", "django-allauth", "gunicorn", "uvicorn", "playwright")
#: For each planted defect the cases that must find it, and what they must say.
PLANTED = {
    "altered": ("ABCDEFGHI", ("lost", "changed")),
    "early": ("A", (EARLY,)),
    "twice": ("A", ("ran 2 times",)),
    "never": ("A", ("never ran",)),
    "page": ("F", (NOT_FOR_PROGRAMS,)),
    "session": ("A", (f"{KEPT} (table django_session)",)),
    "cache": ("A", (f"{KEPT} (cache)",)),
    "row": ("A", (f"{KEPT} (table auth_user)",)),
    "file": ("A", (f"{KEPT} (tmp)",)),
    "swapped": ("H", (SWAPPED,)),
}


def main():
    """Run the self-check and the cases, print the table, and return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", default="", help="letters of the cases to run")
    only = parser.parse_args().only.upper()
    cases = [case for case in CASES if not only or case.letter in only]
    with ExitStack() as stack:
        work = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        sandbox = stack.enter_context(Sandbox())
        playwright = stack.enter_context(sync_playwright())
        flags = ["--no-sandbox", "--disable-background-networking"]
        browser = playwright.chromium.launch(executable_path=chromium(), args=flags)
        stack.callback(browser.close)
        check_itself(cases, Site("planted", "WSGI", sandbox, work), browser)
        results = {
            f"{guard} {server}": run(cases, Site(guard, server, sandbox, work), browser)
            for guard in ("allauth", "decorator", "middleware")
            for server in SERVERS
        }
    print_results(cases, results)
    ours = [found for name, found in results.items() if not name.startswith("allauth")]
    return 1 if any(any(found.values()) for found in ours) else 0


def check_itself(cases, site, browser):
    """See that each planted defect is found, and exit with an error otherwise."""
    tries = [
        (case, defect, reasons)
        for defect, (letters, reasons) in PLANTED.items()
        for case in cases
        if case.letter in letters
    ]
    with site:
        for case, defect, reasons in tries:
            found = "; ".join(case.problems(Ours(site, defect), browser))
            if not any(reason in found for reason in reasons):
                sys.exit(f"{case.letter} misses the defect {defect}, found: {found}")
    print(f"Self-check: {len(tries)} of {len(tries)} planted defects found.\n")


def run(cases, site, browser):
    """Return what is wrong in each case behind one guard on one server."""
    guard = Theirs if site.guard == "allauth" else Ours
    with site:
        return {case.letter: case.problems(guard(site), browser) for case in cases}


def print_results(cases, results):
    """Print the table, then why what does not hold does not, and the machine."""
    _print_row("case", results)
    print(f"|{'-' * 38}|" + f"{'-' * 17}|" * len(results))
    for case in cases:
        problems = [found[case.letter] for found in results.values()]
        words = ["no" if each else "holds" for each in problems]
        _print_row(f"{case.letter} {case.title}", words)
    for title, is_held in (
        ("hold", lambda problems: not problems),
        ("hold, whatever the server keeps", runs_right),
    ):
        sums = [sum(map(is_held, found.values())) for found in results.values()]
        _print_row(title, [f"{each} of {len(cases)}" for each in sums])
    print()
    for name, found in results.items():
        for letter, problems in found.items():
            if problems:
                print(f"- {name}, {letter}: {'; '.join(problems)}.")
    print(f"\n{machine(PACKAGES)}")


def runs_right(problems):
    """Tell whether nothing is wrong but that something was kept meanwhile."""
    return all(problem.startswith(KEPT) for problem in problems)


def _print_row(title, cells):
    print(f"| {title:36} |" + "".join(f" {cell:15} |" for cell in cells))


if __name__ == "__main__":
    sys.exit(main())
