import re
from ast import literal_eval
from pathlib import Path

import pytest

from django_magiclink.conf import AppSettings
from django_magiclink.status import TRANSITIONS, Status

ROOT = Path(__file__).parent.parent
REFERENCE = ROOT / "docs/reference.md"
LOOK = ROOT / "docs/howto/look.md"
STYLE = ROOT / "django_magiclink/static/django_magiclink/magiclink.css"
PAGES = [*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")]
CHECK = r"django_magiclink\.[EW]\d{3}"


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


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_to_files_that_exist(page):
    links = re.findall(r"\]\(([^)#\s]+)", page.read_text())

    files = [link for link in links if "://" not in link]

    assert [link for link in files if not (page.parent / link).exists()] == []
