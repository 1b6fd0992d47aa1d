import re
import signal
import socket
import sqlite3
import time
from contextlib import closing

import pytest
import requests

from .demo import Demo

ADMINS_PHONE = "+46701740606"


@pytest.fixture(scope="module")
def demo(tmp_path_factory):
    with Demo(tmp_path_factory.mktemp("demo")) as demo:
        yield demo


@pytest.fixture(scope="module")
def anna(demo):
    with Visitor(demo, "anna") as anna:
        yield anna


@pytest.fixture(scope="module")
def bo(demo):
    with Visitor(demo, "bo") as bo:
        yield bo


@pytest.fixture(scope="module")
def admin(demo):
    with Visitor(demo, "admin") as admin:
        yield admin


@pytest.fixture
def own_demo(tmp_path):
    """One that is not started yet, for tests of starting and stopping."""
    demo = Demo(tmp_path)
    yield demo
    demo.stop()


@pytest.fixture
def taken_port():
    with closing(socket.create_server(("127.0.0.1", 0))) as taken:
        yield taken.getsockname()[1]


class Visitor(requests.Session):
    """A browser without JavaScript, logged in at the demo."""

    def __init__(self, demo, name):
        super().__init__()
        self.trust_env = False
        self.headers.update({"Accept": "text/html", "Accept-Language": "en"})
        self.base = demo.site
        self.open("login/")
        self.landed = self.send_form("login/", username=name, password=demo.password)

    def open(self, path):
        return self.get(self.base + path)

    def send_form(self, path, **fields):
        token = {"csrfmiddlewaretoken": self.cookies["csrftoken"]}
        return self.post(self.base + path, fields | token)

    def ask(self, page):
        """Press the button that asks the phone."""
        challenge = re.search(r'name="challenge" value="([^"]+)"', page.text)[1]
        return self.send_form("magiclink/start/", challenge=challenge)


def wait_for(condition):
    end = time.monotonic() + 10
    while not (found := condition()):
        assert time.monotonic() < end
        time.sleep(0.02)
    return found


def ringing(phone):
    """Return what the phone's page would post, if it rings."""
    with requests.get(phone) as page:
        return re.search(
            r'action="([^"]+)".*?name="prompt" value="([^"]+)"', page.text, re.S
        )


def accept(phone):
    """Tap Accept once the phone rings, and return what it showed."""
    action, prompt = wait_for(lambda: ringing(phone)).groups()
    origin = phone.partition("/phone/")[0]
    with (
        requests.get(phone) as shown,
        requests.post(
            origin + action,
            {"prompt": prompt, "answer": "accept"},
            headers={"Origin": origin},
        ) as answered,
    ):
        answered.raise_for_status()
        return shown.text


@pytest.mark.parametrize("name", ["anna", "bo", "admin"])
def test_everybody_can_log_in_with_the_printed_password(demo, request, name):
    landed = request.getfixturevalue(name).landed

    assert landed.url == demo.site
    assert "Latest transfers" in landed.text


@pytest.mark.parametrize(
    "path", ["", "payroll/", "transfer/", "statement/", "accounts/1/close/"]
)
def test_every_page_wants_a_login_first(demo, path):
    with requests.get(demo.site + path) as page:
        assert page.url == f"{demo.site}login/?next=/{path}"


def test_every_page_links_to_the_phone_of_its_user(demo, anna, bo, admin):
    assert f'href="{demo.phone}"' in anna.landed.text
    assert f'href="{demo.phone_of(ADMINS_PHONE)}"' in admin.landed.text
    assert "bo has no phone" in bo.landed.text


def test_pages_have_their_style_and_are_not_framed(demo, bo):
    style = re.search(r'rel="stylesheet" href="/([^"]+)"', bo.landed.text)[1]

    with requests.get(demo.site + style) as css:
        assert css.headers["Content-Type"].startswith("text/css")
    assert bo.landed.headers["X-Frame-Options"] == "DENY"


@pytest.mark.parametrize("page", ["payroll", "statement"])
def test_an_approval_opens_a_guarded_page(demo, admin, page):
    phone = demo.phone_of(ADMINS_PHONE)

    refused = admin.open(f"{page}/")
    rang = ringing(phone)
    admin.ask(refused)
    accept(phone)
    opened = wait_for(lambda: admin.open(f"{page}/"))

    assert refused.status_code == 401
    assert not rang
    assert f"<h1>{page.title()}</h1>" in opened.text


def test_who_has_no_phone_is_told_so(bo):
    page = bo.open("payroll/")

    assert page.status_code == 401
    assert "no phone" in page.text


@pytest.mark.parametrize(
    "typo", [{"amount": "1O0"}, {"amount": "-1"}, {"amount": "99999"}, {"payee": ""}]
)
def test_a_typo_in_a_transfer_is_an_error_of_the_form(demo, anna, typo):
    fields = {"payee": "Boatyard", "amount": "100", "reference": "May"} | typo

    page = anna.send_form("transfer/", **fields)

    assert page.status_code == 200
    assert 'class="errorlist"' in page.text
    assert 'value="May"' in page.text
    assert not ringing(demo.phone)


def test_a_transfer_is_booked_once_after_its_approval(demo, anna):
    fields = {"payee": "Boatyard", "amount": "250.5", "reference": "Mast"}

    refused = anna.send_form("transfer/", **fields)
    anna.ask(refused)
    shown = accept(demo.phone)
    paid = wait_for(lambda: anna.send_form("transfer/", **fields))
    again = anna.send_form("transfer/", **fields)

    assert refused.status_code == again.status_code == 401
    assert "Pay 250.50 SEK to Boatyard" in shown
    assert paid.url == demo.site
    assert "Paid: 250.50 SEK to Boatyard." in paid.text
    assert "24,100.25" in paid.text
    assert anna.open("").text.count('class="payee">Boatyard') == 1


def test_an_account_is_closed_after_its_approval(demo, admin):
    path = re.search(r"accounts/\d+/close/", admin.landed.text)[0]

    asked = admin.open(path)
    admin.ask(admin.send_form(path))
    shown = accept(demo.phone_of(ADMINS_PHONE))
    closed = wait_for(lambda: admin.send_form(path))

    assert "Account 5521-000001 and its transfers are deleted" in asked.text
    assert "Close account 5521-000001, which holds 1000.00 SEK" in shown
    assert "Account 5521-000001 is closed." in closed.text
    assert "You have no account." in closed.text


def test_nobody_closes_the_account_of_another(anna, bo):
    path = re.search(r"accounts/\d+/close/", bo.landed.text)[0]

    assert anna.open(path).status_code == 404
    assert anna.send_form(path).status_code == 404


def test_the_project_passes_its_checks(demo):
    checked = demo.run("check", "--fail-level=WARNING")
    migrations = demo.run("makemigrations", "--check", "--dry-run")

    assert checked.returncode == 0, checked.stderr
    assert migrations.returncode == 0, migrations.stdout


def test_no_secret_has_a_default_for_real_users(own_demo):
    ended = own_demo.run("check", DEBUG="off")

    assert ended.returncode != 0
    assert "SECRET_KEY" in ended.stderr


def test_a_site_for_real_users_is_no_demo(own_demo, settings):
    [field_key] = settings.MAGICLINK_FIELD_KEYS
    secrets = {"SECRET_KEY": "secret", "MAGICLINK_FIELD_KEYS": field_key}

    ended = own_demo.run("demo", DEBUG="off", MAGICLINK_SANDBOX="on", **secrets)

    assert ended.returncode == 1
    assert "it needs DEBUG and MAGICLINK_SANDBOX" in ended.stderr
    assert not own_demo.database.exists()


@pytest.mark.parametrize(
    ("option", "other"), [("--port", "--sandbox-port"), ("--sandbox-port", "--port")]
)
def test_a_taken_port_is_said_before_anything_is_done(
    own_demo, taken_port, option, other
):
    ended = own_demo.run("demo", f"{option}={taken_port}", f"{other}=0")

    assert ended.returncode == 1
    assert f"Port {taken_port} is in use. Choose another: manage.py demo {option} " in (
        ended.stderr
    )
    assert "Traceback" not in ended.stderr
    assert ended.stdout == ""
    assert not own_demo.database.exists()


def test_a_port_must_be_one(own_demo):
    ended = own_demo.run("demo", "--port=65536")

    assert ended.returncode == 2
    assert "a port is a number from 0 to 65535" in ended.stderr


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_it_stops_cleanly_while_a_phone_rings(own_demo, number):
    own_demo.start()
    with Visitor(own_demo, "anna") as anna:
        anna.ask(anna.open("payroll/"))
        wait_for(lambda: ringing(own_demo.phone))

        began = time.monotonic()
        code = own_demo.stop(number)
        took = time.monotonic() - began

    assert code == 0
    # It does not wait for the phone, which would ring for a minute. On a machine with
    # nothing else to do it takes a fifth of a second.
    assert took < 10
    assert own_demo.output.endswith("Stopped.\n")
    assert "Traceback" not in own_demo.log.read_text()
    for address in (own_demo.site, own_demo.phone):
        with pytest.raises(requests.ConnectionError):
            requests.get(address)


def test_a_second_start_works_whatever_rang_at_the_end_of_the_first(own_demo):
    with own_demo, Visitor(own_demo, "anna") as anna:
        anna.ask(anna.open("payroll/"))
        wait_for(lambda: ringing(own_demo.phone))
    with own_demo, Visitor(own_demo, "admin") as admin:
        with closing(sqlite3.connect(own_demo.database)) as database:
            query = "SELECT live_slot FROM django_magiclink_approval"
            slots = database.execute(query).fetchall()
        admin.ask(admin.open("payroll/"))
        accept(own_demo.phone_of(ADMINS_PHONE))
        opened = wait_for(lambda: admin.open("payroll/"))

    assert slots == [(None,)]
    assert admin.landed.text.count('class="balance"') == 1
    assert "Harbour master" in opened.text
