"""The package as it is released, and README.md followed to the letter with it."""

import re
import sys
import tarfile
from email.parser import Parser
from pathlib import Path
from zipfile import ZipFile

import pytest
import requests

from django_magiclink import __version__
from django_magiclink.sandbox import Sandbox

from .needs import newer_python
from .newcomers import NAME, PATIENCE, Newcomer
from .pages import parts_of

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parent.parent
NUMBER = "+46701740605"
RUNSERVER = "python manage.py runserver --noreload 127.0.0.1:0"
PASSWORD = "correct horse battery"


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
    blocks = parts_of((ROOT / "README.md").read_text())["Add it to your project"]
    with Newcomer(tmp_path, wheel, find_python()) as newcomer:
        newcomer.run("python3 -m venv .venv && . .venv/bin/activate")
        newcomer.run(f"pip install django~={django}.0 {NAME}")
        newcomer.run("django-admin startproject mysite .")
        newcomer.follow(blocks, within="mysite")
        # The readers' servers have TLS.
        newcomer.add("mysite/settings.py", "MAGICLINK_SANDBOX = True\n")
        newcomer.run(
            "python manage.py createsuperuser --noinput --username=anna --email=",
            DJANGO_SUPERUSER_PASSWORD=PASSWORD,
        )
        with Sandbox() as sandbox, requests.Session() as browser:
            newcomer.start(
                f". .venv/bin/activate; {RUNSERVER}",
                MIDEYE_URL=sandbox.url,
                MIDEYE_API_KEY=sandbox.api_key,
            )
            site = newcomer.wait_for(lambda: address(newcomer))[1]
            walk(browser, site, sandbox, newcomer)


def address(newcomer):
    pattern = r"server at (http://127\.0\.0\.1:\d+/)"
    return re.search(pattern, newcomer.log.read_text())


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
