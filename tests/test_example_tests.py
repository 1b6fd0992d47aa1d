"""The bank's own tests, which show how a project tests what it guards."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from .needs import chromium

pytestmark = pytest.mark.processes

ROOT = Path(__file__).parent.parent
OWN = ROOT / "example_project/tests"
#: Seconds for all of them, on a machine that has much else to do.
PATIENCE = 600
PYTEST = ["-m", "pytest", "-p", "no:cacheprovider"]


def run(*command):
    environment = {
        "DJANGO_SETTINGS_MODULE": "example_project.settings",
        "CHROMIUM": chromium() or "",
    }
    done = subprocess.run(
        [sys.executable, *command],
        cwd=ROOT,
        env=os.environ | environment,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


def written(pattern, paths):
    """Return how many tests stand in the files."""
    return sum(len(re.findall(pattern, path.read_text(), re.M)) for path in paths)


def test_they_pass_with_pytest():
    files = [path for path in OWN.glob("test_*.py") if path.stem != "test_browser"]

    output = run(*PYTEST, "example_project", f"--ignore={OWN / 'test_browser.py'}")

    assert f"{written(r'^ *def test_', files)} passed" in output


@pytest.mark.needs("chromium")
def test_those_in_a_browser_pass():
    own = OWN / "test_browser.py"

    output = run(*PYTEST, str(own))

    assert f"{written(r'^def test_', [own])} passed" in output


def test_those_without_pytest_pass_with_django_alone():
    output = run("manage.py", "test", "example_project", "--noinput")

    assert f"Ran {written(r'^    def test_', OWN.glob('*.py'))} tests" in output


def test_they_use_nothing_of_the_app_but_the_kit():
    imports = {
        found
        for path in OWN.glob("*.py")
        for found in re.findall(r"django_magiclink[\w.]*", path.read_text())
    }

    assert imports == {"django_magiclink.testing"}
