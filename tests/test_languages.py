"""The user's language: on the pages, on the phone, and in what programs read."""

import html
import os
import re
import subprocess
import sys
from datetime import timedelta

import polib
import pytest
from django.contrib import admin
from django.contrib.admin.models import LogEntry
from django.core.management import CommandError, call_command
from django.db import connection
from django.http import HttpResponse
from django.urls import include, path
from django.utils import timezone
from django.utils.translation import gettext_lazy

from django_magiclink.checks.keys import check_keys
from django_magiclink.checks.settings import check_settings
from django_magiclink.decorators import approval_required
from django_magiclink.dispatchers.base import BaseDispatcher
from django_magiclink.models import ApiKey, Approval, Bypass, Endpoint, PhoneNumber
from docs.make_catalogues import CATALOGUES

from .servers import PATIENCE, ROOT
from .test_example import Visitor, accept

pytestmark = pytest.mark.django_db(transaction=True)

SWEDISH = {"Accept-Language": "sv-SE,sv;q=0.9,en;q=0.8"}
ENGLISH = {"Accept-Language": "en"}
HTML = {"Accept": "text/html"}
PAY = "/pay/?amount=5&payee=Bo"
#: Ours where a page has them: a single word may be the name of a field or a class.
SENTENCES = {
    entry.msgid
    for entry in polib.pofile(CATALOGUES[0])
    if " " in entry.msgid and len(entry.msgid) > 9
}


@approval_required(
    scope="pay",
    max_age=0,
    text=gettext_lazy("Pay {amount} SEK to {payee}"),
    params=["amount", "payee"],
)
def pay(request):
    return HttpResponse("Paid")


urlpatterns = [
    path("admin/", admin.site.urls),
    path("magiclink/", include("django_magiclink.urls")),
    path("pay/", pay),
    path("phone/", include("django_magiclink.phone_urls")),
    path("phone-login/", include("django_magiclink.phone_login.urls")),
]


class KeptForLater(BaseDispatcher):
    """As a queue whose workers are elsewhere."""

    def dispatch(self, pk):
        pass


@pytest.fixture
def site(settings, tmp_path, unlimited):
    """A site with Swedish of its own for what it asks."""
    settings.ROOT_URLCONF = __name__
    settings.AUTHENTICATION_BACKENDS = [
        "django.contrib.auth.backends.ModelBackend",
        "django_magiclink.backends.MagicLinkBackend",
    ]
    own = {
        "Pay {amount} SEK to {payee}": "Betala {amount} kr till {payee}",
        "Harbour Bank": "Hamnbanken",
    }
    catalogue = polib.POFile()
    catalogue.metadata = {"Content-Type": "text/plain; charset=utf-8"}
    catalogue.extend(polib.POEntry(msgid=each, msgstr=own[each]) for each in own)
    folder = tmp_path / "sv/LC_MESSAGES"
    folder.mkdir(parents=True)
    (folder / "django.mo").write_bytes(catalogue.to_binary())
    settings.LOCALE_PATHS = [tmp_path]
    return settings


@pytest.fixture
def administrator(admin_user, client):
    PhoneNumber.objects.create(
        user=admin_user, number="+46701740606", verified_at=timezone.now()
    )
    client.force_login(admin_user)
    return client


def start(browser, refused):
    problem = refused.json()
    sent = {"challenge": problem["challenge"]}
    return browser.post(problem["start_url"], sent, headers=SWEDISH)


def perform_elsewhere(approval):
    """Make the call in another process, as a worker does, whose language is English."""
    code = f"""
import django, uuid
django.setup()
from django_magiclink import approvals
approvals.perform(uuid.UUID("{approval.pk}"))
"""
    database = f"sqlite:///{connection.settings_dict['NAME']}"
    subprocess.run(
        [sys.executable, "-c", code],
        check=True,
        cwd=ROOT,
        env=os.environ | {"DATABASE_URL": database},
        timeout=PATIENCE,
    )


def test_page_and_phone_speak_the_language_of_the_request(
    site, browser, endpoint, sandbox
):
    site.MAGICLINK_SITE_NAME = gettext_lazy("Harbour Bank")

    page = browser.get(PAY, headers=HTML | SWEDISH)
    start(browser, browser.get(PAY, headers=SWEDISH))

    sandbox.wait_for_calls(1)
    params = sandbox.calls[0].params
    assert '<html lang="sv">' in page.text
    assert '<main lang="sv"' in page.text
    assert "Godkänn med din telefon" in page.text
    assert "Betala 5 kr till Bo" in page.text
    assert "Godkänn med din telefon · Hamnbanken</title>" in page.text
    assert params["title-text"] == "Hamnbanken"
    code = Approval.objects.get().code
    assert params["authentication-text"] == f"Betala 5 kr till Bo Kod: {code}"


def test_a_worker_in_another_process_says_to_the_phone_what_the_page_said(
    site, browser, endpoint, sandbox
):
    site.MAGICLINK_DISPATCHER = f"{__name__}.KeptForLater"
    sandbox.script("accept")
    start(browser, browser.get(PAY, headers=SWEDISH))
    approval = Approval.objects.get()

    perform_elsewhere(approval)

    asked = sandbox.calls[0].params["authentication-text"]
    assert asked == f"Betala 5 kr till Bo Kod: {approval.code}"
    assert browser.get(PAY, headers=SWEDISH).text == "Paid"


def test_an_endpoints_own_texts_are_looked_up_in_the_translations(
    site, browser, endpoint, sandbox
):
    Endpoint.objects.update(
        title_text="Harbour Bank",
        accept_button_text="Approve",
        reject_button_text="Decline",
        accepted_text="Thanks a lot",
    )

    start(browser, browser.get(PAY, headers=SWEDISH))

    sandbox.wait_for_calls(1)
    shown = {
        "title-text": "Hamnbanken",
        "button-accept-text": "Godkänn",
        "button-reject-text": "Neka",
        "touch-accept-text": "Thanks a lot",
    }
    params = sandbox.calls[0].params
    assert {name: params[name] for name in shown} == shown


def test_problems_and_statuses_are_in_the_language_of_who_reads_them(
    site, browser, endpoint, sandbox
):
    sandbox.script("manual")

    refused = browser.get(PAY, headers=SWEDISH)
    url = start(browser, refused).json()["status_url"]
    sandbox.wait_for_calls(1)
    limited = start(browser, browser.get(f"{PAY}&again=1", headers=SWEDISH))

    assert refused.json()["title"] == "Det här behöver ditt godkännande."
    assert limited.json()["title"] == "Det går inte att skicka till din telefon än."
    for language, message in [
        (SWEDISH, "Svara på telefonen."),
        (ENGLISH, "Answer on your phone."),
        (SWEDISH, "Svara på telefonen."),
    ]:
        assert browser.get(url, headers=language).json()["message"] == message


def test_a_dialog_in_an_english_page_says_that_it_is_swedish(site, browser, endpoint):
    problem = browser.get(PAY, headers=SWEDISH | {"X-Approval-Dialog": "1"}).json()

    assert '<section lang="sv"' in problem["card"]
    assert "Ingen anslutning. Vi försöker igen." in problem["card"]


def english(page):
    """Return the sentences of ours that a page has in English."""
    text = html.unescape(page.text)
    return [sentence for sentence in SENTENCES if sentence in text]


def test_english_sentences_in_a_page_are_found(site, browser, endpoint):
    assert "Approve with your phone" in english(browser.get(PAY, headers=HTML))


@pytest.mark.parametrize("url", [PAY, "/phone/", "/phone-login/", "/magiclink/ask/"])
def test_no_page_for_users_has_a_sentence_in_english(site, browser, endpoint, url):
    page = browser.get(url, headers=HTML | SWEDISH)

    assert 'lang="sv"' in page.text
    assert english(page) == []


ADMIN = [
    "",
    "endpoint/",
    "endpoint/add/",
    "endpoint/{endpoint}/change/",
    "endpoint/{endpoint}/key/",
    "endpoint/{endpoint}/test/",
    "apikey/",
    "apikey/{key}/change/",
    "phonenumber/",
    "phonenumber/add/",
    "approval/",
    "approval/{approval}/change/",
    "approval/dashboard/",
    "bypass/",
    "bypass/add/",
    "bypass/{bypass}/change/",
]


@pytest.mark.parametrize("url", ADMIN)
def test_no_page_of_the_admin_has_a_sentence_in_english(
    site, administrator, user, endpoint, url
):
    ended = timezone.now() - timedelta(minutes=1)
    approval = Approval.objects.create(
        user=user, endpoint=endpoint, status="failed", error_kind="tls", moved=ended
    )
    bypass = Bypass.objects.create(user=user, reason="Lost")
    known = {"endpoint": endpoint.pk, "key": endpoint.keys.get().pk}
    known |= {"approval": approval.pk, "bypass": bypass.pk}

    address = f"/admin/django_magiclink/{url.format(**known)}"
    page = administrator.get(address, headers=HTML | SWEDISH)

    assert page.status_code == 200
    assert english(page) == []


def test_the_admins_history_is_in_the_language_of_who_makes_it(
    site, administrator, endpoint
):
    sent = {"action": "make_default", "_selected_action": endpoint.pk}

    administrator.post("/admin/django_magiclink/endpoint/", sent, headers=SWEDISH)

    assert LogEntry.objects.get().get_change_message() == "Den är nu förvald."


def test_checks_and_commands_are_in_english_on_a_swedish_site(settings, endpoint):
    settings.LANGUAGE_CODE = "sv"
    settings.MAGICLINK_SERVER_URL = "ftp://elsewhere"
    ApiKey.objects.update(last_result="tls")
    said = "sandbox: Not reachable."

    with pytest.raises(CommandError, match=said):
        call_command("magiclink_check")
    [server] = [each for each in check_settings() if each.id.endswith("E003")]

    assert [message.msg for message in check_keys()] == [said]
    assert server.msg.startswith("Write the address as")


@pytest.mark.processes
def test_the_example_bank_asks_in_swedish(demo):
    with Visitor(demo, "anna") as anna:
        anna.headers.update(SWEDISH)
        page = anna.open("payroll/")
        anna.ask(page)
        shown = accept(demo.phone)

    assert "Godkänn med din telefon" in page.text
    assert re.search(r"Kod: \d\d", shown)
    assert {"Godkänn", "Neka"} <= set(re.findall(r">([^<>]+)</button>", shown))
