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


@pytest.fixture
def own_demo(tmp_path):
    return Demo(tmp_path)


class Visitor(requests.Session):
    """A browser without JavaScript, logged in at the demo."""

    def __init__(self, demo, name):
        super().__init__()
        self.trust_env = False
        self.headers |= {"Accept": "text/html", "Accept-Language": "en"}
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


@pytest.fixture
def visit(demo):
    visitors = []

    def visit(name, demo=demo):
        visitors.append(Visitor(demo, name))
        return visitors[-1]

    yield visit
    for visitor in visitors:
        visitor.close()


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
            r'action="([^"]+)".*?name="prompt" value="(\w+)"', page.text, re.S
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


@pytest.fixture
def taken_port():
    with closing(socket.create_server(("127.0.0.1", 0))) as taken:
        yield taken.getsockname()[1]


@pytest.mark.parametrize("name", ["anna", "bo", "admin"])
def test_everybody_can_log_in_with_the_printed_password(demo, visit, name):
    landed = visit(name).landed

    assert landed.url == demo.site
    assert "Latest transfers" in landed.text


def test_pages_want_a_login_first(demo):
    paths = ["", "payroll/", "transfer/", "statement/", "accounts/1/close/"]
    for path in paths:
        with requests.get(demo.site + path, headers={"Accept": "text/html"}) as page:
            assert page.url == f"{demo.site}login/?next=/{path}"


def test_every_page_links_to_the_phone_of_its_user(demo, visit):
    assert f'href="{demo.phone}"' in visit("anna").landed.text
    assert f'href="{demo.phone_of(ADMINS_PHONE)}"' in visit("admin").landed.text
    assert "bo has no phone" in visit("bo").landed.text


def test_pages_have_their_style_and_are_not_framed(demo, visit):
    page = visit("anna").landed

    style = re.search(r'rel="stylesheet" href="/([^"]+)"', page.text)[1]
    with requests.get(demo.site + style) as css:
        assert css.headers["Content-Type"].startswith("text/css")
    assert page.headers["X-Frame-Options"] == "DENY"


@pytest.mark.parametrize("path", ["payroll/", "statement/"])
def test_an_approval_opens_a_guarded_page(demo, visit, path):
    admin = visit("admin")
    phone = demo.phone_of(ADMINS_PHONE)

    refused = admin.open(path)
    rang = bool(ringing(phone))
    admin.ask(refused)
    accept(phone)
    opened = wait_for(lambda: (page := admin.open(path)).ok and page)

    assert refused.status_code == 401
    assert not rang
    assert f"<h1>{path.strip('/').title()}</h1>" in opened.text


def test_who_has_no_phone_is_told_so(visit):
    page = visit("bo").open("payroll/")

    assert page.status_code == 401
    assert "no phone" in page.text


@pytest.mark.parametrize(
    "typo", [{"amount": "1O0"}, {"amount": "-1"}, {"amount": "1e9"}, {"payee": ""}]
)
def test_a_typo_in_a_transfer_is_an_error_of_the_form(demo, visit, typo):
    fields = {"payee": "Boatyard", "amount": "100", "reference": "May"} | typo

    page = visit("anna").send_form("transfer/", **fields)

    assert page.status_code == 200
    assert 'class="errorlist"' in page.text
    assert 'value="May"' in page.text
    assert not ringing(demo.phone)


def test_a_transfer_is_booked_once_after_its_approval(demo, visit):
    anna = visit("anna")
    fields = {"payee": "Boatyard", "amount": "250.50", "reference": "Mast"}

    refused = anna.send_form("transfer/", **fields)
    anna.ask(refused)
    shown = accept(demo.phone)
    paid = wait_for(lambda: (page := anna.send_form("transfer/", **fields)).ok and page)
    again = anna.send_form("transfer/", **fields)

    assert refused.status_code == again.status_code == 401
    assert "Pay 250.50 SEK to Boatyard" in shown
    assert paid.url == demo.site
    assert "Paid: 250.50 SEK to Boatyard." in paid.text
    assert "24,100.25" in paid.text
    assert anna.open("").text.count('class="payee">Boatyard') == 1


def test_an_account_is_closed_after_its_approval(demo, visit):
    admin = visit("admin")
    path = re.search(r'href="/(accounts/\d+/close/)"', admin.landed.text)[1]

    asked = admin.open(path)
    admin.ask(admin.send_form(path))
    shown = accept(demo.phone_of(ADMINS_PHONE))
    closed = wait_for(lambda: (page := admin.send_form(path)).ok and page)

    assert "Close account 5521-000001?" in asked.text
    assert "Close account 5521-000001, which holds 1000.00 SEK" in shown
    assert "Account 5521-000001 is closed." in closed.text
    assert "You have no account." in closed.text


def test_nobody_closes_the_account_of_another(visit):
    path = re.search(r"accounts/\d+/close/", visit("bo").landed.text)[0]
    anna = visit("anna")

    assert anna.open(path).status_code == 404
    assert anna.send_form(path).status_code == 404


def test_the_project_passes_its_checks(demo):
    checked = demo.run("check", "--fail-level=WARNING")
    migrations = demo.run("makemigrations", "--check", "--dry-run")

    assert checked.returncode == 0, checked.stderr
    assert migrations.returncode == 0, migrations.stdout


@pytest.mark.parametrize(
    ("option", "other"), [("--port", "--sandbox-port"), ("--sandbox-port", "--port")]
)
def test_a_taken_port_is_said_before_anything_is_done(
    own_demo, taken_port, option, other
):
    ended = own_demo.run("demo", f"{option}={taken_port}", f"{other}=0")

    assert ended.returncode == 1
    assert f"Port {taken_port} is in use. Choose another: " in ended.stderr
    assert f"manage.py demo {option} " in ended.stderr
    assert "Traceback" not in ended.stderr
    assert ended.stdout == ""
    assert not own_demo.database.exists()


@pytest.mark.parametrize("value", ["-1", "65536", "http"])
def test_a_port_is_a_number(own_demo, value):
    ended = own_demo.run("demo", f"--port={value}")

    assert ended.returncode == 2
    assert "a port is a number from 0 to 65535" in ended.stderr


def test_a_site_for_real_users_is_no_demo(own_demo):
    secrets = {"SECRET_KEY": "secret", "MAGICLINK_FIELD_KEYS": "secret"}

    for variables in ({"MAGICLINK_SANDBOX": "off"}, {"DEBUG": "off", **secrets}):
        ended = own_demo.run("demo", **variables)

        assert ended.returncode == 1
        assert not own_demo.database.exists()


def test_no_secret_has_a_default_for_real_users(own_demo):
    ended = own_demo.run("check", DEBUG="off")

    assert ended.returncode != 0
    assert "SECRET_KEY" in ended.stderr


def test_a_second_start_works(own_demo, visit):
    with own_demo:
        first_password = own_demo.password
    with own_demo:
        anna = visit("anna", own_demo)
        anna.ask(anna.open("payroll/"))
        accept(own_demo.phone)
        opened = wait_for(lambda: (page := anna.open("payroll/")).ok and page)

    assert own_demo.password != first_password
    assert anna.landed.text.count('class="balance"') == 2
    assert "Harbour master" in opened.text


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_it_stops_cleanly_while_a_phone_rings(own_demo, visit, number):
    own_demo.start()
    anna = visit("anna", own_demo)
    anna.ask(anna.open("payroll/"))
    wait_for(lambda: ringing(own_demo.phone))

    began = time.monotonic()
    code = own_demo.stop(number)
    took = time.monotonic() - began

    assert code == 0
    assert took < 2
    assert own_demo.output.endswith("Stopped.\n")
    assert "Traceback" not in own_demo.log.read_text()
    for address in (own_demo.site, own_demo.phone):
        with pytest.raises(requests.ConnectionError):
            requests.get(address)


def test_a_phone_that_rang_at_the_last_start_can_be_asked_again(own_demo, visit):
    with own_demo:
        anna = visit("anna", own_demo)
        anna.ask(anna.open("payroll/"))
        wait_for(lambda: ringing(own_demo.phone))

    with own_demo, closing(sqlite3.connect(own_demo.database)) as database:
        query = "SELECT live_slot FROM django_magiclink_approval"
        assert database.execute(query).fetchall() == [(None,)]
