import json
import subprocess
import sys
from io import StringIO

import pytest
from django.core.management import CommandError, call_command

MIDDLEWARE = "django_magiclink.middleware.ApprovalMiddleware"


@pytest.fixture(autouse=True)
def project(settings):
    settings.ROOT_URLCONF = "tests.inventory.urls"


def run(*args):
    out = StringIO()
    call_command("magiclink_urls", *args, stdout=out)
    return out.getvalue()


def row(table, route):
    [line] = [line for line in table.splitlines() if line.startswith(f"{route} ")]
    return line.split()


def test_the_table_has_a_row_for_each_view():
    table = run()

    assert row(table, "ROUTE") == [
        "ROUTE",
        "VIEW",
        "GUARD",
        "SCOPE",
        "MAX",
        "AGE",
        "METHODS",
    ]
    assert row(table, "/") == ["/", "home", "-"]
    assert row(table, "login/") == ["login/", "login", "exempt"]
    assert row(table, "decorated/<int:pk>/")[1:] == (
        ["decorated", "decorator", "payroll", "60", "s", "all"]
    )
    assert row(table, "async/")[1:] == (
        ["async", "decorator", "async", "300", "s", "all", "(when)"]
    )


def test_the_table_is_aligned():
    lines = run().splitlines()
    guard = lines[0].index("GUARD")

    assert all(line[guard - 1] == " " for line in lines[:-2] if len(line) > guard)
    assert {line[guard] != " " for line in lines[:-2]} == {True}
    assert not any(line.endswith(" ") for line in lines)


def test_a_second_guard_stands_under_the_first():
    lines = run().splitlines()
    [place] = [place for place, line in enumerate(lines) if line.startswith("stacked/")]

    assert lines[place].split()[2:] == ["decorator", "outer", "300", "s", "all"]
    assert lines[place + 1].split() == ["decorator", "inner", "300", "s", "POST"]


def test_the_last_line_counts(settings):
    settings.ROOT_URLCONF = "tests.inventory.misspelt"

    with pytest.raises(CommandError, match="approval_scop"):
        run()
    settings.ROOT_URLCONF = "django_magiclink.urls"
    assert run().endswith("\n0 guarded, 0 exempt, 8 open: 8 in all.\n")


@pytest.mark.parametrize(
    ("max_age", "shown"), [(0, ["once"]), ("session", ["session"]), (5, ["5", "s"])]
)
def test_the_age_is_written_for_people(settings, max_age, shown):
    settings.MIDDLEWARE = [*settings.MIDDLEWARE, MIDDLEWARE]
    settings.MAGICLINK_RULES = [{"view": "home", "max_age": max_age}]

    assert row(run(), "/")[5:-1] == shown


def test_json_has_it_all(settings):
    settings.MIDDLEWARE = [*settings.MIDDLEWARE, MIDDLEWARE]
    settings.MAGICLINK_RULES = [{"view": "se:pay", "max_age": "session"}]

    views = {view["route"]: view for view in json.loads(run("--format", "json"))}

    assert views["bank/se/pay/"] == {
        "route": "bank/se/pay/",
        "view": "se:pay",
        "callback": "tests.inventory.views.plain",
        "exempt": False,
        "guards": [
            {
                "door": "rule",
                "name": "0",
                "scope": "default",
                "max_age": "session",
                "methods": None,
                "conditional": False,
            }
        ],
    }
    assert views["magiclink/start/"]["exempt"]
    [_, inner] = views["stacked/"]["guards"]
    assert inner["methods"] == ["POST"]


def test_another_urlconf_may_be_read():
    assert "payroll/" in run("--urlconf", "tests.inventory.clean")


def test_views_that_are_guarded_or_exempt_pass():
    run("--fail-unguarded", "decorated", "--fail-unguarded", "django_magiclink:*")


def test_views_that_are_neither_are_an_error():
    with pytest.raises(CommandError) as raised:
        run("--fail-unguarded", "us:*", "--fail-unguarded", "decorated")

    assert str(raised.value).splitlines() == [
        "us:pay (bank/pay/) is neither guarded nor exempt.",
        r"us:deep:deep (bank/deep/(?P<pk>\d+)/$) is neither guarded nor exempt.",
    ]


def test_a_pattern_for_no_view_is_an_error():
    with pytest.raises(CommandError, match='No view is called "decoratde"'):
        run("--fail-unguarded", "decoratde")


def test_rules_that_are_wrong_are_an_error(settings):
    settings.MAGICLINK_RULES = [{"view": ""}]

    with pytest.raises(CommandError, match="A rule has one of"):
        run()


def test_a_shell_gets_the_status_and_the_names_on_stderr():
    command = [sys.executable, "-m", "django", "magiclink_urls"]
    options = ["--settings", "tests.settings", "--fail-unguarded", "login"]

    passed = subprocess.run([*command, *options], capture_output=True, text=True)
    failed = subprocess.run(
        [*command, *options, "--fail-unguarded", "admin:index"],
        capture_output=True,
        text=True,
    )

    assert (passed.returncode, passed.stderr) == (0, "")
    assert failed.returncode == 1
    assert "admin:index (admin/) is neither guarded nor exempt." in failed.stderr
    assert "login/" in failed.stdout
