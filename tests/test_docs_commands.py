"""Each command that README and pages give: it runs here, or it is said where."""

import re
import tarfile
from dataclasses import dataclass

import pytest
import requests

from .newcomers import Newcomer
from .pages import PAGES, ROOT, blocks_of, commands_of
from .projects import KEY, TASKS, Project
from .servers import until

#: Run to their end in a project that has what the pages say.
HERE = [
    "python manage.py check --deploy",
    "python manage.py collectstatic --noinput",
    "python manage.py magiclink_check --days 14",
    "python manage.py magiclink_field_key",
    "python manage.py magiclink_key --endpoint default --stdin "
    "--expires-on 2027-06-30 < /run/secrets/mideye_key",
    KEY,
    "python manage.py magiclink_purge",
    "python manage.py magiclink_purge --dry-run",
    "python manage.py magiclink_rotate_field_keys",
    "python manage.py migrate",
]


@dataclass(frozen=True)
class Server:
    """What does not end by itself: what it says once it is there."""

    ready: str
    settings: str = "project.settings"


#: Run in that project until they are ready, on ports that the environment gives.
SERVERS = {
    "gunicorn project.wsgi --workers=2 --threads=4 --preload --timeout=90": Server(
        r"Listening at: (http://\S+)"
    ),
    "uvicorn project.asgi:application --timeout-graceful-shutdown=5": Server(
        r"running on (http://\S+)"
    ),
    "celery --app=project worker --queues=approvals --pool=threads "
    "--concurrency=500 --prefetch-multiplier=1": Server(
        r"\.> approvals +exchange", "project.with_celery"
    ),
    "python manage.py db_worker": Server("Starting worker", TASKS),
}
DEMO = (
    "python3 -m venv .venv && .venv/bin/pip install -e '.[demo]' "
    "&& .venv/bin/python manage.py demo"
)
INSTALLS = [
    "pip install 'django-mideye-magiclink[celery]'",
    "pip install 'django-mideye-magiclink[drf]'",
    "pip install 'django-mideye-magiclink[tasks]' django-tasks-db",
    "pip install 'psycopg[binary]'",
    "pip install --upgrade django-mideye-magiclink",
]
#: Where the other commands run: a file, and what in it does so.
ELSEWHERE = {
    ".ci/run": (".ci/run", "step tox run-parallel"),
    ".venv/bin/python manage.py demo": ("tests/demo.py", '"demo"'),
    "python -m docs.make_requirements": (
        "tests/security/test_requirements_table.py",
        "made(covered)",
    ),
    "python -m docs.make_script": ("tests/test_script.py", "made("),
    "python -m pytest tests/test_guard.py": (".ci/run", "python -m pytest"),
    "python manage.py makemigrations --check --dry-run": (
        ".ci/run",
        "python manage.py makemigrations --check --dry-run",
    ),
    "python3 -m venv .venv && .venv/bin/pip install -e '.[test]' "
    "&& .venv/bin/python -m pytest": (".ci/run", "pip install -qq -e '.[test]'"),
    "ruff check && ruff format --check && lint-imports && mypy": (
        "tox.ini",
        "commands = mypy",
    ),
    "pip install -e '.[docs]'": ("tox.ini", "extras = docs"),
    "python -m pytest example_project": (
        "tests/test_example_tests.py",
        'run(*PYTEST, "example_project"',
    ),
    "tox -e release": ("tox.ini", "    release\n"),
    "sphinx-build -W -n -b html docs docs/_build": (
        "tox.ini",
        "sphinx-build -W -n -q -b html docs",
    ),
}
#: Pages that a test follows as a whole.
FOLLOWED = {
    "docs/tutorial.md": "tests/test_tutorial.py",
    "README.md": "tests/test_package.py",
}
#: What no test runs, and why.
NOT_RUN = {
    "benchmarks/README.md": "each takes from minutes to an hour of a quiet machine",
    "mutation/README.md": "it takes hours",
    "python -m docs.make_images": "each picture has another code and time on it",
    "tox -e audit": "it asks PyPI itself, which a mirror is not",
    **dict.fromkeys(
        [
            "git clone --branch v1.2.3 <repository> release && cd release",
            'git tag --sign v1.2.3 --message "django-mideye-magiclink 1.2.3"',
            "git push origin v1.2.3",
            "git verify-tag v1.2.3",
            "sha256sum dist/*",
            "twine upload dist/*",
        ],
        "there is no tag and no key, and nothing is to be published",
    ),
}


def known(path):
    """Return the commands of a page of which it is said where they run."""
    name = str(path.relative_to(ROOT))
    if name in NOT_RUN:
        return set(commands_of(path))
    text = path.read_text()
    if name == "README.md":
        text = re.search(r"^## Add it to.+?(?=^## )", text, re.M | re.S)[0]
    followed = blocks_of(text) if name in FOLLOWED else []
    return {
        *(line for block in followed for line in block.commands),
        *(*HERE, *SERVERS, *INSTALLS, *ELSEWHERE, *NOT_RUN, DEMO),
    }


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_it_is_known_where_each_command_runs(page):
    assert set(commands_of(page)) - known(page) == set()


def test_no_command_is_run_that_no_page_has():
    given = {command for page in PAGES for command in commands_of(page)}
    names = {str(page.relative_to(ROOT)) for page in PAGES}

    ours = {*HERE, *SERVERS, *INSTALLS, *ELSEWHERE, DEMO, *NOT_RUN, *FOLLOWED}

    assert ours - given - names == set()


@pytest.mark.parametrize(("file", "text"), [*ELSEWHERE.values()])
def test_what_runs_elsewhere_is_there(file, text):
    assert text in (ROOT / file).read_text()


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    return Project(tmp_path_factory.mktemp("project"))


@pytest.mark.processes
@pytest.mark.parametrize("command", HERE)
def test_a_command_does_what_it_is_for(project, command):
    project.run(command)


@pytest.mark.processes
@pytest.mark.parametrize("command", SERVERS)
def test_a_server_starts_and_ends_as_it_is_told_to(project, command, tmp_path):
    server, log = SERVERS[command], tmp_path / "log"
    with log.open("w") as opened:
        process = project.start(command, opened, DJANGO_SETTINGS_MODULE=server.settings)
    try:
        ready = until(lambda: find(server.ready, log, process))
        if ready.groups():
            with requests.get(f"{ready[1]}/admin/login/") as page:
                assert page.status_code == 200
    finally:
        process.terminate()
        ended = process.wait(60)

    assert ended in (0, -15), log.read_text()


def find(pattern, log, process):
    text = log.read_text()
    assert process.poll() is None, text
    return re.search(pattern, text)


@pytest.mark.slow
def test_the_extras_of_the_pages_can_be_installed(wheel, tmp_path):
    with Newcomer(tmp_path, wheel) as newcomer:
        newcomer.run("python3 -m venv .venv && . .venv/bin/activate")
        newcomer.run("pip install django-mideye-magiclink")
        for command in INSTALLS:
            # It is there, so that only what the extra adds comes from elsewhere: older
            # versions of pip take no file for a name with an extra.
            newcomer.run(command, **{"PIP_CONSTRAINT": ""} if "[" in command else {})
        newcomer.run("python -c 'import celery, django_tasks_db, psycopg'")
        newcomer.run("python -c 'import rest_framework'")
        newcomer.run("pip check")


@pytest.mark.slow
def test_the_first_command_of_the_readme_runs_the_demo(dist, wheel, tmp_path):
    [sdist] = dist.glob("*.tar.gz")
    with tarfile.open(sdist) as archive:
        archive.extractall(tmp_path, filter="data")
    with Newcomer(tmp_path, wheel) as newcomer:
        newcomer.run("cd django_mideye_magiclink-*")
        # What is installed is the folder, not the wheel.
        newcomer.start(f"{DEMO} --port=0 --sandbox-port=0", PIP_CONSTRAINT="")
        site = newcomer.wait_for(
            lambda: re.search(r"^Site +(\S+)$", newcomer.log.read_text(), re.M)
        )
        with requests.get(f"{site[1]}login/") as page:
            assert "Harbour Bank" in page.text
