import re
import tomllib
from ast import literal_eval
from collections import Counter
from itertools import pairwise
from pathlib import Path

import pytest
from django.dispatch import Signal

from django_magiclink import exceptions, signals
from django_magiclink.conf import DEFAULT_LIMITS, AppSettings
from django_magiclink.requirements import Requirement
from django_magiclink.status import TRANSITIONS, Status

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "django_magiclink"
REFERENCE = ROOT / "docs/reference.md"
LOOK = ROOT / "docs/howto/look.md"
STYLE = PACKAGE / "static/django_magiclink/magiclink.css"
PAGES = [*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")]
CHECK = r"django_magiclink\.[EW]\d{3}"
BLOCK = r"\{% block (\w+) %\}"


def rows_of(title):
    """Return the cells of each row of the tables below a heading of the reference."""
    parts = re.split(r"^#+ (.+)\n", REFERENCE.read_text(), flags=re.M)
    section = dict(zip(parts[1::2], parts[2::2], strict=True))[title]
    lines = re.findall(r"^\| (`.+) \|$", section, re.M)
    return [re.split(r" \| ", line) for line in lines]


def named_in(title, column=0):
    """Return what stands in backticks in a column of the tables of a section."""
    cells = [row[column] for row in rows_of(title)]
    return [name for cell in cells for name in re.findall(r"`(.+?)`", cell)]


def test_the_reference_has_each_setting_with_its_default():
    settings = {
        name: vars(AppSettings)[name] for name in vars(AppSettings) if name.isupper()
    }

    rows = re.findall(
        r"^\| `MAGICLINK_(\w+)` \| `(.+?)` \|", REFERENCE.read_text(), re.M
    )

    assert {name: literal_eval(default) for name, default in rows} == settings


def test_the_reference_has_each_check_and_no_other():
    code = [path.read_text() for path in ROOT.glob("django_magiclink/**/*.py")]
    checks = {check for text in code for check in re.findall(CHECK, text)}

    rows = re.findall(rf"^\| `({CHECK})` \|", REFERENCE.read_text(), re.M)

    assert checks
    assert set(rows) == checks


def test_the_reference_has_each_state_and_what_may_follow_it():
    [states] = re.findall(r"^## States\n(.+?)^## ", REFERENCE.read_text(), re.M | re.S)
    rows = re.findall(r"^\| (`[^|]+) \| [^|]+ \| ([^|]+) \|$", states, re.M)

    following = {
        state: set(re.findall(r"\w+", then))
        for names, then in rows
        for state in re.findall(r"`(\w+)`", names)
    }

    assert following == {
        state.value: {then.value for then in TRANSITIONS.get(state, ())}
        for state in Status
    }


def test_the_how_to_has_each_property_of_the_style_sheet_and_all_are_used():
    css = STYLE.read_text()
    used = set(re.findall(r"var\((--magiclink-[\w-]+)\)", css)) - {"--magiclink-tone"}

    rows = re.findall(r"^\| `(--magiclink-[\w-]+)` \|", LOOK.read_text(), re.M)

    [defaults] = re.findall(r"^:where\(:root\) {(.+?)^}", css, re.M | re.S)
    assert rows == re.findall(r"(--magiclink-[\w-]+):", defaults)
    assert set(rows) == used


def test_the_reference_has_each_option_of_a_guard():
    assert set(named_in("Guards")) == set(Requirement.__dataclass_fields__)


def test_the_reference_has_each_limit_with_its_default():
    limits = {row[0].strip("`"): int(row[1]) for row in rows_of("Limits")}

    assert limits == DEFAULT_LIMITS


def test_the_reference_has_each_signal():
    sent = {name for name, each in vars(signals).items() if isinstance(each, Signal)}

    assert sent
    assert set(named_in("Signals")) == sent


def test_the_reference_has_each_command():
    commands = {path.stem for path in PACKAGE.glob("management/commands/[!_]*.py")}

    assert commands
    assert set(named_in("Commands")) == commands


def test_the_reference_has_each_reason_why_nothing_is_started():
    reasons = {each.reason for each in exceptions.Refused.__subclasses__()}
    [words] = [row[1] for row in rows_of("On the wire") if row[0] == "`reason`"]

    documented = set(re.findall(r"`(\w+)`", words)) - {"retry_after"}

    # Strangers are told without an exception.
    assert documented == reasons | {"login"}


def test_the_reference_has_each_template_with_its_blocks():
    folder = PACKAGE / "templates/django_magiclink"

    rows = {
        row[0].strip("`"): set(re.findall(r"`(\w+)`", row[1]))
        for row in rows_of("Templates")
        if row[0].endswith(".html`")
    }

    assert rows == {
        path.name: set(re.findall(BLOCK, path.read_text())) for path in folder.iterdir()
    }


def test_the_reference_has_each_function_of_the_script():
    types = (PACKAGE / "static/django_magiclink/magiclink.d.ts").read_text()
    functions = set(re.findall(r"export (?:function|const|class) (\w+)", types))
    [window] = re.findall(r"magiclink: \{(.+?)\}", types)

    documented = re.findall(r"`magiclink\.(\w+)\(", str(rows_of("magiclink.js")))

    assert functions
    assert set(documented) == functions
    assert set(re.findall(r"(\w+):", window)) == functions


def test_the_architecture_has_each_module_in_the_order_of_the_layers():
    config = tomllib.loads((ROOT / "pyproject.toml").read_text())
    contracts = config["tool"]["importlinter"]["contracts"]
    [layers] = [each["layers"] for each in contracts if "layers" in each]
    ranks = {
        name: rank
        for rank, layer in enumerate(reversed(layers))
        for name in layer.split(" | ")
    }
    page = (ROOT / "docs/architecture.md").read_text()

    rows = re.findall(r"^\|(?: [\d–])? \| (`[^|]+`) \|", page, re.M)
    named = [re.findall(r"`(\w+)`", row) for row in rows]

    assert Counter(name for row in named for name in row) == Counter(list(ranks))
    for row, later in pairwise(named):
        assert max(map(ranks.get, row)) <= min(map(ranks.get, later))


def test_the_upgrade_policy_has_the_pairs_that_are_tested():
    environments = (ROOT / "tox.ini").read_text().partition("[testenv]")[0]
    tested = {
        (f"3.{minor}", f"{django[0]}.{django[1:]}")
        for minor, djangos in re.findall(
            r"^ +py3(\d+)-django\{?([\d, ]+)", environments, re.M
        )
        for django in djangos.split(", ")
    }
    page = (ROOT / "docs/upgrading.md").read_text()

    promised = {
        (python, django)
        for pythons, djangos in re.findall(
            r"^\| ([\d., ]+) \| ([\d., ]+) \|$", page, re.M
        )
        for python in pythons.split(", ")
        for django in djangos.split(", ")
    }

    assert tested
    assert promised == tested


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_to_files_that_exist(page):
    links = re.findall(r"\]\(([^)#\s]+)", page.read_text())

    files = [link for link in links if "://" not in link]

    assert [link for link in files if not (page.parent / link).exists()] == []
