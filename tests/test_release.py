import re
import tomllib
from pathlib import Path

ROOT = Path(__file__).parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
#: What nobody needs who uses the package: tox does not try it.
OTHERS = {"bench", "docs"}


def test_the_lowest_versions_of_all_that_is_needed_are_what_tox_tries():
    extras = PROJECT["optional-dependencies"]
    needs = PROJECT["dependencies"] + [
        need for name in extras.keys() - OTHERS for need in extras[name]
    ]
    # One that refers to other extras has no version.
    lowest = {
        re.sub(r"\[.*\]", "", need).replace(">=", "==")
        for need in needs
        if not need.startswith(PROJECT["name"])
    }

    lines = (ROOT / "tests/minimum.txt").read_text().splitlines()
    tried = {line for line in lines if not line.startswith("#")}

    assert all("==" in need for need in lowest)
    assert tried == lowest
