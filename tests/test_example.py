import hashlib
import re
import signal
import socket
import sqlite3
import time
from contextlib import closing

import pytest
import requests

from .demo import ROOT, Demo
from .servers import until

pytestmark = pytest.mark.processes

ADMINS_PHONE = "+46701740606"
#: Nothing from elsewhere, and nothing inline.
POLICY = "default-src 'self';"
PAGES = [
    "",
    "payroll/",
    "transfer/",
    "statement/",
    "accounts/1/close/",
    "contact/",
    "phone/",
    "payment-file/",
    "orders/",
    "invoices/",
    "cards/",
    "cards/4021/limit/",
]
#: A link within the project, and its heading.
LINK = r"\]\((?!https:)([^)#\s]+)(?:#([^)\s]+))?"
HOWTO = sorted(ROOT.glob("docs/howto/*.md"))
VENDOR = ROOT / "example_project/static/example_project/vendor"


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

    def send_form(self, path, files=None, headers=None, **fields):
        token = {"csrfmiddlewaretoken": self.cookies["csrftoken"]}
        return self.post(self.base + path, fields | token, files=files, headers=headers)

    def ask(self, page):
        """Press the button that asks the phone."""
        fields = re.findall(r'name="(challenge|after)" value="([^"]*)"', page.text)
        return self.send_form("magiclink/start/", **dict(reversed(fields)))


def ringing(phone):
    """Return what the phone's page would post, if it rings."""
    with requests.get(phone) as page:
        return re.search(
            r'action="([^"]+)".*?name="prompt" value="([^"]+)"', page.text, re.S
        )


def accept(phone):
    """Tap Accept once the phone rings, and return what it showed."""
    action, prompt = until(lambda: ringing(phone)).groups()
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


@pytest.mark.parametrize("path", PAGES)
def test_every_page_wants_a_login_first(demo, path):
    with requests.get(demo.site + path, headers={"Accept": "text/html"}) as page:
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
    opened = until(lambda: admin.open(f"{page}/"))

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
    paid = until(lambda: anna.send_form("transfer/", **fields))
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
    closed = until(lambda: admin.send_form(path))

    assert "Account 5521-000001 and its transfers are deleted" in asked.text
    assert "Close account 5521-000001, which holds 1000.00 SEK" in shown
    assert "Account 5521-000001 is closed." in closed.text
    assert "You have no account." in closed.text


def test_nobody_closes_the_account_of_another(anna, bo):
    path = re.search(r"accounts/\d+/close/", bo.landed.text)[0]

    assert anna.open(path).status_code == 404
    assert anna.send_form(path).status_code == 404


def number_in(page, label, pattern):
    """Return the number that ``pattern`` finds in the row of ``label``."""
    [row] = [row for row in re.split("<li|<tr", page.text) if label in row]
    return re.search(pattern, row)[1]


def approved(visitor, phone, send):
    """Send what is refused, approve it, send it again; return each answer."""
    refused = send()
    assert refused.status_code == 401
    visitor.ask(refused)
    shown = accept(phone)
    return shown, until(lambda: done if (done := send()).ok else None)


def test_a_rule_guards_all_pages_of_the_cards(demo, anna):
    shown, cards = approved(anna, demo.phone, lambda: anna.open("cards/"))

    assert "Show your cards and their PINs" in shown
    assert "7306" in cards.text
    # The first rule that fits a view counts, and only guards its POST.
    assert anna.open("cards/4021/limit/").ok


def test_a_card_gets_the_limit_that_was_approved(demo, anna):
    shown, limit = approved(
        anna, demo.phone, lambda: anna.send_form("cards/4021/limit/", limit="7500")
    )

    assert "Let card 4021 pay 7500 SEK a day" in shown
    assert "Card 4021 now pays 7500 SEK a day." in limit.text


def test_whoever_lost_a_card_needs_neither_a_login_nor_a_phone(demo):
    with requests.get(f"{demo.site}cards/lost/") as page:
        assert "Call <a" in page.text


def test_nobody_sees_the_card_of_another(admin):
    assert admin.open("cards/4021/limit/").status_code == 404


def test_contact_details_change_after_an_approval(demo, admin):
    fields = {"email": "harbour@example.com", "street": "2 Quay", "city": "Visby"}
    phone = demo.phone_of(ADMINS_PHONE)

    shown, _changed = approved(
        admin, phone, lambda: admin.send_form("contact/", **fields)
    )
    # Within the window a correction of the rest needs no other approval.
    corrected = admin.send_form("contact/", **fields | {"street": "3 Quay"})

    assert "Let the bank write to harbour@example.com" in shown
    assert corrected.ok
    assert 'value="3 Quay"' in admin.open("contact/").text


JSON = {"Accept": "application/json"}


def orders_of(visitor):
    return visitor.get(f"{visitor.base}api/orders/", headers=JSON).json()


def stop(visitor, order):
    headers = JSON | {"X-CSRFToken": visitor.cookies["csrftoken"]}
    return visitor.delete(f"{visitor.base}api/orders/{order['id']}/", headers=headers)


def test_a_standing_order_is_stopped_through_the_api(demo, anna):
    [order] = [order for order in orders_of(anna) if order["day"] == 27]

    refused = stop(anna, order)
    problem = refused.json()
    anna.send_form("magiclink/start/", challenge=problem["challenge"])
    shown = accept(demo.phone)
    until(lambda: stop(anna, order).status_code == 204)

    assert refused.headers["Content-Type"] == "application/problem+json"
    assert problem["text"] == "Stop paying 320.00 SEK a month to Rowing Club"
    assert problem["text"] in shown
    assert order not in orders_of(anna)


def test_nobody_stops_the_standing_order_of_another(anna, bo):
    [order, *_others] = orders_of(anna)

    assert orders_of(bo) == []
    assert stop(bo, order).status_code == 404


def test_the_api_tells_strangers_to_log_in(demo):
    url = f"{demo.site}api/orders/1/"
    with requests.delete(url) as refused, requests.get(url) as listed:
        assert (refused.status_code, refused.json()["reason"]) == (401, "login")
        assert listed.status_code == 403


def send_file(visitor, content):
    savings = re.search(
        r'value="(\d+)">5521-118410', visitor.open("payment-file/").text
    )
    return visitor.send_form(
        "payment-file/",
        files={"file": ("payments.csv", content, "text/csv")},
        account=savings[1],
    )


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"\xff\xfe", "This is not a CSV file."),
        (b'"a"b,1', "This is not a CSV file."),
        (b"\n", "There is no payment in this file."),
        (b"Quay,12.50\nQuay,1O0,Rent\n", "Line 2 is not a payment."),
        (b"Quay,12.50,May,1\n", "Line 1 is not a payment."),
        (b"Quay,99999\nQuay,99999\n", "There is not that much on the account."),
    ],
)
def test_a_payment_file_with_a_mistake_rings_no_phone(demo, anna, content, problem):
    page = send_file(anna, content)

    assert page.status_code == 200
    assert problem in page.text
    assert not ringing(demo.phone)


def test_a_payment_file_is_paid_as_it_was_approved(demo, anna):
    content = b"Sail,12.50,Mast\nRope,7\n"

    shown, paid = approved(anna, demo.phone, lambda: send_file(anna, content))

    assert "Pay 19.50 SEK in 2 payments, as listed in payments.csv" in shown
    assert "Paid: 19.50 SEK as listed." in paid.text
    # The overview shows only the latest, and other tests pay as well.
    assert send_file(anna, content + b"Rope,7\n").status_code == 401


def test_htmx_gets_the_row_of_the_invoice_that_was_paid(demo, anna):
    pk = number_in(anna.open("invoices/"), "Åsa’s Bakery", r"/(\d+)/pay/")
    htmx = {"HX-Request": "true", "X-Approval-Dialog": "1"}

    def pay():
        return anna.send_form(f"invoices/{pk}/pay/", headers=htmx)

    anna.send_form("magiclink/start/", challenge=pay().json()["challenge"])
    shown = accept(demo.phone)
    row = until(lambda: done if (done := pay()).ok else None)

    assert "Pay 96.00 SEK to Åsa’s Bakery" in shown
    assert row.text.startswith("<li>")
    assert "Paid" in row.text
    assert pay().status_code == 404


def test_an_invoice_is_paid_without_a_script_too(demo, anna):
    pk = number_in(anna.open("invoices/"), "Harbour Electric", r"/(\d+)/pay/")

    _shown, page = approved(
        anna, demo.phone, lambda: anna.send_form(f"invoices/{pk}/pay/")
    )

    assert page.url == f"{demo.site}invoices/"


def act(admin, action, pk, **fields):
    fields |= {"action": action, "_selected_action": pk}
    return admin.send_form("admin/example_project/account/", **fields)


def test_an_action_of_the_admin_wants_an_approval(demo, admin):
    accounts = admin.open("admin/example_project/account/")
    pk = number_in(accounts, "5521-220921", r'value="(\d+)"')

    shown, page = approved(
        admin, demo.phone_of(ADMINS_PHONE), lambda: act(admin, "pay_interest", pk)
    )

    assert "Pay one percent on 1 accounts: 5521-220921" in shown
    assert "The interest is paid." in page.text


def test_all_that_are_selected_are_said(demo, admin):
    page = act(admin, "pay_interest", "1", select_across="1")

    assert page.status_code == 401
    assert "5521-118402, 5521-118410, 5521-220913" in page.text


def test_deleting_in_the_admin_wants_an_approval(demo, admin):
    admin.send_form(
        "admin/example_project/account/add/", owner="1", number="9", balance="0"
    )
    accounts = admin.open("admin/example_project/account/")
    pk = number_in(accounts, ">9</a>", r'value="(\d+)"')
    confirm = act(admin, "delete_selected", pk)
    single = admin.send_form(f"admin/example_project/account/{pk}/delete/", post="yes")

    shown, _page = approved(
        admin,
        demo.phone_of(ADMINS_PHONE),
        lambda: act(admin, "delete_selected", pk, post="yes"),
    )

    assert confirm.ok
    assert single.status_code == 401
    assert "Delete account 9" in single.text
    assert "Delete 1 accounts: 9" in shown


def test_the_vault_opens_after_one_approval(demo, admin):
    shown, vault = approved(
        admin, demo.phone_of(ADMINS_PHONE), lambda: admin.open("vault/")
    )

    assert "Open the vault" in shown
    assert "The vault of Harbour Bank" in vault.text
    assert "7306" in admin.open("vault/example_project/card/").text


@pytest.mark.parametrize("path", [*PAGES, "admin/", "vault/", "api/orders/", "none/"])
def test_every_answer_has_a_strict_policy(anna, path):
    policy = anna.open(path).headers["Content-Security-Policy"]

    assert policy.startswith(POLICY)
    assert "unsafe" not in policy


@pytest.mark.parametrize("path", PAGES)
def test_no_page_has_anything_inline(anna, path):
    page = anna.open(path).text

    assert not re.search(r"<style|\sstyle=|\son\w+=|<script(?![^>]*\ssrc=)", page)


def test_the_vendored_file_is_the_one_that_its_note_names():
    [(sha256, name)] = re.findall(
        r"^([0-9a-f]{64})  (\S+)$", (VENDOR / "README.md").read_text(), re.MULTILINE
    )

    assert hashlib.sha256((VENDOR / name).read_bytes()).hexdigest() == sha256


def lines_of(text):
    """Return ``text`` without its indentation."""
    return "\n".join(line.strip() for line in text.splitlines()) + "\n"


#: For those who look after a site: about its settings, not about the bank.
KEEPING = (
    *("audit", "dashboard", "deploy", "endpoints", "languages"),
    *("monitoring", "postgresql", "proxy", "vault"),
)


@pytest.mark.parametrize(
    "page",
    [page for page in HOWTO if page.stem not in KEEPING],
    ids=lambda page: page.stem,
)
def test_the_code_of_the_how_to_pages_is_that_of_the_bank(page):
    text = page.read_text()

    blocks = re.findall(
        r"In\s`((?:example_project|docs)/\S+)`:\n\n```(?:python|html|js|css)\n(.*?)```",
        text,
        re.DOTALL,
    )

    assert len(blocks) == len(re.findall(r"^```(?:python|html|js|css)$", text, re.M))
    for name, code in blocks:
        assert lines_of(code) in lines_of((ROOT / name).read_text())


@pytest.mark.parametrize("page", HOWTO, ids=lambda page: page.stem)
def test_the_links_of_the_how_to_pages_lead_somewhere(page):
    for link, heading in re.findall(LINK, page.read_text()):
        linked = page.parent / link
        assert linked.exists(), link
        titles = re.findall(r"^#+ (.+)$", linked.read_text(), re.M) if heading else []
        assert not heading or heading in [
            re.sub(r"[^\w-]", "", title.lower().replace(" ", "-")) for title in titles
        ]


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
    assert own_demo.is_untouched()


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
    assert own_demo.is_untouched()


def test_a_port_must_be_one(own_demo):
    ended = own_demo.run("demo", "--port=65536")

    assert ended.returncode == 2
    assert "a port is a number from 0 to 65535" in ended.stderr


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_it_stops_cleanly_while_a_phone_rings(own_demo, number):
    own_demo.start()
    with Visitor(own_demo, "anna") as anna:
        anna.ask(anna.open("payroll/"))
        until(lambda: ringing(own_demo.phone))

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
        until(lambda: ringing(own_demo.phone))
    with own_demo, Visitor(own_demo, "admin") as admin:
        with closing(sqlite3.connect(own_demo.database)) as database:
            query = "SELECT live_slot FROM django_magiclink_approval"
            slots = database.execute(query).fetchall()
        admin.ask(admin.open("payroll/"))
        accept(own_demo.phone_of(ADMINS_PHONE))
        opened = until(lambda: admin.open("payroll/"))

    assert slots == [(None,)]
    assert admin.landed.text.count('class="balance"') == 1
    assert "Harbour master" in opened.text
