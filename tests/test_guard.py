"""Guarded views, asked through the front door."""

import hashlib
import re
from datetime import timedelta

import pytest
import time_machine
from asgiref.sync import async_to_sync
from django.contrib.auth import get_user_model
from django.core.exceptions import ImproperlyConfigured
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import AsyncClient, RequestFactory
from django.utils import timezone

from django_magiclink.decorators import approval_required
from django_magiclink.models import Approval, Endpoint
from django_magiclink.status import Status
from django_magiclink.stepup import require_approval

from .conftest import Browser
from .doors.grants import grant
from .models import Run

pytestmark = pytest.mark.django_db(transaction=True)

HTML = {"Accept": "text/html,*/*;q=0.8"}


def test_a_view_runs_only_after_the_approval(browser, endpoint, sandbox, runs):
    refused = browser.get("/payroll/")
    assert refused.status_code == 401
    assert runs() == []

    assert browser.approve(refused, sandbox)["status"] == "accepted"

    allowed = browser.get("/payroll/")
    assert allowed.status_code == 200
    assert runs() == ["payroll"]
    assert len(sandbox.calls) == 1


def test_a_guard_without_options_takes_those_of_the_site(
    browser, endpoint, sandbox, settings
):
    settings.MAGICLINK_MAX_AGE = 0

    refused = browser.get("/default/")

    assert refused["WWW-Authenticate"] == 'MagicLink scope="default", max_age=0'
    browser.approve(refused, sandbox)
    assert browser.get("/default/").status_code == 200
    assert browser.get("/default/").status_code == 401


def test_a_guard_for_the_session_asks_once(browser, endpoint, sandbox):
    refused = browser.get("/session/")
    assert refused["WWW-Authenticate"] == 'MagicLink scope="session"'
    assert refused.json()["max_age"] == "session"

    browser.approve(refused, sandbox)

    with time_machine.travel(timezone.now() + timedelta(days=1)):
        assert browser.get("/session/").status_code == 200


@pytest.mark.parametrize("answer", ["reject", "ignore", "undeliverable", "bad_request"])
def test_any_other_answer_keeps_the_view_closed(
    browser, endpoint, sandbox, runs, answer
):
    browser.approve(browser.get("/payroll/"), sandbox, answer)

    assert browser.get("/payroll/").status_code == 401
    assert runs() == []


def test_a_guard_for_the_session_works_without_time_zones(
    browser, endpoint, sandbox, settings
):
    settings.USE_TZ = False

    browser.approve(browser.get("/session/"), sandbox)

    assert browser.get("/session/").status_code == 200


def test_methods_that_are_not_named_are_not_guarded(browser, runs):
    form = browser.get("/transfer/")

    assert form.status_code == 200
    # So that the browser may keep what is typed in it.
    assert "Cache-Control" not in form


def test_a_guard_for_get_is_one_for_head(browser, endpoint, runs):
    assert browser.head("/get_only/").status_code == 401
    assert runs() == []
    assert browser.post("/get_only/").status_code == 200


@pytest.mark.parametrize("method", ["get", "head", "options", "put", "patch", "delete"])
def test_every_method_is_guarded_otherwise(browser, endpoint, sandbox, runs, method):
    send = getattr(browser, method)
    refused = send("/payroll/")

    assert refused.status_code == 401
    assert refused["WWW-Authenticate"] == 'MagicLink scope="payroll", max_age=60'
    assert refused["Cache-Control"] == "private, no-store"
    assert runs() == []
    assert sandbox.calls == []


def test_a_new_password_ends_every_grant(browser, endpoint, sandbox, user):
    browser.approve(browser.get("/payroll/"), sandbox)

    user.set_password("other")
    user.save()
    browser.force_login(user)

    assert browser.get("/payroll/").status_code == 401


def test_a_logout_ends_every_grant_and_every_question(browser, endpoint, sandbox, user):
    browser.approve(browser.get("/payroll/"), sandbox)
    sandbox.script("manual")
    browser.start(browser.get("/session/"))

    browser.post("/logout/")

    states = set(Approval.objects.values_list("scope", "status"))
    assert states == {("payroll", "revoked"), ("session", "cancelled")}
    browser.force_login(user)
    assert browser.get("/payroll/").status_code == 401


def test_a_grant_outlives_its_endpoint_only_for_its_time(browser, endpoint, sandbox):
    browser.approve(browser.get("/payroll/"), sandbox)
    Endpoint.objects.update(enabled=False)

    assert browser.get("/payroll/").status_code == 200
    with time_machine.travel(timezone.now() + timedelta(seconds=61)):
        assert browser.get("/payroll/").json()["reason"] == "no_endpoint"


def test_a_stranger_is_sent_to_the_login(db, client):
    page = client.get("/payroll/?month=5", headers=HTML)
    problem = client.get("/payroll/?month=5")

    assert page.status_code == 302
    assert page["Location"] == "/login/?next=/payroll/%3Fmonth%3D5"
    assert page["Cache-Control"] == "private, no-store"
    assert problem.status_code == 401
    assert problem.json()["reason"] == "login"


def test_a_user_who_came_by_a_token_is_refused(user, endpoint):
    request = RequestFactory().get("/", headers={"Authorization": "Bearer token"})
    request.user = user
    request.session = Browser().session

    response = approval_required(max_age=60)(lambda request: None)(request)

    assert response.status_code == 401
    assert response["WWW-Authenticate"] == (
        'Bearer error="insufficient_user_authentication", max_age=60'
    )


def test_the_challenge_says_what_can_be_done(browser, endpoint, user):
    refused = browser.post("/transfer/", {"amount": "10", "payee": "Bo"})

    problem = refused.json()
    assert refused["Content-Type"] == "application/problem+json"
    assert set(map(str.strip, refused["Vary"].split(","))) >= {
        "Accept",
        "Sec-Fetch-Dest",
        "HX-Request",
    }
    assert problem.pop("challenge")
    assert problem.pop("csrf_token")
    assert problem == {
        "type": "urn:django-magiclink:approval-required",
        "title": "This needs your approval.",
        "status": 401,
        "scope": "transfer",
        "max_age": 0,
        "text": "Pay 10 to Bo",
        "phone": "+46*******05",
        "start_url": "/magiclink/start/",
    }


@pytest.mark.parametrize(
    ("headers", "page"),
    [
        ({}, False),
        ({"Accept": "*/*"}, False),
        ({"Accept": "application/json"}, False),
        ({"Accept": "text/html, application/json;q=0.9"}, True),
        ({"Accept": "application/json, text/html;q=0.9"}, False),
        ({"Accept": "*/*", "Sec-Fetch-Dest": "document"}, True),
        ({"Accept": "*/*", "Sec-Fetch-Dest": "iframe"}, True),
        ({"Accept": "text/html", "Sec-Fetch-Dest": "empty"}, False),
    ],
)
def test_people_get_a_page_and_programs_a_problem(browser, endpoint, headers, page):
    refused = browser.get("/payroll/", headers=headers)

    kind = "text/html; charset=utf-8" if page else "application/problem+json"
    assert refused["Content-Type"] == kind


@pytest.mark.parametrize("name", ["header", "field"])
def test_an_approval_can_be_named_and_a_wrong_name_is_ignored(
    browser, endpoint, sandbox, name
):
    status = browser.approve(browser.post("/once/", {"a": "1"}), sandbox)
    fields, headers = {"a": "1"}, {}
    if name == "header":
        headers = {"X-Approval": status["id"]}
    else:
        fields["_approval"] = "nonsense"

    assert browser.post("/once/", fields, headers=headers).status_code == 200


@pytest.mark.parametrize("by", ["header", "field"])
def test_the_approval_that_a_request_names_is_the_one_it_uses(browser, endpoint, by):
    refused = browser.post("/once/", {"a": "1"})
    options = {"scope": "once", "max_age": 0, "text": "Carry it out"}
    older, newer = grant(refused, ago=9, **options), grant(refused, **options)
    fields, headers = {"a": "1"}, {}
    if by == "header":
        headers["X-Approval"] = str(older.pk)
    else:
        fields["_approval"] = str(older.pk)

    assert browser.post("/once/", fields, headers=headers).status_code == 200

    states = [Approval.objects.get(pk=each.pk).status for each in (older, newer)]
    assert states == [Status.CONSUMED, Status.ACCEPTED]


def test_what_a_guard_lets_pass_is_stored_nowhere(browser, endpoint, sandbox):
    browser.approve(browser.get("/payroll/"), sandbox)

    assert browser.get("/payroll/")["Cache-Control"] == "private, no-store"


SITE_CACHE = [
    "django.middleware.cache.UpdateCacheMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.middleware.http.ConditionalGetMiddleware",
    "django.middleware.cache.FetchFromCacheMiddleware",
]


@pytest.mark.parametrize(
    ("url", "middleware"),
    [
        ("/cached/", None),
        ("/cached_inline/", None),
        ("/conditional/", None),
        ("/payroll/", SITE_CACHE),
        ("/inline_window/", SITE_CACHE),
    ],
)
def test_no_cache_serves_a_guarded_page_without_an_approval(
    browser, endpoint, sandbox, settings, runs, url, middleware
):
    if middleware:
        settings.MIDDLEWARE = middleware
    browser.approve(browser.get(url), sandbox)
    assert browser.get(url).status_code == 200
    assert len(runs()) == 1

    with time_machine.travel(timezone.now() + timedelta(seconds=61)):
        late = browser.get(url)

    assert late.status_code == 401
    assert b" ran" not in late.content
    assert len(runs()) == 1


def test_a_matching_etag_shows_nothing_of_the_page(browser, endpoint, runs):
    response = browser.get("/conditional/", headers={"If-None-Match": '"constant"'})

    assert response.content == b""
    assert runs() == []


def test_params_come_from_the_url_the_query_or_the_body(browser, endpoint, sandbox):
    refused = browser.get("/params/7/?colour=red")
    assert refused.json()["text"] == "7 red"
    browser.approve(refused, sandbox)

    assert browser.get("/params/7/?colour=red&other=1").status_code == 200
    assert browser.get("/params/7/?colour=blue").status_code == 401
    assert browser.get("/params/8/?colour=red").status_code == 401
    posted = browser.post("/params/7/", {"colour": "red"})
    as_json = browser.put("/params/7/", '{"colour": "red"}', "application/json")
    assert posted.status_code == as_json.status_code == 200


@pytest.mark.parametrize(
    ("url", "body"),
    [
        ("/params/7/", {}),
        ("/params/7/?colour=red&colour=red", {}),
        ("/params/7/?colour=red", {"colour": "red"}),
        ("/params/7/?pk=8&colour=red", {}),
        ("/params/7/", {"colour": ["red", "blue"]}),
    ],
)
def test_a_param_that_is_missing_or_ambiguous_is_refused(browser, endpoint, url, body):
    assert browser.post(url, body).status_code == 400


@pytest.mark.parametrize(
    "body", ["", "[]", '{"colour": "red", "colour": "blue"}', "not json", "[" * 100_000]
)
def test_a_json_body_that_is_ambiguous_is_refused(browser, endpoint, body):
    response = browser.post("/params/7/", body, content_type="application/json")

    assert response.status_code == 400


def test_options_can_be_callables(browser, endpoint, sandbox, runs):
    assert browser.get("/called/?when=no").status_code == 200

    refused = browser.get("/called/?who={x}%20https://evil.example/")
    assert refused.json()["text"] == "Called {x} …"
    browser.approve(refused, sandbox)

    assert browser.get("/called/?who={x}%20https://evil.example/").status_code == 200
    assert browser.get("/called/?who=someone").status_code == 401
    assert browser.get("/called/?endpoint=none").json()["reason"] == "no_endpoint"


def test_the_page_names_the_site_where_the_guard_says_nothing(
    browser, endpoint, settings
):
    settings.MAGICLINK_SITE_NAME = "Harbour Bank"

    assert browser.get("/payroll/").json()["text"] == (
        "Harbour Bank: Confirm that it is you."
    )


def upload(content=b"one"):
    return SimpleUploadedFile("a.txt", content)


@pytest.mark.parametrize(
    ("data", "kind", "seen"),
    [
        (
            {"a": ["1", "2"], "b": "line\r\nline"},
            None,
            {"fields": {"a": ["1", "2"], "b": ["line\r\nline"]}},
        ),
        (
            {"a": "1", "file": b"one"},
            None,
            {
                "fields": {"a": ["1"]},
                "files": {"file": ["a.txt", hashlib.sha256(b"one").hexdigest()]},
            },
        ),
        ('{"a": 1}', "application/json", {"body": '{"a": 1}'}),
        (b"\x00\xff", "application/octet-stream", {"body": "\x00\xff"}),
    ],
)
def test_a_repeated_request_reaches_the_view_as_it_was(
    browser, endpoint, sandbox, data, kind, seen
):
    def send():
        sent = data
        if isinstance(data, dict) and "file" in data:
            sent = data | {"file": upload(data["file"])}
        return browser.post(
            "/once/?q=1", sent, **{"content_type": kind} if kind else {}
        )

    browser.approve(send(), sandbox)
    assert send().status_code == 200

    whole = {"fields": {}, "files": {}, "body": ""} | seen
    assert Run.objects.get().seen == whole | {"method": "POST", "path": "/once/?q=1"}


def test_a_form_may_come_back_in_the_other_encoding(browser, endpoint, sandbox):
    browser.approve(browser.post("/once/", {"a": "1\r\n2"}), sandbox)

    urlencoded = "application/x-www-form-urlencoded"
    assert browser.post("/once/", "a=1%0A2", urlencoded).status_code == 200


def test_a_multipart_put_may_come_back_with_another_boundary(
    browser, endpoint, sandbox, runs
):
    def put(boundary, value=b"1"):
        body = (
            b'--%b\r\nContent-Disposition: form-data; name="a"\r\n\r\n%b\r\n--%b--\r\n'
            % (boundary, value, boundary)
        )
        kind = f"multipart/form-data; boundary={boundary.decode()}"
        return browser.put("/once/", body, content_type=kind)

    browser.approve(put(b"first"), sandbox)

    assert put(b"second", b"2").status_code == 401
    assert put(b"second").status_code == 200


def test_two_guards_on_one_view_both_hold(browser, endpoint, sandbox, runs):
    outer = browser.get("/stacked/")
    assert outer.json()["scope"] == "outer"
    browser.approve(outer, sandbox)
    inner = browser.get("/stacked/")
    assert inner.json()["scope"] == "inner"
    browser.approve(inner, sandbox)

    assert browser.get("/stacked/").status_code == 200
    assert browser.get("/stacked/").json()["scope"] == "inner"
    assert runs() == ["stacked"]


def test_two_guards_that_want_the_same_use_it_once(browser, endpoint, sandbox, runs):
    browser.approve(browser.get("/twice/"), sandbox)

    assert browser.get("/twice/").status_code == 200
    assert browser.get("/twice/").status_code == 401


def test_two_guards_that_want_different_single_uses_are_an_error(
    browser, endpoint, sandbox, runs
):
    browser.approve(browser.get("/conflicting/"), sandbox)

    text = (
        "Two guards with max_age=0 want different approvals for one request. "
        "Give them the same options, or leave one of them out."
    )
    with pytest.raises(ImproperlyConfigured, match=f"^{re.escape(text)}$"):
        browser.get("/conflicting/")

    assert runs() == []


def test_a_use_inside_a_transaction_is_an_error_that_says_what_to_do(
    browser, endpoint, sandbox, runs
):
    browser.approve(browser.post("/inline_in_transaction/"), sandbox)

    text = (
        "An approval with max_age=0 cannot be used inside a transaction, which might "
        "roll its use back. Put @transaction.non_atomic_requests on the view, or ask "
        "for the approval before transaction.atomic()."
    )
    with pytest.raises(ImproperlyConfigured, match=f"^{re.escape(text)}$"):
        browser.post("/inline_in_transaction/")

    assert runs() == []
    assert Approval.objects.get().status == Status.ACCEPTED


@pytest.mark.parametrize(
    ("url", "in_transaction"),
    [
        ("/atomic/", b"True"),
        ("/non_atomic_inside/", b"False"),
        ("/non_atomic_outside/", b"False"),
    ],
)
def test_atomic_requests_holds_for_the_view_as_it_would_without_a_guard(
    browser, endpoint, sandbox, atomic_requests, url, in_transaction
):
    refused = browser.get(url)
    while refused.status_code == 401:
        browser.approve(refused, sandbox)
        refused = browser.get(url)

    assert refused.content == in_transaction


def test_atomic_requests_and_async_views_stay_djangos_own_error(
    browser, endpoint, atomic_requests
):
    with pytest.raises(RuntimeError, match="ATOMIC_REQUESTS with async views"):
        browser.get("/asynchronous/")


def test_an_async_view_is_guarded_under_asgi(browser, endpoint, sandbox, runs, user):
    browser.approve(browser.get("/asynchronous/"), sandbox)
    browser.approve(browser.get("/inline_async/"), sandbox)
    client = AsyncClient()
    client.cookies = browser.cookies

    codes = [
        async_to_sync(client.get)(url).status_code
        for url in ["/asynchronous/", "/asynchronous/", "/inline_async/"]
    ]

    assert codes == [200, 401, 200]
    assert runs() == ["asynchronous", "inline_async"]


def test_a_guard_keeps_a_csrf_token_that_its_view_has_changed(browser, endpoint):
    browser.get("/login/")
    before = browser.cookies["csrftoken"].value

    refused = browser.post("/inline_rotated/")

    assert refused.status_code == 401
    assert refused.cookies["csrftoken"].value != before


def test_options_get_the_parts_of_the_path_that_have_no_name(
    browser, endpoint, sandbox
):
    assert browser.get("/inline_unnamed/0/").status_code == 200
    browser.approve(browser.get("/inline_unnamed/7/"), sandbox)

    assert Approval.objects.get().text == "Open 7"
    assert browser.get("/inline_unnamed/7/").status_code == 200


def test_an_inline_guard_in_an_async_view_refuses(browser, endpoint, runs):
    assert browser.get("/inline_async/").status_code == 401
    assert runs() == []


@pytest.mark.parametrize("decorated", [object, "payroll"])
def test_only_view_functions_are_decorated(decorated):
    with pytest.raises(ImproperlyConfigured, match="method_decorator"):
        approval_required(decorated)


def test_guards_read_the_database_that_is_written_to(browser, endpoint, sandbox):
    status = browser.approve(browser.get("/payroll/"), sandbox)

    assert Approval.objects.primary().get().pk.hex == status["id"].replace("-", "")


def test_a_valid_approval_costs_one_query(
    browser, endpoint, sandbox, django_assert_num_queries
):
    browser.approve(browser.get("/payroll/"), sandbox)

    # Session, user, the guard's own, and the view's insert of its Run.
    with django_assert_num_queries(4):
        browser.get("/payroll/")


URLENCODED = "application/x-www-form-urlencoded"


def test_a_form_that_only_looks_like_json_is_a_form(browser, endpoint):
    refused = browser.post("/transfer/", "{=1&amount=10&payee=Bo", URLENCODED)

    assert refused.json()["text"] == "Pay 10 to Bo"


def test_a_form_that_is_put_gives_its_names(browser, endpoint):
    twice = browser.put("/params/7/?colour=red", "colour=blue", URLENCODED)
    once = browser.put("/params/7/", "colour=blue", URLENCODED)

    assert twice.status_code == 400
    assert once.json()["text"] == "7 blue"


def test_a_query_is_what_the_view_reads_of_it(browser, endpoint, sandbox):
    browser.approve(browser.get("/once/?name=%C3%A9"), sandbox)

    latin = "text/plain; charset=latin-1"
    assert browser.get("/once/?name=%C3%A9", CONTENT_TYPE=latin).status_code == 401
    assert browser.get("/once/?name=%C3%A9").status_code == 200


def test_a_cache_does_not_mix_what_is_guarded_and_what_is_not(
    browser, endpoint, settings
):
    settings.MIDDLEWARE = SITE_CACHE
    free = browser.get("/called/", {"when": "no"})
    assert free["Cache-Control"] == "private, no-store"


@pytest.mark.parametrize(
    "options",
    [{"params": lambda request: None}, {"endpoint": lambda request: None}],
)
def test_a_callable_that_returns_nothing_is_a_mistake(browser, endpoint, options):
    def view(request):
        return require_approval(request, **options)

    request = RequestFactory().get("/")
    request.user, request.session = get_user_model().objects.get(), browser.session
    request.resolver_match = None

    with pytest.raises(ImproperlyConfigured, match="must return"):
        view(request)


def test_a_callable_may_return_names(browser, endpoint):
    request = RequestFactory().get("/", {"who": "Bo"})
    request.user, request.session = get_user_model().objects.get(), browser.session
    request.resolver_match = None

    refused = require_approval(request, params=lambda request: ["who"], text=str)

    assert refused.status_code == 401


def test_a_json_value_that_is_nested_too_deeply_is_refused(browser, endpoint):
    deep = "[" * 900 + "]" * 900
    body = f'{{"colour": {deep}}}'

    assert browser.put("/params/7/", body, "application/json").status_code == 400


def test_a_file_that_is_missing_is_asked_for_in_a_window_too(
    user, endpoint, sandbox, runs
):
    browser = Browser(enforce_csrf_checks=True)
    browser.force_login(user)
    token = {"csrfmiddlewaretoken": browser.get("/payroll/").json()["csrf_token"]}
    problem = browser.post("/payroll/", token | {"file": upload()}).json()
    fields = token | {"_approval_challenge": problem["challenge"]}
    sandbox.script("accept")
    challenge = {"challenge": problem["challenge"]}
    browser.finish(browser.post("/magiclink/start/", token | challenge))

    assert browser.post("/payroll/", fields).status_code == 401
    assert runs() == []
    assert browser.post("/payroll/", fields | {"file": upload()}).status_code == 200


def test_who_did_not_come_by_a_session_is_not_sent_in_circles(user, endpoint):
    request = RequestFactory().get("/payroll/", headers=HTML)
    request.user = user
    request.session = Browser().session

    response = approval_required(max_age=60)(lambda request: None)(request)

    assert response.status_code == 401
    assert "Log in first." in response.text


@pytest.mark.parametrize("url", ["/stacked_outside/", "/class_outside/"])
def test_a_mark_on_the_whole_view_holds_for_each_guard(
    browser, endpoint, sandbox, atomic_requests, url
):
    refused = browser.get(url)
    while refused.status_code == 401:
        browser.approve(refused, sandbox)
        refused = browser.get(url)

    assert refused.content == b"False"
