"""A project that installs the wheel finds the kit, with pytest and without."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parent.parent
#: Seconds for a step, on a machine that has much else to do.
PATIENCE = 300
SETTINGS = """
INSTALLED_APPS += ["django_magiclink"]
MAGICLINK_SERVER_URL = "https://mideye.example.com:8443"
MAGICLINK_API_KEY = "a key of that server"
"""
URLS = """
from django.http import HttpResponse
from django.urls import include
from django_magiclink.decorators import approval_required

payroll = approval_required(scope="payroll")(lambda request: HttpResponse("Paid"))
urlpatterns += [
    path("payroll/", payroll),
    path("magiclink/", include("django_magiclink.urls")),
]
"""
TESTS_WITH_PYTEST = """
import pytest


@pytest.fixture
def client(client, admin_user):
    client.force_login(admin_user)
    return client


def test_it_opens(client, approve_all):
    assert client.get("/payroll/").content == b"Paid"
    assert [question.scope for question in approve_all] == ["payroll"]


def test_it_stays_closed(client, reject_all):
    assert client.get("/payroll/").status_code == 401


@pytest.mark.parametrize("tapped", [True, False])
def test_the_whole_way(client, admin_user, mideye, tapped):
    phone = mideye.phone(admin_user)
    if not tapped:
        phone.answers("accept")
    problem = client.get("/payroll/").json()
    client.post(problem["start_url"], {"challenge": problem["challenge"]})
    if tapped:
        phone.accept()
    assert client.get("/payroll/").content == b"Paid"
"""
TESTS_WITHOUT = """
from django.contrib.auth.models import User
from django.test import TestCase
from django_magiclink.testing import approving


class PayrollTests(TestCase):
    @approving("payroll")
    def test_it_opens(self):
        self.client.force_login(User.objects.create_user("anna"))
        self.assertContains(self.client.get("/payroll/"), "Paid")
"""


class Newcomer:
    """A project of its own, in a virtual environment of its own."""

    def __init__(self, folder):
        self.folder, self.bin = folder, folder / "venv/bin"
        kept = ("PYTHON", "DJANGO", "PYTEST", "COV_")
        self.environment = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(kept)
        }

    def run(self, program, *arguments, cwd=None):
        done = subprocess.run(
            [program, *arguments],
            cwd=cwd or self.folder,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=PATIENCE,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout + done.stderr

    def write(self, name, text):
        with (self.folder / name).open("a") as file:
            file.write(text)


@pytest.fixture(scope="module")
def newcomer(tmp_path_factory):
    newcomer = Newcomer(tmp_path_factory.mktemp("newcomer"))
    build = ["-m", "build", "--wheel", "--no-isolation", "--outdir", newcomer.folder]
    newcomer.run(sys.executable, *build, cwd=ROOT)
    newcomer.run(sys.executable, "-m", "venv", "venv")
    [wheel] = newcomer.folder.glob("*.whl")
    packages = [wheel, "django~=5.2.0", "pytest", "pytest-django"]
    newcomer.run(newcomer.bin / "pip", "install", "-q", "--no-compile", *packages)
    newcomer.run(newcomer.bin / "django-admin", "startproject", "mysite", ".")
    newcomer.write("mysite/settings.py", SETTINGS)
    newcomer.write("mysite/urls.py", URLS)
    newcomer.write("pytest.ini", "[pytest]\nDJANGO_SETTINGS_MODULE = mysite.settings\n")
    newcomer.write("test_pytest.py", TESTS_WITH_PYTEST)
    newcomer.write("test_django.py", TESTS_WITHOUT)
    return newcomer


def test_pytest_has_the_fixtures_at_once(newcomer):
    output = newcomer.run(newcomer.bin / "python", "-m", "pytest", "-W", "error")

    assert "5 passed" in output


def test_pytest_can_leave_them_out(newcomer):
    fixtures = [newcomer.bin / "python", "-m", "pytest", "--fixtures", "test_pytest.py"]

    assert "\napprove_all " in newcomer.run(*fixtures)
    assert "\napprove_all " not in newcomer.run(*fixtures, "-p", "no:magiclink")


def test_a_project_without_pytest_has_the_blocks(newcomer):
    code = (
        "import runpy, sys\n"
        "sys.modules['pytest'] = None\n"
        "sys.argv = ['manage.py', 'test', '-p', 'test_django.py']\n"
        "runpy.run_path('manage.py', run_name='__main__')"
    )

    assert "Ran 1 test" in newcomer.run(newcomer.bin / "python", "-c", code)
