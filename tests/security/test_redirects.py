"""Nothing of ours leads to another host."""

import re
from urllib.parse import parse_qs, urlsplit

import pytest
from django.test import Client

from ..doors.grants import GUARD, HTML, NAVIGATION
from ..test_preflight import DIALOG, HTMX
from ..test_start import submit

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.covers("R16", "A20"),
]

HOSTILE = [
    "https://evil.example/",
    "http://evil.example:80/",
    "//evil.example/",
    "///evil.example/",
    "http:///evil.example/",
    "http:evil.example",
    "javascript:alert(1)",
    "JavaScript:alert(1)//http://testserver/",
    " javascript:alert(1)",
    "java\tscript:alert(1)",
    "data:text/html,x",
    "vbscript:x",
    "http://testserver@evil.example/",
    "http://testserver:80@evil.example/",
    "http://user:secret@testserver/",
    "http://testserver.evil.example/",
    "http://eviltestserver/",
    "http://testserver:8080/",
    "https:testserver",
    "\\\\evil.example/",
    "/\\evil.example/",
    "\\/evil.example/",
    "http:\\\\evil.example/",
    "http://testserver\\@evil.example/",
    "http://evil.example\\@testserver/",
    "http://testserver\\.evil.example/",
    "http://[evil.example/",
    "",
]


@pytest.fixture
def doors(settings):
    settings.ROOT_URLCONF = "tests.doors.urls"
    settings.MIDDLEWARE = [*settings.MIDDLEWARE, GUARD]
    settings.MAGICLINK_RULES = [{"view": "silent", "max_age": 60, "text": "Look"}]


@pytest.mark.parametrize("url", HOSTILE)
def test_htmx_on_a_page_of_others_is_led_nowhere(browser, endpoint, url, doors):
    answer = browser.get("/silent/", headers=HTMX | {"HX-Current-URL": url})

    assert answer.status_code == 401
    assert "HX-Redirect" not in answer
    assert "evil" not in answer.text
    assert "data-magiclink-card" in answer.text


@pytest.mark.parametrize(
    "url",
    [
        "http://testserver//evil.example/",
        "http://testserver///evil.example/",
        "http://testserver/\\evil.example/",
        "http://testserver/\\/evil.example/",
        "http://testserver\\evil.example/",
        "http://testserver/\t/evil.example/",
        "http://testserver/list/?next=//evil.example/",
        "http://testserver/%5Cevil.example/",
        "list/",
        "?page=2",
        "http://testserver",
        "http://testserver?page=2",
    ],
)
def test_the_page_leads_back_to_this_site_only(browser, endpoint, sandbox, url, doors):
    sandbox.script("manual")
    answer = browser.get("/silent/", headers=HTMX | {"HX-Current-URL": url})
    if "HX-Redirect" in answer:
        page = browser.get(answer["HX-Redirect"], headers=NAVIGATION)

        for link in re.findall(r'(?:href|action|data-path)="([^"]*)"', page.text):
            assert_own(link)
        assert_own(submit(browser, page, "data-start")["Location"])


def assert_own(link):
    # As browsers read it: tabs go, and a backslash is a slash.
    read = re.sub(r"[\t\r\n]", "", link).replace("\\", "/")
    assert read.startswith("/")
    assert not read.startswith("//")


@pytest.mark.parametrize("url", HOSTILE)
def test_a_card_leads_to_a_login_and_back_to_this_site_only(endpoint, url, doors):
    headers = DIALOG | {"HX-Current-URL": url, "Referer": url}

    card = Client().get("/silent/", headers=headers).json()["card"]

    link = re.search(r'href="(/login/[^"]*)"', card)[1]
    assert parse_qs(urlsplit(link).query).get("next", [""]) == [""]


def test_a_path_of_two_slashes_stays_on_this_host(browser, endpoint, sandbox):
    sandbox.script("manual")
    # The client would take it for another host's, as browsers do.
    path = {"PATH_INFO": "//evil.example/catch/"}
    page = browser.post("/", {"a": "1"}, headers=HTML, **path)
    get = browser.get("/", headers=HTML, **path)

    assert 'action="/%2Fevil.example/catch/"' in page.text
    assert 'action="//' not in page.text + get.text
    token = browser.get("/", **path).json()["challenge"]
    started = browser.post("/magiclink/start/", {"challenge": token}, headers=HTML)
    assert started["Location"] == "/%2Fevil.example/catch/"
