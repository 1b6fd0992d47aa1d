"""The package as it is released, and README.md followed to the letter with it."""

import os
import re
import shlex
import subprocess
import sys
import tarfile
import time
from contextlib import contextmanager
from email.parser import Parser
from pathlib import Path
from zipfile import ZipFile

import pytest
import requests

from django_magiclink import __version__
from django_magiclink.sandbox import Sandbox

from .needs import newer_python

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parent.parent
NAME = "django-mideye-magiclink"
NUMBER = "+46701740605"
PASSWORD = "correct horse battery"
#: Seconds for a step, on a machine that has much else to do.
PATIENCE = 180


def run(*command, **options):
    done = subprocess.run(
        command, capture_output=True, text=True, timeout=PATIENCE, **options
    )
    assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"


@pytest.fixture(scope="session")
def dist(tmp_path_factory):
    """The folder with the sdist, and with the wheel that was made from it."""
    folder = tmp_path_factory.mktemp("dist")
    build = [sys.executable, "-m", "build", "--no-isolation", "--outdir", folder]
    run(*build, cwd=ROOT)
    return folder


@pytest.fixture(scope="session")
def wheel(dist):
    [wheel] = dist.glob("*.whl")
    return wheel


@pytest.fixture
def metadata(wheel):
    with ZipFile(wheel) as archive:
        [path] = [name for name in archive.namelist() if name.endswith("/METADATA")]
        return Parser().parsestr(archive.read(path).decode())


def test_the_wheel_has_every_file_of_the_package(wheel):
    package = ROOT / "django_magiclink"
    files = {
        str(path.relative_to(ROOT))
        for path in package.rglob("*")
        if path.is_file() and path.suffix != ".pyc"
    }

    with ZipFile(wheel) as archive:
        packed = {name for name in archive.namelist() if ".dist-info/" not in name}

    assert "django_magiclink/py.typed" in files
    assert packed == files


def test_the_sdist_has_what_the_tests_need(dist):
    [sdist] = dist.glob("*.tar.gz")
    with tarfile.open(sdist) as archive:
        top = {name.split("/")[1] for name in archive.getnames()}

    assert {"conftest.py", "example_project", "manage.py", "tests"} <= top
    assert not {".env", ".git"} & top


def test_the_metadata_says_what_it_is(metadata):
    assert metadata["Name"] == NAME
    assert metadata["Version"] == __version__
    assert metadata["License-Expression"] == "MIT"
    assert metadata["Requires-Python"] == ">=3.11"
    assert {"demo", "test"} <= set(metadata.get_all("Provides-Extra"))
    assert metadata.get_payload().startswith("# django_magiclink")


def test_the_core_needs_five_packages(metadata):
    core = [need for need in metadata.get_all("Requires-Dist") if "extra" not in need]

    names = {re.match(r"[\w-]+", need)[0] for need in core}

    assert names == {"cryptography", "django", "phonenumbers", "requests", "urllib3"}


class Newcomer:
    """Somebody with a fresh project who does what the README says."""

    def __init__(self, folder, python):
        self.folder = folder
        run(python, "-m", "venv", folder / "venv")
        self.log = folder / "server.log"
        # Nothing of the tests' own Python and Django.
        self.environment = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("DJANGO_", "PYTHON", "MIDEYE_", "COV_"))
        } | {
            "PATH": f"{folder / 'venv/bin'}{os.pathsep}{os.environ['PATH']}",
            "PIP_DISABLE_PIP_VERSION_CHECK": "1",
            "PYTHONUNBUFFERED": "1",
        }

    def run(self, line, **environment):
        run(
            *shlex.split(line),
            cwd=self.folder,
            env=self.environment | environment,
        )

    def follow_readme(self):
        """Run each command, and add each block to the file that is named above it."""
        section = (ROOT / "README.md").read_text().split("\n## ")
        [steps] = [text for text in section if text.startswith("Add it to your")]
        blocks = re.findall(
            r"(?:In `(\w+\.py)`:\n\n)?```(\w+)\n(.*?)```", steps, re.DOTALL
        )
        for file, language, text in blocks:
            if language == "console":
                for line in text.splitlines():
                    # The package is there by now: nobody else's of that name comes.
                    self.run(line, PIP_NO_INDEX="1")
            elif file:
                self.add(file, text)

    def add(self, file, text):
        with (self.folder / "mysite" / file).open("a") as opened:
            opened.write(f"\n\n{text}")

    @contextmanager
    def serve(self, sandbox):
        """Yield the address of the site, which talks to ``sandbox``."""
        with self.log.open("w") as log:
            self.server = subprocess.Popen(
                ["python", "manage.py", "runserver", "--noreload", "127.0.0.1:0"],
                cwd=self.folder,
                env=self.environment
                | {"MIDEYE_URL": sandbox.url, "MIDEYE_API_KEY": sandbox.api_key},
                stdout=log,
                stderr=subprocess.STDOUT,
            )
        try:
            yield self.wait_for(self.address)[1]
        finally:
            self.server.terminate()
            self.server.wait(PATIENCE)

    def address(self):
        return re.search(r"server at (http://127\.0\.0\.1:\d+/)", self.log.read_text())

    def wait_for(self, condition):
        end = time.monotonic() + PATIENCE
        while not (found := condition()):
            running = self.server.poll() is None
            assert running and time.monotonic() < end, self.log.read_text()
            time.sleep(0.1)
        return found


@pytest.mark.parametrize(
    ("find_python", "django"),
    [
        pytest.param(lambda: sys.executable, "5.2", id="django52"),
        pytest.param(
            newer_python, "6.1", marks=pytest.mark.needs("newer_python"), id="django61"
        ),
    ],
)
def test_the_steps_of_the_readme_guard_a_view(wheel, tmp_path, find_python, django):
    newcomer = Newcomer(tmp_path, find_python())
    newcomer.run(f"pip install --quiet --no-compile django~={django}.0 {wheel}")
    newcomer.run("django-admin startproject mysite .")
    newcomer.follow_readme()
    # The readers' servers have TLS.
    newcomer.add("settings.py", "MAGICLINK_SANDBOX = True\n")
    newcomer.run(
        "python manage.py createsuperuser --noinput --username=anna --email=",
        DJANGO_SUPERUSER_PASSWORD=PASSWORD,
    )

    with (
        Sandbox() as sandbox,
        newcomer.serve(sandbox) as site,
        requests.Session() as browser,
    ):
        walk(browser, site, sandbox, newcomer)


def walk(browser, site, sandbox, newcomer):
    """Log in, enter a phone as the README says, and open the guarded view."""

    def send(path, **fields):
        token = {"csrfmiddlewaretoken": browser.cookies["csrftoken"]}
        return browser.post(site + path, fields | token)

    browser.trust_env = False
    browser.get(f"{site}admin/login/")
    send("admin/login/", username="anna", password=PASSWORD)
    added = send(
        "admin/django_magiclink/phonenumber/add/",
        user="1",
        number=NUMBER,
        verified_at_0="2026-01-02",
        verified_at_1="03:04:05",
        reason="Known to be theirs",
    )
    assert "was added successfully" in added.text

    refused = browser.get(f"{site}payroll/")
    started = send("magiclink/start/", challenge=refused.json()["challenge"])
    prompt = sandbox.accept(within=PATIENCE)
    status = f"{site}{started.json()['status_url'].lstrip('/')}"
    newcomer.wait_for(lambda: browser.get(status).json()["final"])
    opened = browser.get(f"{site}payroll/")

    assert refused.status_code == 401
    assert prompt.number == NUMBER
    assert (opened.status_code, opened.text) == (200, "The payroll")
