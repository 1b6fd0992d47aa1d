"""
Make requirements.md of the tests' marks: ``python -m docs.make_requirements``.

With ``--missing`` print the ids that no test in tests/security covers instead.
"""

import subprocess
import sys
from collections import defaultdict
from pathlib import Path

from tests.security.catalogue import ATTACKS, CATALOGUE, REQUIREMENTS

ROOT = Path(__file__).parent.parent
PAGE = Path(__file__).parent / "requirements.md"
#: Begins a line in which the run of pytest names an id and a test.
MARK = "covers "
TOP = """\
# What must hold, and the tests that show it

Made by `python -m docs.make_requirements` of the tests' marks, and of
[the catalogue](../tests/security/catalogue.py). What the app promises, and what it
cannot, stands in [Security](security.md). The tests are in `tests/`;
`python -m pytest tests/security -v` runs those that are about security alone.
"""


def pytest_collection_finish(session):
    """Print which test covers which id: this module is a plugin of its own run."""
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    for item in session.items:
        path, _, name = item.nodeid.partition("::")
        test = f"{path.removeprefix('tests/')}::{name.partition('[')[0]}"
        for marker in item.iter_markers("covers"):
            for identifier in marker.args:
                reporter.line(f"{MARK}{identifier} {test}")


def covered():
    """Return the tests that cover each id, in the order of their names."""
    options = ["--collect-only", "-qq", "-p", "no:cacheprovider"]
    command = [sys.executable, "-m", "pytest", *options, "-p", "docs.make_requirements"]
    done = subprocess.run(command, capture_output=True, cwd=ROOT, text=True)
    if done.returncode:
        raise RuntimeError(done.stdout + done.stderr)
    found = defaultdict(set)
    for line in done.stdout.splitlines():
        if line.startswith(MARK):
            _, identifier, test = line.split(" ", 2)
            found[identifier].add(test)
    return {identifier: sorted(tests) for identifier, tests in found.items()}


def missing(tests):
    """Return the ids that ``tests`` cover nowhere in tests/security."""
    return [
        identifier
        for identifier in CATALOGUE
        if not any(test.startswith("security/") for test in tests.get(identifier, []))
    ]


def made(tests):
    """Return what requirements.md must be."""
    return TOP + "".join(
        f"\n## {title}\n\n{_table(rows, tests)}"
        for title, rows in [("Requirements", REQUIREMENTS), ("Attacks", ATTACKS)]
    )


def _table(rows, tests):
    lines = ["| id | what must hold | tests |", "|---|---|---|"]
    for identifier, text in rows.items():
        names = "<br>".join(f"`{test}`" for test in tests.get(identifier, []))
        lines.append(f"| {identifier} | {text} | {names} |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    if "--missing" in sys.argv:
        print(*missing(covered()), sep="\n")
    else:
        PAGE.write_text(made(covered()))
