import subprocess
import sys
import threading
import time

import environ
import pytest
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Permission
from django.db import connections, transaction
from django.test import Client
from django.utils import timezone

from django_magiclink.conf import DEFAULT_LIMITS
from django_magiclink.models import ApiKey, Approval, Endpoint, PhoneNumber
from django_magiclink.sandbox import Sandbox
from django_magiclink.status import UNDECIDED

from .browsers import launched
from .demo import ROOT, Demo
from .models import Run
from .servers import PostgreSQL, Sites

NUMBER = "+46701740605"


@pytest.fixture(scope="session")
def dist(tmp_path_factory):
    """The folder with the sdist, and with the wheel that was made from it."""
    folder = tmp_path_factory.mktemp("dist")
    build = [sys.executable, "-m", "build", "--no-isolation", "--outdir", folder]
    done = subprocess.run(build, capture_output=True, cwd=ROOT, text=True)
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
    return folder


@pytest.fixture(scope="session")
def wheel(dist):
    [wheel] = dist.glob("*.whl")
    return wheel


def pytest_collection_modifyitems(items):
    # What takes minutes first: processes that share the files then end together.
    slow = {item.path for item in items if item.get_closest_marker("slow")}
    items.sort(key=lambda item: item.path not in slow)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item):
    if not item.get_closest_marker("slow"):
        return (yield)
    # Half of its time would be coverage's, to which other tests show the same lines.
    # The marker of pytest-cov does nothing in a process of xdist's.
    tracers = sys.gettrace(), threading.gettrace()
    sys.settrace(None)
    threading.settrace(None)
    try:
        return (yield)
    finally:
        sys.settrace(tracers[0])
        threading.settrace(tracers[1])


@pytest.fixture
def user(db):
    anna = get_user_model().objects.create_user("anna", password="secret")
    PhoneNumber.objects.create(user=anna, number=NUMBER, verified_at=timezone.now())
    return anna


@pytest.fixture
def admin(db):
    client = Client()
    root = get_user_model().objects.create_superuser("root", password="secret")
    client.force_login(root)
    return client


@pytest.fixture
def staff(db):
    """Return a client of staff who have only these permissions."""

    def log_in(*codenames):
        user = get_user_model().objects.create_user("staff", is_staff=True)
        user.user_permissions.set(Permission.objects.filter(codename__in=codenames))
        client = Client()
        client.force_login(user)
        return client

    return log_in


@pytest.fixture
def unlimited(settings):
    """Let a phone be asked again at once, where limits are not what a test is about."""
    settings.MAGICLINK_LIMITS = dict.fromkeys(DEFAULT_LIMITS)


@pytest.fixture(scope="session")
def shared_sandbox():
    with Sandbox(touch_timeout_scale=0.02) as sandbox:
        yield sandbox


@pytest.fixture
def sandbox(shared_sandbox):
    shared_sandbox.reset()
    return shared_sandbox


@pytest.fixture(scope="module")
def mideye():
    """A Mideye Server of a module, whose phones ring as long as real ones."""
    with Sandbox() as sandbox:
        yield sandbox


@pytest.fixture(scope="module")
def sites(mideye, tmp_path_factory):
    """The sites that a module's tests ask for."""
    with Sites(mideye, tmp_path_factory) as sites:
        yield sites


@pytest.fixture(scope="module")
def cluster():
    with PostgreSQL() as database:
        yield database


class ToPostgres:
    def db_for_read(self, model, **hints):
        return "postgres"

    db_for_write = db_for_read


@pytest.fixture
def on_postgres(cluster, settings, monkeypatch, django_db_blocker):
    """Let what a test asks the database go to PostgreSQL, where nothing is undone."""
    own = {"default": {}, "postgres": environ.Env.db_url_config(cluster.url)}
    configured = connections.configure_settings(own)["postgres"]
    monkeypatch.setitem(connections.settings, "postgres", configured)
    settings.DATABASE_ROUTERS = [f"{__name__}.ToPostgres"]
    with django_db_blocker.unblock():
        yield cluster
    connections["postgres"].close()
    del connections["postgres"]


@pytest.fixture
def _undone_on_postgres(on_postgres):
    with transaction.atomic(using="postgres"):
        yield
        transaction.set_rollback(True, using="postgres")


@pytest.fixture(
    params=[
        "db",
        pytest.param("_undone_on_postgres", marks=pytest.mark.needs("postgres")),
    ]
)
def database(request):
    """SQLite, or whichever database the tests run on, and PostgreSQL."""
    request.getfixturevalue(request.param)


@pytest.fixture(scope="module")
def demo(tmp_path_factory):
    """The example bank, as ``manage.py demo`` runs it."""
    with Demo(tmp_path_factory.mktemp("demo")) as demo:
        yield demo


@pytest.fixture(scope="module")
def chrome():
    with launched() as browser:
        yield browser


@pytest.fixture
def phone(demo, chrome):
    """The page of the bank's phone."""
    context = chrome.new_context()
    phone = context.new_page()
    phone.goto(demo.phone)
    yield phone
    # What a test leaves ringing would keep the phone from being asked in the next.
    while phone.goto(demo.phone) and phone.locator("[value=reject]").count():
        phone.locator("[value=reject]").first.click()
    context.close()


@pytest.fixture
def endpoint(db, sandbox):
    endpoint = Endpoint.objects.create(name="sandbox", base_url=sandbox.url)
    ApiKey(endpoint=endpoint, name="tests").enter(sandbox.api_key)
    yield endpoint
    # Whoever still waits would write into the next test's database.
    sandbox.reset()
    for thread in threading.enumerate():
        if thread.name.startswith("magiclink-wait"):
            thread.join(10)


class Browser(Client):
    """Django's test client that also answers what a guard asks."""

    def start(self, refused):
        """Ask the phone, as a program that got the problem body does."""
        problem = refused.json()
        return self.post(problem["start_url"], {"challenge": problem["challenge"]})

    def finish(self, started):
        """Return the status once the approval is decided."""
        for _ in range(500):
            status = self.get(started.json()["status_url"]).json()
            if status["final"]:
                return status
            time.sleep(0.01)
        raise AssertionError("The approval was never decided.")

    def finish_row(self):
        """Wait until the latest approval is decided, without a request."""
        for _ in range(500):
            if Approval.objects.latest("created").state not in UNDECIDED:
                return
            time.sleep(0.01)
        raise AssertionError("The approval was never decided.")

    def approve(self, refused, sandbox, answer="accept"):
        """Go through the whole of it, with the phone's owner tapping ``answer``."""
        sandbox.script(answer)
        return self.finish(self.start(refused))


@pytest.fixture
def browser(user):
    browser = Browser()
    browser.force_login(user)
    return browser


@pytest.fixture
def runs(db):
    """The names of the views whose bodies ran."""
    return lambda: list(Run.objects.order_by("pk").values_list("view", flat=True))


@pytest.fixture
def started(browser, endpoint, sandbox):
    sandbox.script("manual")
    return browser.start(browser.get("/payroll/"))


@pytest.fixture
def atomic_requests():
    connections.settings["default"]["ATOMIC_REQUESTS"] = True
    yield
    connections.settings["default"]["ATOMIC_REQUESTS"] = False
