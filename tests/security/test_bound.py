"""What was approved is what runs, for whom it was asked."""

import pytest
from django.contrib.auth import get_user_model

from ..conftest import Browser
from ..test_guard import URLENCODED, upload
from .stores import cached, rows

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.mark.covers("R18", "A04")
def test_an_approval_is_for_what_was_shown(browser, endpoint, sandbox, runs):
    ten = {"amount": "10", "payee": "Bo"}
    refused = browser.post("/transfer/", ten)
    assert refused.json()["text"] == "Pay 10 to Bo"
    browser.approve(refused, sandbox)

    assert browser.post("/transfer/", ten | {"amount": "1000"}).status_code == 401
    assert browser.post("/transfer/?x=1", ten).status_code == 401
    assert browser.post("/transfer/", ten | {"more": "1"}).status_code == 401
    assert runs() == []

    assert browser.post("/transfer/", ten).status_code == 200


@pytest.mark.covers("R18", "A04")
def test_a_body_that_is_a_form_and_json_is_refused(browser, endpoint, runs):
    # Some editors begin a file so, and json.loads() takes it.
    body = b'\xef\xbb\xbf{"amount": "1000", "payee": "x", "y": "&amount=1&payee=Bo&z="}'
    form = "application/x-www-form-urlencoded"

    assert browser.post("/transfer/", body, content_type=form).status_code == 400
    assert runs() == []


@pytest.mark.covers("R18", "A04")
@pytest.mark.parametrize(
    ("method", "query", "kind", "body"),
    [
        ("post", "?amount=10&payee=Bo", "text/plain", '{"amount": 1000}'),
        ("post", "", URLENCODED, '{"x":"&amount=10&payee=Bo&","amount":1000}'),
    ],
)
def test_a_body_that_can_be_read_in_two_ways_is_refused(
    browser, endpoint, method, query, kind, body
):
    answer = browser.generic(method.upper(), f"/transfer/{query}", body, kind)

    assert answer.status_code == 400


@pytest.mark.covers("R17", "A04")
def test_another_file_is_another_request(browser, endpoint, sandbox, runs):
    browser.approve(browser.post("/once/", {"file": upload()}), sandbox)

    assert browser.post("/once/", {"file": upload(b"two")}).status_code == 401
    assert browser.post("/once/", {"file": upload()}).status_code == 200


@pytest.mark.covers("R17", "A04")
@pytest.mark.parametrize("name", ["csrfmiddlewaretoken", "_approval_fields"])
def test_nothing_hides_behind_a_field_of_ours(browser, endpoint, sandbox, runs, name):
    def send(amount):
        body = f'{{"x":"&{name}=","amount":{amount}}}'
        return browser.post("/once/", body, URLENCODED)

    browser.approve(send(1), sandbox)

    assert send(1000).status_code == 401
    assert send(1).status_code == 200


@pytest.mark.covers("R17")
def test_nothing_of_the_request_is_stored_on_the_server(
    browser, endpoint, sandbox, caplog, empty_cache
):
    sandbox.script("manual")
    caplog.set_level("DEBUG")
    browser.start(browser.post("/once/", {"password": "hunter2-canary"}))
    empty_cache.set("page", "hunter3-canary")

    stored = [*rows(), *cached(), repr(dict(browser.session.items())), caplog.text]

    assert "hunter3-canary" in "".join(stored)
    assert "hunter2-canary" not in "".join(stored)


@pytest.mark.covers("R04", "A01", "A02")
def test_an_approval_is_for_one_user_in_one_session(browser, endpoint, sandbox, user):
    browser.approve(browser.get("/payroll/"), sandbox)
    again, other = Browser(), Browser()
    again.force_login(user)
    bo = get_user_model().objects.create_user("bo")
    other.force_login(bo)

    assert again.get("/payroll/").status_code == 401
    assert other.get("/payroll/").status_code == 401
    assert browser.get("/payroll/").status_code == 200


@pytest.mark.covers("R04", "A03")
def test_an_approval_is_for_one_scope(browser, endpoint, sandbox):
    browser.approve(browser.get("/payroll/"), sandbox)

    assert browser.get("/session/").status_code == 401
