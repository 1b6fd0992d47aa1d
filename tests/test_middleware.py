"""Rules: which views they are for, and that no spelling of a path gets past them."""

import pytest
from asgiref.sync import async_to_sync
from django.core.exceptions import ImproperlyConfigured
from django.http import HttpResponse
from django.test import AsyncClient, Client
from django.test.utils import override_script_prefix

from django_magiclink.decorators import approval_exempt
from django_magiclink.middleware import ApprovalMiddleware
from django_magiclink.models import Approval
from django_magiclink.status import Status

from .doors.grants import GUARD, HTML, grant

pytestmark = pytest.mark.django_db

ALL = [{"all": True}]


@pytest.fixture(autouse=True)
def doors(settings):
    settings.ROOT_URLCONF = "tests.doors.urls"
    settings.MIDDLEWARE = [*settings.MIDDLEWARE, GUARD]
    settings.MAGICLINK_RULES = ALL


def scope(response):
    return response.json()["scope"] if response.status_code == 401 else None


# Spellings of a path.


# Sessions.


# Rules.


@pytest.mark.parametrize(
    ("rules", "url", "wanted"),
    [
        # The first that fits decides.
        (["bank:*", "*"], "/bank/transfer/", "rule0"),
        (["*", "bank:*"], "/bank/transfer/", "rule0"),
        (["bank:free", "bank:*"], "/bank/transfer/", "rule1"),
        # Wildcards stand for any characters, in a whole name.
        (["bank:transfer*"], "/bank/transfer/now/", "rule0"),
        (["bank:transfer"], "/bank/transfer/now/", None),
        (["*transfer"], "/bank/transfer/", "rule0"),
        (["transfer"], "/bank/transfer/", None),
        (["Bank:*"], "/bank/transfer/", None),
        (["bank:*"], "/bank/deep/ruled/", "rule0"),
        (["bank:deep:ruled"], "/bank/deep/ruled/", "rule0"),
        (["deep:ruled"], "/bank/deep/ruled/", None),
        # What has no name has its dotted path.
        (["tests.doors.views.ruled"], "/unnamed/", "rule0"),
        (["bank:deep:tests.doors.views.ruled"], "/bank/deep/own/", "rule0"),
        (["tests.doors.views.ruled"], "/ruled/", None),
        (["ruled"], "/ruled/", "rule0"),
        (["ruled"], "/ruled/1/", None),
        (["ruled*"], "/ruled/1/", "rule0"),
    ],
)
def test_a_rule_by_name_is_for_these(browser, endpoint, settings, rules, url, wanted):
    settings.MAGICLINK_RULES = [
        {"view": view, "scope": f"rule{number}"} for number, view in enumerate(rules)
    ]

    assert scope(browser.get(url)) == wanted


@pytest.mark.parametrize(
    ("namespace", "url", "guarded"),
    [
        ("bank", "/bank/transfer/", True),
        ("bank", "/bank/deep/ruled/", True),
        ("bank:deep", "/bank/deep/ruled/", True),
        ("bank:deep", "/bank/transfer/", False),
        ("deep", "/bank/deep/ruled/", False),
        ("ban", "/bank/transfer/", False),
        ("bank", "/ruled/", False),
        ("guarded", "/guarded/jsi18n/", False),
        ("models", "/models/", True),
        ("models", "/models/jsi18n/", False),
    ],
)
def test_a_rule_by_namespace_holds_for_those_within(
    browser, endpoint, settings, user, namespace, url, guarded
):
    user.is_staff = user.is_superuser = True
    user.save()
    settings.MAGICLINK_RULES = [{"namespace": namespace}]

    assert (browser.get(url).status_code == 401) == guarded


def test_a_rule_takes_the_keywords_of_the_decorator(browser, endpoint, settings, runs):
    settings.MAGICLINK_RULES = [
        {
            "view": "ruled_one",
            "scope": "one",
            "max_age": 0,
            "methods": ["POST"],
            "params": ["pk", "who"],
            "text": "Give {pk} to {who}",
            "when": lambda request, pk: pk != 2,
        }
    ]

    refused = browser.post("/ruled/1/", {"who": "Bo"})

    assert refused.json()["text"] == "Give 1 to Bo"
    assert refused["WWW-Authenticate"] == 'MagicLink scope="one", max_age=0'
    assert runs() == []
    assert browser.get("/ruled/1/").status_code == 200
    assert browser.post("/ruled/2/").status_code == 200


def test_a_rule_for_all_asks_users_and_lets_strangers_pass(
    browser, endpoint, settings, runs
):
    assert Client().get("/ruled/").status_code == 200
    assert browser.get("/ruled/").status_code == 401
    assert runs() == ["ruled"]


def test_a_rule_for_all_may_have_a_when_of_its_own(browser, endpoint, settings):
    settings.MAGICLINK_RULES = [
        {"all": True, "when": lambda request, **kwargs: "pk" in kwargs}
    ]

    assert browser.get("/ruled/").status_code == 200
    assert browser.get("/ruled/1/").status_code == 401


@pytest.mark.parametrize("rule", [{"view": "ruled"}, {"namespace": "bank"}])
def test_any_other_rule_sends_strangers_to_the_login(client, settings, runs, rule):
    settings.MAGICLINK_RULES = [rule]
    url = "/ruled/" if "view" in rule else "/bank/transfer/"

    assert client.get(url).status_code == 401
    page = client.get(url, headers=HTML)
    assert page["Location"] == f"/login/?next={url}"
    assert runs() == []


@pytest.mark.parametrize(
    ("rules", "said"),
    [
        (["ruled"], "A rule is a dict"),
        ({"all": True}, "A rule is a dict"),
        ([{}], "A rule has one of"),
        ([{"scope": "x"}], "A rule has one of"),
        ([{"view": "a", "namespace": "b"}], "A rule has one of"),
        ([{"view": "a", "all": False}], "A rule has one of"),
        ([{"all": False}], "A rule has one of"),
        ([{"all": 1}], "A rule has one of"),
        ([{"view": ""}], "A rule has one of"),
        ([{"view": ["a"]}], "A rule has one of"),
        ([{"namespace": True}], "A rule has one of"),
        ([{"view": "a", "scop": "x"}], "no option scop"),
        ([{"view": "a", "requirement": 1}], "no option requirement"),
        ([{"view": "a", "max_age": -1}], "max_age="),
        ([{"view": "a", "when": "no"}], "when="),
        ([{"all": True, "when": "no"}], "when="),
        ([{"all": True}, {"view": "a", "methods": []}], "methods="),
    ],
)
def test_a_rule_that_is_wrong_is_said_when_the_middleware_is_made(
    settings, rules, said
):
    settings.MAGICLINK_RULES = rules

    with pytest.raises(ImproperlyConfigured, match=said):
        ApprovalMiddleware(HttpResponse)


async def is_asked(request):
    return False


@pytest.mark.parametrize("where", [{"all": True}, {"view": "ruled"}])
def test_a_rule_with_an_async_when_is_wrong_too(settings, where):
    settings.MAGICLINK_RULES = [where | {"when": is_asked}]

    with pytest.raises(ImproperlyConfigured, match="must not be async"):
        ApprovalMiddleware(HttpResponse)


def test_names_of_exemptions_that_are_no_list_exempt_nothing(settings):
    # A forgotten comma: each of its characters would be a name, "*" among them.
    settings.MAGICLINK_EXEMPT = "health*"

    with pytest.raises(ImproperlyConfigured, match="EXEMPT"):
        ApprovalMiddleware(HttpResponse)


# What no rule is for.

EVERYTHING = [{"view": "*", "scope": "everything"}]


@pytest.mark.parametrize(
    "url",
    [
        "/login/",
        "/admin/login/",
        "/models/login/",
        "/guarded/login/",
        "/admin/jsi18n/",
        "/jsi18n/",
        "/static/django_magiclink/magiclink.css",
        "/language/",
        "/magiclink/start/",
        "/magiclink/ask/",
    ],
)
@pytest.mark.parametrize("who", ["stranger", "user"])
def test_these_stay_open_under_any_rule(browser, endpoint, settings, url, who):
    settings.MAGICLINK_RULES = EVERYTHING
    settings.LOGIN_URL = "/signin/"
    client = browser if who == "user" else Client()

    for method in ("GET", "POST"):
        answer = client.generic(method, url)
        assert answer.get("WWW-Authenticate") is None
        assert not answer.get("Location", "").startswith("/signin/")
        answer.getvalue()


@pytest.mark.parametrize(
    "url", ["/logout/", "/logout_then_login/", "/admin/logout/", "/models/logout/"]
)
def test_a_user_can_log_out_under_any_rule(browser, endpoint, settings, user, url):
    user.is_staff = True
    user.save()
    settings.MAGICLINK_RULES = EVERYTHING

    browser.post(url)

    assert "_auth_user_id" not in browser.session


@pytest.mark.parametrize(
    ("login_url", "url", "opened"),
    [
        ("signin", "/signin/", True),
        ("/signin/", "/signin/", True),
        ("/signin/?from=here", "/signin/", True),
        ("https://sso.example/signin/", "/signin/", False),
        ("//sso.example/signin/", "/signin/", False),
        ("/nowhere/", "/signin/", False),
        ("no_such_name", "/signin/", False),
        # At another address the same function may do anything else.
        ("/signin/", "/unguarded/", False),
        ("/signin/", "/ruled/", False),
    ],
)
def test_the_view_at_login_url_is_exempt(
    browser, endpoint, settings, login_url, url, opened
):
    settings.MAGICLINK_RULES = EVERYTHING
    settings.LOGIN_URL = login_url

    assert (browser.get(url).status_code == 200) == opened


def test_a_login_page_that_is_many_pages_is_not_exempt(browser, endpoint, settings):
    settings.MAGICLINK_RULES = EVERYTHING
    settings.LOGIN_URL = "/accounts/login/"

    assert browser.get("/accounts/login/").status_code == 401
    assert browser.get("/accounts/delete/").status_code == 401


@pytest.mark.parametrize("login_url", ["/app/signin/", "signin"])
def test_login_url_is_found_below_a_script_prefix(
    browser, endpoint, settings, login_url
):
    settings.MAGICLINK_RULES = EVERYTHING
    settings.LOGIN_URL = login_url

    # As a server's handler does, and the test client's own does not.
    with override_script_prefix("/app/"):
        assert browser.get("/signin/", SCRIPT_NAME="/app").status_code == 200
        assert browser.get("/ruled/", SCRIPT_NAME="/app").status_code == 401


@pytest.mark.parametrize("login_url", ["/en/signin/", "signin"])
def test_login_url_is_found_below_a_language(browser, endpoint, settings, login_url):
    settings.ROOT_URLCONF = "tests.doors.prefixed"
    settings.MAGICLINK_RULES = EVERYTHING
    settings.LOGIN_URL = login_url

    assert browser.get("/en/signin/").status_code == 200
    assert browser.get("/en/ruled/").status_code == 401


def test_our_own_pages_stay_open_under_another_namespace(browser, endpoint, settings):
    settings.ROOT_URLCONF = "tests.doors.prefixed"
    settings.MAGICLINK_RULES = EVERYTHING

    # Too old a page is its own answer, not a guard's.
    for url in ("/magiclink/start/", "/other/start/"):
        assert browser.post(url).json()["reason"] == "expired"


@pytest.mark.parametrize(
    ("exempt", "url", "opened"),
    [
        (["ruled"], "/ruled/", True),
        (["ruled"], "/ruled/1/", False),
        (["bank:*"], "/bank/deep/ruled/", True),
        (("x", "tests.doors.views.ruled"), "/unnamed/", True),
        (["rul"], "/ruled/", False),
    ],
)
def test_a_setting_exempts_by_name(browser, endpoint, settings, exempt, url, opened):
    settings.MAGICLINK_RULES = EVERYTHING
    settings.MAGICLINK_EXEMPT = exempt

    assert (browser.get(url).status_code == 200) == opened


@pytest.mark.parametrize(
    "url", ["/exempted/", "/aexempted/", "/exempted_class/", "/unnamed_class/"]
)
def test_a_view_can_say_that_it_is_exempt(browser, endpoint, settings, url):
    settings.MAGICLINK_RULES = EVERYTHING

    assert browser.get(url).status_code == 200


def test_an_exempt_view_keeps_its_own_guard(browser, endpoint, settings, runs):
    settings.MAGICLINK_RULES = EVERYTHING

    assert scope(browser.get("/exempted_and_decorated/")) == "default"
    assert runs() == []


def test_what_is_marked_as_exempt_is_not_what_others_use(rf):
    def view(request):
        raise NotImplementedError

    marked = approval_exempt(view)

    assert marked.approval_exempt
    # The same function may stand elsewhere in the URLs, behind a rule.
    assert not hasattr(view, "approval_exempt")


@pytest.mark.parametrize("decorated", [object, "ruled"])
def test_only_view_functions_are_exempt(decorated):
    with pytest.raises(ImproperlyConfigured, match="method_decorator"):
        approval_exempt(decorated)


# With other guards, and around the view.


def test_a_rule_and_a_decorator_both_hold(browser, endpoint, settings, runs):
    settings.MAGICLINK_RULES = [{"view": "decorated", "scope": "rule", "max_age": 60}]

    outer = browser.get("/decorated/")
    assert scope(outer) == "rule"
    grant(outer, scope="rule", max_age=60)
    inner = browser.get("/decorated/")
    assert scope(inner) == "default"
    assert runs() == []
    grant(inner, scope="default")

    assert browser.get("/decorated/").status_code == 200


def test_a_rule_and_a_decorator_use_the_same_single_use_once(
    browser, endpoint, settings, runs
):
    settings.MAGICLINK_RULES = [{"view": "single", "scope": "single", "max_age": 0}]
    grant(browser.get("/single/"), scope="single", max_age=0)

    assert [browser.get("/single/").status_code for _ in range(2)] == [200, 401]
    assert runs() == ["single"]


def test_a_rule_and_a_decorator_that_want_different_single_uses_are_an_error(
    browser, endpoint, settings, runs
):
    settings.MAGICLINK_RULES = [{"view": "single", "scope": "rule", "max_age": 0}]
    grant(browser.get("/single/"), scope="rule", max_age=0)

    with pytest.raises(ImproperlyConfigured, match="Two guards with max_age=0"):
        browser.get("/single/")

    assert runs() == []


@pytest.mark.parametrize("url", ["/ruled/", "/missing/"])
def test_caches_are_kept_from_what_a_rule_let_through(browser, endpoint, runs, url):
    grant(browser.get(url), max_age=300)

    answer = browser.get(url)

    assert answer.status_code == (404 if "missing" in url else 200)
    assert answer["Cache-Control"] == "private, no-store"
    assert runs() == [url.strip("/")]


def test_a_view_without_a_guard_is_left_as_it_is(
    browser, endpoint, settings, django_assert_num_queries
):
    settings.MAGICLINK_RULES = [{"view": "ruled"}]
    browser.get("/silent/")

    with django_assert_num_queries(0):
        answer = browser.get("/silent/")

    assert "Cache-Control" not in answer
    assert "Vary" not in answer or "HX-Request" not in answer["Vary"]


def test_an_approved_view_costs_one_query_more(
    browser, endpoint, settings, django_assert_num_queries
):
    settings.MAGICLINK_RULES = [{"view": "silent"}]
    grant(browser.get("/silent/"), max_age=300)

    # Session, user, and the guard's own.
    with django_assert_num_queries(3):
        assert browser.get("/silent/").status_code == 200


def test_no_address_is_no_answer_of_a_guard(browser, endpoint):
    assert browser.get("/nowhere/").status_code == 404


@async_to_sync
async def under_asgi(browser, url):
    client = AsyncClient()
    client.cookies = browser.cookies
    return await client.get(url)


@pytest.mark.parametrize("url", ["/ruled/", "/aruled/"])
def test_a_rule_holds_under_asgi(browser, endpoint, runs, settings, url):
    settings.MAGICLINK_RULES = [{"view": "*ruled", "max_age": 0}]

    grant(under_asgi(browser, url), max_age=0)
    assert runs() == []

    answers = [under_asgi(browser, url) for _ in range(2)]
    assert [answer.status_code for answer in answers] == [200, 401]
    assert answers[0]["Cache-Control"] == "private, no-store"
    assert runs() == [url.strip("/")]


@pytest.mark.django_db(transaction=True)
def test_a_use_by_a_rule_is_committed_before_the_view(
    browser, endpoint, settings, runs, atomic_requests
):
    settings.MAGICLINK_RULES = [{"view": "*", "max_age": 0}]
    grant(browser.get("/missing/"), max_age=0)

    # Its exception rolls back what the view wrote, and not the use.
    assert browser.get("/missing/").status_code == 404
    assert Approval.objects.get().status == Status.CONSUMED
    assert browser.get("/missing/").status_code == 401
    assert runs() == []
