"""Blocks of the test kit, which answer for the phone."""

from concurrent.futures import ThreadPoolExecutor
from http.client import HTTPConnection
from threading import Barrier

import pytest
from asgiref.sync import async_to_sync
from django.contrib.auth import get_user_model
from django.core.exceptions import ImproperlyConfigured
from django.test import AsyncClient, Client, TestCase

from django_magiclink import stepup
from django_magiclink.models import Approval, PhoneNumber
from django_magiclink.testing import Question, approving, rejecting

from .doors.grants import GUARD, HTML
from .models import Run

WANTED = {"payee": "Boatyard", "amount": "250"}


@pytest.fixture
def bo(db):
    """A user without a phone, as most are in a test."""
    return get_user_model().objects.create_user("bo", password="secret")


@pytest.fixture
def client(bo):
    client = Client()
    client.force_login(bo)
    return client


@pytest.fixture
def doors(settings):
    settings.ROOT_URLCONF = "tests.doors.urls"


# approving()


def test_a_guard_passes_inside_the_block_only(client, runs):
    with approving():
        inside = client.get("/payroll/")
    outside = client.get("/payroll/")

    assert inside.status_code == 200
    assert outside.status_code == 401
    assert runs() == ["payroll"]


def test_nothing_is_asked_and_no_row_is_written(client):
    with approving():
        client.post("/transfer/", WANTED)

    assert not Approval.objects.exists()
    assert not PhoneNumber.objects.exists()


def test_the_block_gives_what_the_phone_would_have_shown(client, bo):
    with approving("transfer") as questions:
        client.post("/transfer/", WANTED)

    assert questions == [
        Question(
            scope="transfer",
            text="Pay 250 to Boatyard",
            params={"amount": "250", "payee": "Boatyard"},
            max_age=0,
            endpoint="",
            code="show",
            user=bo,
        )
    ]


def test_the_question_says_through_which_endpoint_it_would_have_gone(client):
    with approving() as questions:
        client.get("/called/?endpoint=payments&who=Anna")

    [question] = questions
    assert (question.endpoint, question.text) == ("payments", "Called Anna")


def test_another_scope_stays_guarded(client, runs):
    with approving("payrol") as questions:
        refused = client.get("/payroll/")

    assert refused.status_code == 401
    assert questions == []
    assert runs() == []


def test_a_guard_around_another_wants_its_own_answer(client):
    with approving("outer"):
        inner_is_missing = client.get("/stacked/")
    with approving("inner"):
        outer_is_missing = client.get("/stacked/")
    with approving("outer") as outer, approving("inner") as inner:
        both = client.get("/stacked/")

    assert inner_is_missing.json()["scope"] == "inner"
    assert outer_is_missing.json()["scope"] == "outer"
    assert both.status_code == 200
    assert [question.max_age for question in outer + inner] == [60, 0]


@pytest.mark.parametrize("scope", ["", "Pay roll", "a" * 65, "payroll\n"])
@pytest.mark.parametrize("block", [approving, rejecting])
def test_a_scope_that_no_guard_can_have_raises_at_once(block, scope):
    with pytest.raises(ValueError, match="No guard can have the scope"):
        block(scope)


def test_parentheses_that_were_forgotten_raise_at_once():
    with pytest.raises(ValueError, match="scope <function"):
        approving(lambda: None)


def test_an_exception_in_the_block_ends_it(client):
    with pytest.raises(RuntimeError), approving():
        raise RuntimeError

    assert client.get("/payroll/").status_code == 401


def test_nothing_of_the_kit_is_left_in_the_guards_after_the_last_block():
    before = stepup._is_approved, stepup._answerable

    with approving("payroll"), rejecting("once"):
        inside = stepup._is_approved, stepup._answerable
    after = stepup._is_approved, stepup._answerable

    assert after == before
    assert not set(inside) & set(before)


def test_a_single_use_is_asked_for_each_time(client, runs):
    with approving() as questions:
        client.post("/once/", {"a": "1"})
        client.post("/once/", {"a": "1"})

    assert [question.text for question in questions] == ["Carry it out"] * 2
    assert runs() == ["once", "once"]


def test_a_window_is_asked_for_once_for_all_that_it_opens(client):
    with approving() as questions:
        client.get("/params/1/?colour=red")
        client.get("/params/1/?colour=red")
        client.get("/params/1/?colour=blue")

    assert [question.text for question in questions] == ["1 red", "1 blue"]


def test_two_guards_that_want_the_same_are_one_question(client):
    with approving() as questions:
        answer = client.get("/twice/")

    assert answer.status_code == 200
    assert len(questions) == 1


def test_what_fails_on_a_site_fails_in_the_block(client):
    with approving():
        with pytest.raises(ImproperlyConfigured, match="Two guards"):
            client.get("/conflicting/")
        with pytest.raises(ImproperlyConfigured, match="inside a transaction"):
            client.post("/inline_in_transaction/")
        missing = client.get("/params/1/")

    assert missing.status_code == 400


@pytest.mark.django_db(transaction=True)
def test_it_fails_there_without_the_transaction_of_a_test_too(client):
    with approving() as questions:
        with pytest.raises(ImproperlyConfigured, match="inside a transaction"):
            client.post("/inline_in_transaction/")
        outside = client.post("/inline/", {"amount": "5"})

    assert outside.status_code == 200
    assert [question.text for question in questions] == ["Pay 5"]


def test_strangers_still_have_to_log_in(db, runs):
    with approving() as questions:
        stranger = Client().get("/payroll/", headers=HTML)

    assert stranger["Location"].startswith("/login/")
    assert questions == []
    assert runs() == []


def test_what_a_block_opens_is_kept_from_caches(client):
    with approving():
        opened = client.get("/payroll/")

    assert opened["Cache-Control"] == "private, no-store"


def test_a_request_that_is_not_guarded_asks_nothing(client):
    with approving() as questions:
        client.get("/transfer/")
        client.get("/called/?when=no")

    assert questions == []


def test_a_preflight_is_cleared_and_its_request_is_the_one_that_counts(client, runs):
    preflight = {"X-Approval-Preflight": "1"}

    with approving() as questions:
        cleared = client.post("/transfer/", WANTED, headers=preflight)
        ran_by_then = runs()
        client.post("/transfer/", WANTED)

    assert cleared["X-Approval"] == "pass"
    assert ran_by_then == []
    assert len(questions) == 1


def test_a_speculative_request_uses_nothing_up(client, endpoint, user, runs):
    client.force_login(user)

    with approving() as questions:
        refused = client.get("/count/", headers={"Sec-Purpose": "prefetch"})

    assert refused.status_code == 401
    assert questions == []
    assert runs() == []


def test_what_a_user_really_approved_counts_beside_a_block(
    browser, endpoint, sandbox, transactional_db
):
    browser.approve(browser.get("/payroll/"), sandbox)

    with approving("once"):
        opened = browser.get("/payroll/")

    assert opened.status_code == 200


# rejecting()


def test_a_guard_refuses_inside_the_block(client, runs):
    with rejecting() as questions:
        refused = client.post("/transfer/", WANTED)

    assert refused.status_code == 401
    assert refused["WWW-Authenticate"] == 'MagicLink scope="transfer", max_age=0'
    assert [question.text for question in questions] == ["Pay 250 to Boatyard"]
    assert runs() == []


def test_the_page_says_that_the_user_declined_and_keeps_the_form(client):
    with rejecting():
        page = client.post("/transfer/", WANTED, headers=HTML)

    assert b"You declined. Nothing was carried out." in page.content
    assert b'<input type="hidden" name="payee" value="Boatyard">' in page.content
    assert not Approval.objects.exists()


def test_a_user_who_really_approved_has_declined_in_the_block(
    browser, endpoint, sandbox, transactional_db
):
    browser.approve(browser.get("/payroll/"), sandbox)

    with rejecting():
        page = browser.get("/payroll/", headers=HTML)

    assert b"You declined." in page.content
    assert b'data-state="ended"' in page.content
    assert browser.get("/payroll/").status_code == 200


def test_of_two_blocks_the_inner_one_answers(client):
    with approving() as approved:
        with rejecting("payroll") as declined:
            refused = client.get("/payroll/")
            passed = client.get("/session/")
        after = client.get("/payroll/")

    assert refused.status_code == 401
    assert passed.status_code == after.status_code == 200
    assert [question.scope for question in declined] == ["payroll"]
    assert [question.scope for question in approved] == ["session", "payroll"]


def test_blocks_may_end_in_another_order_than_they_began(client):
    approve, reject = approving(), rejecting()

    approve.enable()
    reject.enable()
    approve.disable()
    refused = client.get("/payroll/", headers=HTML)
    reject.disable()

    assert b"You declined." in refused.content


# As decorators.


@approving("payroll")
def test_it_decorates_functions(client):
    assert client.get("/payroll/").status_code == 200


@rejecting("payroll")
def test_a_function_may_be_decorated_with_a_rejection(client):
    assert b"You declined." in client.get("/payroll/", headers=HTML).content


@async_to_sync
async def _get(path, user):
    client = AsyncClient()
    await client.aforce_login(user)

    @approving()
    async def get():
        return await client.get(path)

    return await get(), await client.get(path)


@pytest.mark.parametrize("path", ["/asynchronous/", "/inline_async/", "/payroll/"])
@pytest.mark.django_db(transaction=True)
def test_it_decorates_async_functions_and_holds_for_async_views(bo, path):
    inside, outside = _get(path, bo)

    assert inside.status_code == 200
    assert outside.status_code == 401


@approving("payroll", attr_name="questions")
class InAClass(TestCase):
    """A ``TestCase``, whose transaction does not count, and which needs no pytest."""

    def setUp(self):
        bo = get_user_model().objects.create_user("bo")
        self.client.force_login(bo)

    def test_a_single_use_passes_in_its_transaction(self):
        with approving("once"):
            answer = self.client.post("/once/")

        self.assertEqual(answer.status_code, 200)

    def test_each_test_has_questions_of_its_own(self):
        self.client.get("/payroll/")

        self.assertEqual([question.scope for question in self.questions], ["payroll"])

    test_the_same_in_another_test = test_each_test_has_questions_of_its_own

    @approving("once", kwarg_name="asked")
    def test_a_method_gets_the_questions_as_a_keyword(self, asked):
        self.client.post("/once/")

        self.assertEqual([question.max_age for question in asked], [0])


# Every door.


@pytest.mark.parametrize(
    ("method", "url"),
    [
        ("get", "/decorated/"),
        ("get", "/adecorated/"),
        ("get", "/mixed/"),
        ("get", "/amixed/"),
        ("post", "/api/use/"),
        ("get", "/api/function/"),
        ("get", "/api/composed/"),
        ("get", "/api/either/"),
        ("post", "/api/things/purge/"),
        ("post", "/single/"),
        ("get", "/guarded/own/"),
    ],
)
@pytest.mark.django_db(transaction=True)
def test_a_block_opens_every_door(client, doors, bo, runs, method, url):
    bo.is_staff = bo.is_superuser = True
    bo.save()
    send = getattr(client, method)

    with approving() as questions:
        opened = send(url)
    refused = send(url)

    assert opened.status_code == 200
    assert len(questions) == len(runs()) == 1
    assert refused.status_code == 401


def test_a_block_lets_an_action_of_the_admin_run(client, doors, bo):
    bo.is_staff = bo.is_superuser = True
    bo.save()
    run = Run.objects.create(view="old")
    fields = {"action": "rename", "_selected_action": run.pk}

    with rejecting("rename"):
        refused = client.post("/models/tests/run/", fields)
    with approving("rename") as questions:
        client.post("/models/tests/run/", fields)

    run.refresh_from_db()
    assert refused.status_code == 401
    assert run.view == "renamed"
    assert len(questions) == 1


def test_a_rule_is_answered_by_its_scope(client, doors, settings, runs):
    settings.MIDDLEWARE = [*settings.MIDDLEWARE, GUARD]
    settings.MAGICLINK_RULES = [{"view": "ruled", "scope": "ruled", "max_age": 0}]

    with approving("ruled"):
        opened = client.get("/ruled/")

    assert opened.status_code == 200
    assert opened["Cache-Control"] == "private, no-store"
    assert client.get("/ruled/").status_code == 401


def test_a_rule_for_the_login_wants_an_answer_of_its_own(client, doors, settings, runs):
    settings.MIDDLEWARE = [*settings.MIDDLEWARE, GUARD]
    settings.MAGICLINK_RULES = [
        {"all": True, "scope": "login", "max_age": "session"},
        {"view": "ruled", "scope": "ruled"},
    ]

    with approving("ruled"):
        half_logged_in = client.get("/ruled/")
    with approving("login"), approving("ruled"):
        opened = client.get("/ruled/")

    assert half_logged_in.json()["scope"] == "login"
    assert opened.status_code == 200


def test_htmx_gets_the_fragment_or_what_the_view_answers(client):
    htmx = {"HX-Request": "true"}

    with rejecting():
        fragment = client.post("/once/", headers=htmx)
    with approving():
        opened = client.post("/once/", headers=htmx)

    assert fragment.status_code == 401
    assert b"You declined." in fragment.content
    assert b"<html" not in fragment.content
    assert opened.content == b"once ran"


def test_a_phone_is_changed_in_a_block(client, bo):
    with approving("phone") as questions:
        client.post("/phone/", {"number": "+46701740699"})

    assert PhoneNumber.objects.of(bo) == "+46701740699"
    assert [question.text for question in questions] == [
        "Approve as bo with this phone from now on."
    ]


# Threads.


@pytest.mark.django_db(transaction=True)
def test_a_block_holds_for_the_threads_of_a_live_server(live_server, client):
    cookie = f"sessionid={client.cookies['sessionid'].value}"
    address = live_server.url.removeprefix("http://")

    def status():
        connection = HTTPConnection(address)
        connection.request("GET", "/payroll/", headers={"Cookie": cookie})
        answer = connection.getresponse()
        answer.read()
        connection.close()
        return answer.status

    with approving():
        inside = status()

    assert (inside, status()) == (200, 401)


def test_blocks_of_parallel_threads_leave_nothing_open():
    together = Barrier(8)

    def enter_and_leave(number):
        together.wait()
        for _ in range(200):
            with approving(f"scope{number}"):
                pass

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(enter_and_leave, range(8)))

    assert stepup._is_approved.__module__ == stepup.__name__
    assert stepup._answerable.__module__ == stepup.__name__
