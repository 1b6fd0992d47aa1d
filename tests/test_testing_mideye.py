"""The server of the test kit, its phones, and what pytest has of them."""

import os
import re
import subprocess
import sys
import threading
import tomllib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from django.conf import settings as site
from django.contrib.auth import get_user_model
from django.test import TestCase, TransactionTestCase

from django_magiclink import pytest_plugin, testing
from django_magiclink.client import MideyeClient
from django_magiclink.models import ApiKey, Approval, Endpoint, PhoneNumber
from django_magiclink.sandbox import NoPrompt
from django_magiclink.status import Status
from django_magiclink.testing import mideye as kit
from django_magiclink.testing import sandboxed

from .conftest import Browser
from .servers import until

ROOT = Path(__file__).parent.parent

# In place of those that pytest would find by itself, and of our own mideye.
approve_all = pytest_plugin.approve_all
reject_all = pytest_plugin.reject_all
mideye = pytest_plugin.mideye


@pytest.fixture
def bo(db):
    """A user without a phone, as most are in a test."""
    return get_user_model().objects.create_user("bo", password="secret")


@pytest.fixture
def browser(bo):
    browser = Browser()
    browser.force_login(bo)
    return browser


def status():
    return Approval.objects.get().state


def test_a_user_is_given_a_phone_and_keeps_it(bo, mideye):
    anna = get_user_model().objects.create_user("anna")

    phone, again, annas = mideye.phone(bo), mideye.phone(bo), mideye.phone(anna)

    assert phone == again
    assert phone.number == PhoneNumber.objects.of(bo)
    assert annas.number != phone.number
    assert phone.url == mideye.phone_url(phone.number)


def test_a_number_of_the_project_stays_where_it_is(bo, mideye, settings):
    settings.MAGICLINK_GET_PHONE_NUMBER = lambda user: "+46701740699"

    phone = mideye.phone(bo)

    assert phone.number == "+46701740699"
    assert not PhoneNumber.objects.exists()


@pytest.mark.parametrize(
    ("answer", "state", "opened"),
    [
        ("accept", Status.ACCEPTED, 200),
        ("reject", Status.REJECTED, 401),
        ("undeliverable", Status.UNDELIVERED, 401),
        ("unknown_code", Status.FAILED, 401),
    ],
)
def test_what_a_phone_is_told_beforehand_is_there_at_once(
    bo, browser, mideye, answer, state, opened
):
    mideye.phone(bo).answers(answer)

    browser.start(browser.get("/payroll/"))

    assert status() == state
    assert browser.get("/payroll/").status_code == opened


def test_a_phone_that_nobody_hears_rings_as_long_as_the_test_wants(bo, browser, mideye):
    mideye.touch_timeout_scale = 0.001
    mideye.phone(bo).answers("ignore")

    browser.start(browser.get("/payroll/"))

    assert status() == Status.NO_ANSWER


def test_a_tap_is_noted_when_it_returns(bo, browser, mideye):
    phone = mideye.phone(bo)

    browser.start(browser.post("/once/"))
    until(lambda: phone.prompts)
    waiting = status()
    shown = phone.accept()

    assert waiting == Status.SENT
    assert "Carry it out" in shown.text
    assert status() == Status.ACCEPTED
    assert browser.post("/once/").status_code == 200
    assert phone.prompts == []


@pytest.fixture
def strict(settings):
    """The settings of a site that names the servers it may ask, and an endpoint."""
    settings.MAGICLINK_ALLOWED_SERVERS = ["mideye.example.com"]
    settings.MAGICLINK_ENDPOINT_NAME = "bank"


def test_it_is_asked_whatever_servers_the_site_names(strict, bo, browser, mideye):
    mideye.phone(bo).answers("accept")

    browser.start(browser.get("/payroll/"))

    assert status() == Status.ACCEPTED


@pytest.mark.parametrize("keys", [[], ["dGVzdHMtb25seS10ZXN0cy1vbmx5LXRlc3RzLW9ubHk="]])
def test_guards_that_name_an_endpoint_ask_there(settings, bo, browser, mideye, keys):
    settings.MAGICLINK_FIELD_KEYS = keys
    with sandboxed() as server:
        server.endpoint("main")
        server.endpoint("payments")
        server.phone(bo).answers("accept")

        for endpoint in ("payments", ""):
            browser.start(browser.get(f"/called/?endpoint={endpoint}"))

        assert [call.endpoint for call in server.calls] == ["payments", "main"]
        assert browser.get("/called/?endpoint=payments").status_code == 200


def test_an_endpoint_of_the_site_is_led_here_and_never_asked_itself(
    bo, browser, mideye
):
    real = Endpoint.objects.create(name="real", base_url="https://mideye.example.com")
    ApiKey(endpoint=real, name="real").enter("secret")
    mideye.phone(bo).answers("accept")

    refused = browser.get("/payroll/").json()
    mideye.endpoint("real")
    browser.start(browser.get("/payroll/"))

    assert refused["reason"] == "no_endpoint"
    assert [call.endpoint for call in mideye.calls] == ["real"]
    assert browser.get("/payroll/").status_code == 200


def test_a_tap_on_reject_is_too(bo, browser, mideye):
    phone = mideye.phone(bo)

    browser.start(browser.get("/payroll/"))
    phone.reject()

    assert status() == Status.REJECTED
    # No limit keeps the next test of this phone waiting.
    assert browser.start(browser.get("/payroll/")).status_code == 201


def test_a_phone_that_does_not_ring_cannot_be_answered(bo, mideye, monkeypatch):
    monkeypatch.setattr(kit, "_PATIENCE", 0.01)

    with pytest.raises(NoPrompt):
        mideye.phone(bo).accept()


def test_a_tap_on_the_page_of_the_phone_is_noted_a_little_later(bo, browser, mideye):
    phone = mideye.phone(bo)
    browser.start(browser.get("/payroll/"))

    # As the phone's page does it, which does not wait for the site.
    mideye.accept(phone.number)

    until(lambda: status() == Status.ACCEPTED)


def test_a_phone_is_answered_whoever_has_asked_it(bo, mideye):
    client, phone = MideyeClient(mideye.url, mideye.api_key), mideye.phone(bo)

    with ThreadPoolExecutor() as pool:
        asked = pool.submit(client.authenticate, phone.number, timeout=60)
        phone.accept()

    assert asked.result().code == "TOUCH_ACCEPTED"


def test_what_still_rings_ends_with_the_block(bo, browser, transactional_db):
    with sandboxed() as server:
        server.phone(bo)
        browser.start(browser.get("/payroll/"))
        until(lambda: server.prompts())
    names = [thread.name for thread in threading.enumerate()]

    assert status() == Status.FAILED
    assert not [name for name in names if "_perform" in name]


@pytest.fixture
def nothing_left():
    before = site._wrapped
    yield
    assert site._wrapped is before


def test_a_test_may_change_settings_beside_it(
    nothing_left, settings, mideye, browser, bo
):
    settings.MAGICLINK_LIMITS = {"reject_cooldown": 60}
    mideye.phone(bo).answers("reject")
    browser.start(browser.get("/payroll/"))

    assert browser.start(browser.get("/payroll/")).status_code == 429


def test_the_settings_are_as_before_after_the_block(db, settings):
    before = site.MAGICLINK_DISPATCHER, site.MAGICLINK_SERVER_URL

    with pytest.raises(RuntimeError), sandboxed() as outer:
        with sandboxed() as inner:
            innermost = site.MAGICLINK_SERVER_URL
        outside = site.MAGICLINK_SERVER_URL
        raise RuntimeError

    assert (innermost, outside) == (inner.url, outer.url)
    assert before == (site.MAGICLINK_DISPATCHER, site.MAGICLINK_SERVER_URL)
    assert kit._running == []


class WithoutPytest(TransactionTestCase):
    """As in a project that has no pytest."""

    def test_the_whole_way(self):
        mideye = self.enterContext(sandboxed())
        bo = get_user_model().objects.create_user("bo")
        mideye.phone(bo).answers("accept")
        self.client.force_login(bo)

        problem = self.client.post("/once/").json()
        self.client.post(problem["start_url"], {"challenge": problem["challenge"]})

        self.assertEqual(self.client.post("/once/").status_code, 200)


class InATransaction(TestCase):
    """Django keeps what is to be done after the commit; a test may have it done."""

    def test_a_phone_that_knows_its_answer_gives_it(self):
        mideye = self.enterContext(sandboxed())
        bo = get_user_model().objects.create_user("bo")
        mideye.phone(bo).answers("accept")
        self.client.force_login(bo)

        problem = self.client.post("/once/").json()
        with self.captureOnCommitCallbacks(execute=True):
            self.client.post(problem["start_url"], {"challenge": problem["challenge"]})

        self.assertEqual(self.client.post("/once/").status_code, 200)


# pytest.


def test_pytest_is_told_where_the_fixtures_are():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]

    plugins = project["entry-points"]["pytest11"]

    assert plugins == {"magiclink": pytest_plugin.__name__}


def test_a_fixture_approves_all(approve_all, browser):
    assert browser.get("/payroll/").status_code == 200
    assert [question.scope for question in approve_all] == ["payroll"]


def test_a_fixture_rejects_all(reject_all, browser):
    assert browser.get("/payroll/").status_code == 401
    assert [question.scope for question in reject_all] == ["payroll"]


def python(code, **environment):
    """Run ``code`` where Django has no settings."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if name != "DJANGO_SETTINGS_MODULE" and not name.startswith("COV_")
    }
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        env=kept | environment,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_plugin_loads_without_settings_and_without_django():
    loaded = python(
        "import sys, django_magiclink.pytest_plugin\nprint(*sys.modules, sep='\\n')"
    ).split()

    assert "django_magiclink.pytest_plugin" in loaded
    assert not [name for name in loaded if name.split(".")[0] == "django"]
    assert not [name for name in loaded if name.endswith("models")]


def test_the_kit_needs_no_pytest():
    loaded = python(
        "import sys, django\n"
        "django.setup()\n"
        "import django_magiclink.testing\n"
        "print(*sys.modules, sep='\\n')",
        DJANGO_SETTINGS_MODULE="tests.settings",
    ).split()

    assert "django_magiclink.testing.mideye" in loaded
    assert not {"pytest", "_pytest", "playwright"} & set(loaded)


def test_nothing_of_the_site_loads_the_kit():
    loaded = python(
        "import sys, django\n"
        "django.setup()\n"
        "from django.core.management import call_command\n"
        "call_command('check')\n"
        "print(*sys.modules, sep='\\n')",
        DJANGO_SETTINGS_MODULE="tests.settings",
    ).split()

    assert "django_magiclink.stepup" in loaded
    assert not [name for name in loaded if name.startswith("django_magiclink.testing")]


def test_the_reference_has_each_name_of_the_kit_and_each_fixture():
    page = (ROOT / "docs/reference.md").read_text()
    [section] = re.findall(r"^## Tests\n(.+?)^## ", page, re.M | re.S)

    names = re.findall(r"^\| `(\w+)", section, re.M)
    fixtures = {name for name in vars(pytest_plugin) if f"`{name}`" in section}

    assert sorted(names) == testing.__all__
    assert fixtures == {"approve_all", "reject_all", "mideye"}
