"""Views of Django REST framework behind an approval."""

import json

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from rest_framework.response import Response

from django_magiclink.models import Approval
from django_magiclink.status import Status

from .conftest import Browser
from .doors.grants import NAVIGATION, grant
from .models import Run

pytestmark = pytest.mark.django_db

USE = {"max_age": 0}
WINDOW = {"max_age": 300}
JSON = "application/json"
TYPE = "application/problem+json"


@pytest.fixture(autouse=True)
def doors(settings):
    settings.ROOT_URLCONF = "tests.doors.urls"


def test_a_problem_is_the_answer_and_not_a_403(browser, endpoint, runs):
    refused = browser.get("/api/")

    assert refused.status_code == 401
    assert refused["Content-Type"] == TYPE
    assert refused["WWW-Authenticate"] == 'MagicLink scope="default", max_age=300'
    assert refused["Cache-Control"] == "private, no-store"
    assert {"Accept", "Sec-Fetch-Dest", "HX-Request"} <= {
        name.strip() for name in refused["Vary"].split(",")
    }
    assert set(refused.json()) >= {"challenge", "start_url", "csrf_token", "phone"}
    assert runs() == []


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(
    "url", ["/api/", "/api/use/", "/api/function/", "/api/composed/"]
)
def test_a_view_runs_after_the_approval(browser, endpoint, sandbox, runs, url):
    refused = browser.post(url, {"a": 1}, content_type=JSON)
    assert refused.status_code == 401
    browser.approve(refused, sandbox)

    answer = browser.post(url, {"a": 1}, content_type=JSON)

    assert answer.status_code == 200
    assert answer["Cache-Control"] == "private, no-store"
    assert len(runs()) == 1


def test_a_browser_gets_the_page(browser, endpoint, runs):
    page = browser.get("/api/", headers=NAVIGATION)

    assert page.status_code == 401
    assert page["Content-Type"] == "text/html; charset=utf-8"
    assert 'data-state="ask"' in page.text
    assert page["X-Frame-Options"] == "DENY"
    assert page["Referrer-Policy"] == "same-origin"
    assert runs() == []


def test_a_stranger_is_told_to_log_in(endpoint, runs):
    problem = Client().get("/api/")
    page = Client().get("/api/", headers=NAVIGATION)

    assert problem.status_code == 401
    assert problem.json()["reason"] == "login"
    assert page.status_code == 302
    assert page["Location"] == "/login/?next=/api/"
    assert runs() == []


def test_the_attributes_of_the_view_are_the_options(browser, endpoint, runs):
    assert browser.get("/api/attributed/").status_code == 200

    refused = browser.post("/api/attributed/", {"who": "Bo"}, content_type=JSON)

    assert refused["WWW-Authenticate"] == 'MagicLink scope="attributed", max_age=60'
    assert refused.json()["text"] == "Delete Bo"


def test_an_attribute_that_is_misspelt_raises(browser, endpoint, monkeypatch):
    monkeypatch.setattr("tests.doors.views.Api.approval_scop", "x", raising=False)

    with pytest.raises(ImproperlyConfigured, match="Is approval_scope meant"):
        browser.get("/api/")


def test_an_action_of_a_viewset_has_options_of_its_own(browser, endpoint, runs):
    assert browser.get("/api/things/").status_code == 200
    create = browser.post("/api/things/", {"name": "x"}, content_type=JSON)
    purge = browser.post("/api/things/purge/")

    assert create["WWW-Authenticate"] == 'MagicLink scope="create", max_age=0'
    assert purge.json()["text"] == "Purge all"
    grant(purge, scope="purge")

    assert browser.post("/api/things/purge/").status_code == 200
    again = browser.post("/api/things/", {"name": "x"}, content_type=JSON)
    assert again.status_code == 401
    assert runs() == ["Things.list", "Things.purge"]


# Who came by a token.


# The browsable API.


def test_its_pages_show_forms_and_use_nothing_up(browser, endpoint, runs):
    grant(browser.get("/api/form/", headers=NAVIGATION), **USE)
    approval = grant(browser.post("/api/form/", {"name": "x"}), **USE)

    page = browser.get("/api/form/", headers=NAVIGATION)

    assert page.status_code == 200
    assert 'name="name"' in page.text
    assert "POST" in page.text
    approval.refresh_from_db()
    assert approval.status == Status.ACCEPTED
    assert runs() == ["FormApi"]
    assert browser.post("/api/form/", {"name": "x"}).status_code == 200


def test_a_page_shows_the_form_of_an_action_that_is_guarded(browser, endpoint, runs):
    page = browser.get("/api/things/", headers=NAVIGATION)

    assert page.status_code == 200
    assert 'name="name"' in page.text
    assert runs() == ["Things.list"]


def test_its_options_tell_what_a_post_takes(browser, endpoint, runs):
    grant(browser.options("/api/form/"), **USE)

    answer = browser.options("/api/form/")

    assert answer.status_code == 200
    assert "POST" in answer.json()["actions"]
    assert runs() == []


def test_a_method_from_a_header_passes_by_nothing(browser, endpoint, runs):
    headers = {"X-HTTP-Method-Override": "DELETE"}

    assert browser.post("/api/overridden/", headers=headers).status_code == 401
    assert runs() == []


# Bodies.


def test_names_are_found_in_json(browser, endpoint, runs):
    body = {"amount": "10", "note": "x"}
    refused = browser.post("/api/parsed/", body, content_type=JSON)
    assert refused.json()["text"] == "Pay 10"
    grant(refused, params=["amount"], **USE)

    other = body | {"amount": "11"}
    assert browser.post("/api/parsed/", other, content_type=JSON).status_code == 401
    assert browser.post("/api/parsed/", body, content_type=JSON).status_code == 200
    assert Run.objects.get().seen == body


DOUBLE = '{"amount": "10", "amount": "1000"}'


@pytest.mark.parametrize(
    "kind",
    [JSON, f"{JSON}; charset=utf-8", f"{JSON};charset=UTF-8", "Application/JSON"],
)
def test_json_with_a_name_twice_is_refused(browser, endpoint, runs, kind):
    assert browser.post("/api/parsed/", DOUBLE, content_type=kind).status_code == 400
    assert runs() == []


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        ("application/x-www-form-urlencoded", "amount=10&amount=1000"),
        (
            "multipart/form-data; boundary=x",
            '--x\r\nContent-Disposition: form-data; name="amount"\r\n\r\n10\r\n'
            '--x\r\nContent-Disposition: form-data; name="amount"\r\n\r\n1000\r\n'
            "--x--\r\n",
        ),
        ("application/x-www-form-urlencoded; charset=utf-8", "amount=10&amount=1000"),
    ],
)
def test_a_form_with_a_name_twice_is_refused(browser, endpoint, runs, kind, body):
    assert browser.post("/api/upload/", body, content_type=kind).status_code == 400
    assert runs() == []


def test_a_parser_of_ones_own_finds_the_names(browser, endpoint, runs):
    def send(amount):
        body = f"amount={amount}\nnote=x"
        return browser.post("/api/parsed/", body, content_type="text/x-pairs")

    refused = send(10)
    assert refused.json()["text"] == "Pay 10"
    grant(refused, params={"amount": "10"}, **USE)

    assert send(11).status_code == 401
    assert send(10).status_code == 200
    assert Run.objects.get().seen == {"amount": "10", "note": "x"}


def test_a_form_parser_of_ones_own_with_a_name_twice_is_refused(
    browser, endpoint, runs
):
    body, kind = "amount=10&amount=1000", "application/x-own-form"

    assert browser.post("/api/parsed/", body, content_type=kind).status_code == 400
    assert runs() == []


@pytest.mark.parametrize("url", ["/api/parsed/", "/api/parsed/?amount=10"])
def test_a_body_without_names_has_none(browser, endpoint, runs, url):
    answer = browser.post(url, "just text", content_type="text/plain")

    assert answer.status_code == (401 if "?" in url else 400)
    assert runs() == []


def test_a_guard_without_params_takes_any_body(browser, endpoint, runs):
    def send():
        return browser.post("/api/free/", "just text", content_type="text/plain")

    grant(send())

    assert send().status_code == 200
    assert runs() == ["FreeApi"]


def test_a_guard_without_params_leaves_a_large_upload_to_the_view(
    browser, endpoint, runs, settings
):
    settings.DATA_UPLOAD_MAX_MEMORY_SIZE = 10
    headers = {"Content-Disposition": "attachment; filename=a.txt"}

    def send():
        return browser.post(
            "/api/free/",
            b"much more than ten bytes",
            content_type="application/octet-stream",
            headers=headers,
        )

    grant(send())

    assert send().status_code == 200


def test_a_guard_without_params_leaves_files_to_the_view(
    browser, endpoint, runs, settings
):
    settings.DATA_UPLOAD_MAX_MEMORY_SIZE = 10

    def send():
        paper = SimpleUploadedFile("a.txt", b"much more than ten bytes")
        return browser.post("/api/", {"paper": paper})

    # A window does not read the body, so this one opens for any.
    grant(browser.get("/api/"))

    assert send().status_code == 200


@pytest.mark.django_db(transaction=True)
def test_a_file_is_part_of_what_is_approved(browser, endpoint, sandbox, runs):
    def send(content):
        paper = SimpleUploadedFile("a.txt", content)
        return browser.post("/api/use/", {"paper": paper, "a": "1"})

    browser.approve(send(b"one"), sandbox)

    assert send(b"two").status_code == 401
    assert send(b"one").status_code == 200
    assert runs() == ["UseApi"]
    assert Run.objects.get().seen == {"a": "1", "paper": "one"}


def test_a_media_type_that_no_parser_takes_is_refused(browser, endpoint, runs):
    answer = browser.post("/api/parsed/", "x", content_type="image/png")

    assert answer.status_code in (400, 415)
    assert runs() == []


# With other permissions.


def test_a_composed_permission_asks_nobody_who_may_not(endpoint, runs):
    assert Client().post("/api/composed/").status_code == 403
    assert runs() == []


@pytest.mark.parametrize("url", ["/api/composed/", "/api/either/"])
def test_a_composed_permission_uses_an_approval_once(browser, endpoint, runs, url):
    refused = browser.post(url)
    assert refused.status_code == 401
    assert refused["Content-Type"] == TYPE
    grant(refused, **USE)

    assert [browser.post(url).status_code for _ in range(2)] == [200, 401]
    assert len(runs()) == 1


def test_a_preflight_runs_no_view(browser, endpoint, runs):
    grant(browser.post("/api/use/"), **USE)
    headers = {"X-Approval-Preflight": "1"}

    for _ in range(2):
        cleared = browser.post("/api/use/", headers=headers)
        assert cleared.status_code == 204
        assert cleared["X-Approval"] == "pass"
        assert cleared.content == b""
        assert cleared["Cache-Control"] == "private, no-store"
    assert runs() == []

    assert browser.post("/api/use/").status_code == 200
    assert browser.post("/api/use/", headers=headers).status_code == 401
    assert runs() == ["UseApi"]


def test_a_404_of_an_approved_view_is_kept_from_caches(browser, endpoint, runs):
    grant(browser.get("/api/missing/"))

    answer = browser.get("/api/missing/")

    assert answer.status_code == 404
    assert answer["Cache-Control"] == "private, no-store"
    assert runs() == ["MissingApi"]


def test_what_is_not_guarded_may_be_cached(browser, endpoint):
    assert "Cache-Control" not in browser.get("/api/attributed/")
    assert "Cache-Control" not in browser.get("/api/things/")


def test_an_unsafe_request_needs_its_csrf_token(user, endpoint, runs):
    browser = Browser(enforce_csrf_checks=True)
    browser.force_login(user)

    assert browser.post("/api/").status_code == 403
    assert not Approval.objects.exists()
    assert runs() == []


# Around it.


@pytest.mark.django_db(transaction=True)
def test_a_use_in_the_transaction_of_the_request_is_an_error(
    browser, endpoint, runs, atomic_requests
):
    grant(browser.post("/api/atomic/"), scope="atomic", max_age=0)

    with pytest.raises(ImproperlyConfigured, match="non_atomic_requests"):
        browser.post("/api/atomic/")

    assert runs() == []
    assert Approval.objects.get().status == Status.ACCEPTED


@pytest.mark.django_db(transaction=True)
def test_a_use_outside_of_transactions_works(browser, endpoint, runs, atomic_requests):
    grant(browser.post("/api/not_atomic/"), scope="atomic", max_age=0)

    codes = [browser.post("/api/not_atomic/").status_code for _ in range(2)]

    assert codes == [200, 401]
    assert runs() == ["Atomic"]


def own_handler(error, context):
    return Response({"error": str(error)}, status=418)


def no_handler(error, context):
    return None


def test_another_exception_handler_still_refuses(browser, endpoint, runs, settings):
    settings.REST_FRAMEWORK = {
        "EXCEPTION_HANDLER": "tests.test_permissions.own_handler"
    }

    refused = browser.get("/api/")

    assert refused.status_code == 418
    assert refused["WWW-Authenticate"] == 'MagicLink scope="default", max_age=300'
    assert json.loads(refused.content)["scope"] == "default"
    assert runs() == []


def test_an_exception_handler_that_handles_nothing_still_refuses(
    browser, endpoint, runs, settings
):
    settings.REST_FRAMEWORK = {"EXCEPTION_HANDLER": f"{__name__}.no_handler"}
    browser.raise_request_exception = False

    assert browser.get("/api/").status_code == 500
    assert runs() == []
