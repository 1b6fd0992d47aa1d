"""No spelling of a path or a method gets past a guard."""

from urllib.parse import unquote_to_bytes

import pytest

from ..doors.grants import GUARD

pytestmark = [pytest.mark.django_db, pytest.mark.covers("R31")]

ALL = [{"all": True}]
#: Three ways to guard the view at /bank/transfer/ and /ruled/.
RULES = {
    "view": [{"view": "ruled*"}, {"view": "bank:transfer"}],
    "namespace": [{"namespace": "bank"}, {"view": "ruled*"}],
    "all": ALL,
}


@pytest.fixture(autouse=True)
def doors(settings):
    settings.ROOT_URLCONF = "tests.doors.urls"
    settings.MIDDLEWARE = [*settings.MIDDLEWARE, GUARD]


@pytest.mark.parametrize("rules", RULES)
@pytest.mark.parametrize(
    "path",
    [
        "/ruled/",
        "//ruled/",
        "/ruled//",
        "/./ruled/",
        "/x/../ruled/",
        "/%2e/ruled/",
        "/x/%2e%2e/ruled/",
        "/RULED/",
        "/Ruled/",
        "/ruled/;jsessionid=1",
        "/ruled;jsessionid=1/",
        "/ruled%2f",
        "/%2fruled/",
        "/%2Fruled%2F",
        "/%72uled/",
        "/r%75led/",
        "/ruled./",
        "/ruled/.",
        "/ruled/..",
        "/ruled",
        "/ruled/?",
        "/ruled/%00",
        "/ruled/%0a",
        "/ruled\\",
        "/\\ruled/",
        "/ruled/%20",
        "/ruled/1/",
        "/ruled/01/",
        "/ruled/%31/",
        "/ruled/1",
        "/ruled/#x",
        "/bank/transfer/",
        "//bank/transfer/",
        "/bank//transfer/",
        "/bank/transfer%2f",
        "/bank%2ftransfer/",
        "/bank/x/../transfer/",
        "/BANK/transfer/",
        "/bank/transfer/;x",
        "/bank/transfer",
    ],
)
def test_no_spelling_of_a_path_gets_past_a_rule(
    browser, endpoint, runs, settings, rules, path
):
    settings.MAGICLINK_RULES = RULES[rules]

    for method in ("GET", "POST"):
        # As a server hands it on; the client itself would take //x for a host.
        environ = {"PATH_INFO": raw(path)}
        answer = browser.generic(method, "/", "", **environ)
        assert answer.status_code in (301, 401, 404)
        assert b" ran" not in answer.content

    assert runs() == []


def raw(path):
    """What a WSGI server makes of a path: unquoted, bytes as Latin-1."""
    return unquote_to_bytes(path.partition("?")[0]).decode("latin-1")


@pytest.mark.parametrize("rules", RULES)
@pytest.mark.parametrize("forced", [True, False])
def test_a_script_prefix_opens_nothing(
    browser, endpoint, runs, settings, rules, forced
):
    settings.MAGICLINK_RULES = RULES[rules]
    extra = {"SCRIPT_NAME": "/app"}
    if forced:
        settings.FORCE_SCRIPT_NAME, extra = "/app", {}

    answer = browser.get("/ruled/", **extra)
    below = browser.get("/app/ruled/", **extra)

    assert answer.status_code == 401
    assert below.status_code == 404
    assert runs() == []


@pytest.mark.parametrize("path", ["/en/ruled/", "/sv/ruled/", "/SV/ruled/", "/ruled/"])
@pytest.mark.parametrize("rules", ["view", "all"])
def test_a_language_prefix_opens_nothing(
    browser, endpoint, runs, settings, rules, path
):
    settings.ROOT_URLCONF = "tests.doors.prefixed"
    settings.MAGICLINK_RULES = RULES[rules]

    for language in ("en", "sv"):
        answer = browser.get(path, headers={"Accept-Language": language})
        assert answer.status_code in (302, 401, 404)

    assert runs() == []


@pytest.mark.parametrize(
    ("fields", "headers"),
    [
        ({}, {"X-HTTP-Method-Override": "GET"}),
        ({}, {"X-HTTP-Method": "GET"}),
        ({}, {"X-Method-Override": "GET"}),
        ({"_method": "GET"}, {}),
    ],
)
def test_no_other_name_for_a_method_opens_anything(
    browser, endpoint, runs, settings, fields, headers
):
    settings.MAGICLINK_RULES = [{"view": "ruled", "methods": ["POST"]}]

    assert browser.post("/ruled/", fields, headers=headers).status_code == 401
    assert browser.generic("post", "/ruled/", headers=headers).status_code == 401
    assert runs() == []


@pytest.mark.parametrize("method", ["get", "post", "options"])
def test_no_method_from_a_header_gets_past(browser, endpoint, runs, method):
    send = getattr(browser, method)

    refused = send("/api/overridden/", headers={"X-HTTP-Method-Override": "DELETE"})

    assert refused.status_code == 401
    assert runs() == []
