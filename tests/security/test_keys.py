"""The guided way to another key of an endpoint, in the admin."""

from datetime import UTC, date, datetime, timedelta

import pytest
import time_machine
from django.contrib.admin.models import LogEntry
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Permission
from django.utils import timezone

from django_magiclink import keys
from django_magiclink.models import ApiKey, Approval, Endpoint, PhoneNumber
from django_magiclink.signals import key_changed

from ..conftest import NUMBER, Browser

ADMIN = "/admin/django_magiclink"
SECRET = "c3859cad-479a-4d65-9253-459ea4a12b34"
NAVIGATION = {"Sec-Fetch-Dest": "document", "Accept": "text/html"}

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.covers("R33")]


@pytest.fixture
def root(db):
    root = get_user_model().objects.create_superuser("root", password="secret")
    PhoneNumber.objects.create(user=root, number=NUMBER, verified_at=timezone.now())
    return root


@pytest.fixture
def browser(root):
    browser = Browser()
    browser.force_login(root)
    return browser


@pytest.fixture
def steps(browser, endpoint, sandbox):
    return Steps(browser, endpoint, sandbox)


class Steps:
    """What an administrator does on the page about an endpoint's key."""

    def __init__(self, browser, endpoint, sandbox):
        self.browser, self.endpoint, self.sandbox = browser, endpoint, sandbox
        self.url = f"{ADMIN}/endpoint/{endpoint.pk}/key/"

    def page(self):
        return self.browser.get(self.url, headers=NAVIGATION)

    def do(self, action, **fields):
        shown = {"action": action, "origin": self.endpoint.origin}
        if key := self.shown(action):
            shown["key"] = str(key.pk)
        fields = shown | fields
        return self.browser.post(self.url, fields, headers=NAVIGATION, follow=True)

    def shown(self, action):
        """The key that the page would act on."""
        which = keys.previous if action == "back" else keys.staged
        return which(self.endpoint) if action in ("use", "discard", "back") else None

    def unlock(self):
        refused = self.browser.post(self.url, {"action": "unlock"})
        self.browser.approve(refused, self.sandbox)
        return self.do("unlock")

    def try_key(self, answer="accept"):
        url = self.url.replace("/key/", "/test/")
        refused = self.browser.post(url)
        self.browser.approve(refused, self.sandbox, answer)
        return self.browser.post(url, headers=NAVIGATION, follow=True)

    def in_use(self):
        return self.endpoint.keys.get(retired=None, activated__isnull=False)


@pytest.fixture
def told():
    events = []

    def note(sender, signal, **values):
        events.append((values["action"], values["key"].last_four, values["user"]))

    key_changed.connect(note)
    yield events
    key_changed.disconnect(note)


def test_a_key_is_entered_tried_put_to_use_and_taken_back(
    steps, sandbox, unlimited, told, root
):
    secret = sandbox.issue_key("", "next")
    old = sandbox.api_key

    steps.unlock()
    kept = steps.do("enter", name="next", secret=secret)
    assert "is kept here and is not in use" in kept.text
    assert steps.endpoint.client().api_key == old

    tried = steps.try_key()
    assert "It works" in tried.text
    assert sandbox.calls[-1].headers["api-key"] == secret

    steps.do("use")
    assert steps.endpoint.client().api_key == secret

    back = steps.do("back")
    assert steps.endpoint.client().api_key == old
    assert "is in use" in back.text
    assert told == [
        ("entered", secret[-4:], root),
        ("put to use", secret[-4:], root),
        ("put back", old[-4:], root),
    ]
    shown = [kept.text, tried.text, back.text, str(LogEntry.objects.values())]
    assert not [text for text in shown if secret in text or old in text]
    assert [entry.change_message for entry in LogEntry.objects.order_by("pk")] == [
        f"The key next (…{secret[-4:]}) was entered. It is not in use yet.",
        "It was tested with a phone.",
        f"The key next (…{secret[-4:]}) is in use.",
        f"The key tests (…{old[-4:]}) is in use.",
    ]


def test_a_key_can_be_tried_where_none_is_in_use(steps, sandbox):
    ApiKey.objects.all().delete()
    steps.do("unlock", password="secret")
    steps.do("enter", name="first", secret=sandbox.api_key)

    assert keys.staged(steps.endpoint)
    assert "It works" in steps.try_key().text


@pytest.mark.parametrize("action", ["enter", "issue", "use", "discard", "back"])
def test_nothing_is_done_before_somebody_has_proved_who_they_are(
    steps, sandbox, settings, action
):
    settings.MAGICLINK_KEY_ISSUER = lambda endpoint: (SECRET, None)
    ApiKey(endpoint=steps.endpoint, name="staged").seal("staged")
    before = list(ApiKey.objects.order_by("pk").values())

    answer = steps.do(action, name="web", secret=SECRET)

    assert "Confirm that it is you first." in answer.text
    assert list(ApiKey.objects.order_by("pk").values()) == before
    assert SECRET not in answer.text
    assert not sandbox.calls


def test_the_password_opens_nothing_while_a_phone_can_be_asked(steps):
    page = steps.do("unlock", password="secret")

    assert page.status_code == 401
    assert "Confirm that it is you" in steps.page().text


def test_an_approval_for_one_endpoint_opens_no_other(steps, browser, sandbox):
    other = Endpoint.objects.create(name="other", base_url=sandbox.url)
    ApiKey(endpoint=other, name="other").enter(sandbox.api_key)
    steps.unlock()

    page = Steps(browser, other, sandbox).do("enter", name="web", secret=SECRET)

    assert "Confirm that it is you first." in page.text
    assert other.keys.count() == 1


def test_a_declined_approval_opens_nothing(steps, browser, sandbox):
    refused = browser.post(steps.url, {"action": "unlock"})
    browser.approve(refused, sandbox, "reject")

    page = steps.do("enter", name="web", secret=SECRET)

    assert "Confirm that it is you first." in page.text


@pytest.mark.parametrize(
    "broken",
    [
        {"expires_on": date(2020, 1, 1)},
        {"retired": datetime(2020, 1, 1, tzinfo=UTC)},
        {"origin": "https://elsewhere.example.com:443"},
    ],
    ids=lambda broken: next(iter(broken)),
)
def test_the_password_is_asked_for_where_the_key_does_not_work(steps, broken):
    ApiKey.objects.update(**broken)

    assert "enter your password" in steps.page().text
    wrong = steps.do("unlock", password="guess")
    assert "That was not your password." in wrong.text
    steps.do("unlock", password="secret")
    steps.do("enter", name="web", secret=SECRET)
    steps.do("use")

    assert steps.endpoint.client().api_key == SECRET


@pytest.mark.parametrize("result", ["BAD_REQUEST", "connect", ""])
def test_a_key_that_may_not_work_is_tried_before_the_password(
    steps, sandbox, result, unlimited
):
    ApiKey.objects.update(last_result=result)
    assert "enter your password" not in steps.page().text
    sandbox.revoke_key(sandbox.api_key)
    try:
        steps.unlock()
    finally:
        # The one that all tests share.
        sandbox.keys.issue("", "default", None, sandbox.api_key)

    assert "enter your password" in steps.page().text
    steps.do("unlock", password="secret")
    steps.do("enter", name="web", secret=SECRET)
    steps.do("use")

    assert steps.endpoint.client().api_key == SECRET


def test_a_refusal_of_somebody_else_opens_no_password(steps, endpoint):
    other = get_user_model().objects.create_user("other")
    refused = {"scope": "api-key", "status": "failed", "endpoint": endpoint}
    Approval.objects.create(user=other, **refused)

    assert "enter your password" not in steps.page().text
    Approval.objects.create(
        user=get_user_model().objects.get(username="root"), **refused
    )
    assert "enter your password" in steps.page().text


def test_the_default_endpoint_asks_where_the_other_cannot(steps, browser, sandbox):
    other = Endpoint.objects.create(name="other", base_url=sandbox.url)
    new = Steps(browser, other, sandbox)
    assert "asked through sandbox" in new.page().text
    assert new.do("unlock", password="secret").status_code == 401

    new.unlock()
    new.do("enter", name="web", secret=SECRET)
    new.do("use")
    new.do("enter", name="next", secret=f"{SECRET}-2")
    new.do("use")
    new.do("back")

    assert other.client().api_key == SECRET


def test_a_password_that_was_given_for_one_endpoint_opens_no_other(
    steps, browser, sandbox
):
    steps.endpoint.keys.update(expires_on=date(2020, 1, 1))
    steps.do("unlock", password="secret")
    assert "Make a new key" in steps.page().text
    other = Endpoint.objects.create(name="other", base_url=sandbox.url)

    assert "Confirm that it is you" in Steps(browser, other, sandbox).page().text


def test_what_was_proved_for_one_host_counts_for_no_other(steps):
    ApiKey.objects.all().delete()
    steps.do("unlock", password="secret")
    Endpoint.objects.update(base_url="https://evil.example.com")

    page = steps.do("enter", name="web", secret=SECRET)

    assert "Confirm that it is you first." in page.text
    assert not ApiKey.objects.exists()


def test_a_page_that_showed_another_host_enters_no_key(steps):
    steps.unlock()

    page = steps.do("enter", name="web", secret=SECRET, origin="https://old:443")

    assert "The endpoint has moved meanwhile." in page.text
    assert ApiKey.objects.count() == 1


@pytest.mark.parametrize("action", ["use", "discard"])
def test_a_stale_page_does_nothing_to_a_newer_key(steps, action):
    steps.unlock()
    steps.do("enter", name="mine", secret=f"{SECRET}-1")
    mine = keys.staged(steps.endpoint)
    steps.do("enter", name="theirs", secret=f"{SECRET}-2")

    page = steps.do(action, key=str(mine.pk))

    assert "That key is not there any more." in page.text
    assert keys.staged(steps.endpoint).name == "theirs"


def test_a_second_click_on_the_way_back_goes_nowhere(steps):
    steps.unlock()
    steps.do("enter", name="next", secret=SECRET)
    steps.do("use")
    previous = keys.previous(steps.endpoint)
    steps.do("back", key=str(previous.pk))

    steps.do("back", key=str(previous.pk))

    assert steps.in_use() == previous


def test_a_key_that_is_deleted_meanwhile_is_said(steps, monkeypatch):
    steps.unlock()
    steps.do("enter", name="next", secret=SECRET)
    activate = ApiKey.activate

    def too_late(key):
        ApiKey.objects.filter(pk=key.pk).delete()
        activate(key)

    monkeypatch.setattr(ApiKey, "activate", too_late)

    assert "That key is not there any more." in steps.do("use").text
    assert steps.in_use().name == "tests"


def test_a_staged_key_that_has_expired_can_only_be_discarded(steps):
    steps.unlock()
    steps.do("enter", name="next", secret=SECRET)
    steps.endpoint.keys.filter(activated=None).update(expires_on=date(2020, 1, 1))

    assert "discard it" in steps.page().text
    assert "Use the new key" not in steps.page().text
    assert "That key cannot be used. Discard it." in steps.do("use").text


def test_without_a_phone_the_page_says_where_to_enter_one(steps, settings):
    PhoneNumber.objects.all().delete()
    assert "Phone numbers" in steps.page().text

    settings.MAGICLINK_GET_PHONE_NUMBER = lambda user: None
    assert "with the time it was verified" not in steps.page().text
    assert "manage.py magiclink_key" in steps.page().text


@pytest.mark.parametrize("action", ["unlock", "enter", "use", "nothing"])
def test_a_preflight_does_nothing(steps, action):
    ApiKey.objects.all().delete()
    steps.do("unlock", password="secret")
    question = {"X-Approval-Preflight": "1"}

    fields = {"action": action, "name": "web", "secret": SECRET}
    answer = steps.browser.post(steps.url, fields, headers=question)

    assert answer.status_code == 204
    assert answer["X-Approval"] == "pass"
    assert not ApiKey.objects.exists()


@pytest.mark.covers("R32")
@pytest.mark.parametrize("action", ["enter", "unlock"])
def test_a_guard_before_the_page_keeps_no_secret(steps, settings, action):
    settings.MIDDLEWARE = [
        *settings.MIDDLEWARE,
        "django_magiclink.middleware.ApprovalMiddleware",
    ]
    settings.MAGICLINK_RULES = [{"view": "admin:*", "methods": ["POST"]}]

    page = steps.do(action, name="web", secret=SECRET, password="secret-word")

    assert page.status_code == 401
    assert "Open the form again" in page.text
    assert SECRET not in page.text
    assert "secret-word" not in page.text


def test_a_key_in_use_is_neither_deleted_nor_made_to_expire(steps, browser):
    key = steps.in_use()
    address = f"{ADMIN}/apikey/{key.pk}"

    browser.post(f"{address}/change/", {"name": "x", "expires_on": "2020-01-01"})
    alone = browser.post(f"{address}/delete/", {"post": "yes"})
    chosen = {"action": "delete_selected", "_selected_action": key.pk, "post": "yes"}
    together = browser.post(f"{ADMIN}/apikey/", chosen)

    assert (alone.status_code, together.status_code) == (403, 403)
    key.refresh_from_db()
    assert (key.name, key.expires_on) == ("x", None)


def test_a_retired_key_can_be_deleted_and_an_endpoint_with_its_keys(steps, browser):
    steps.unlock()
    steps.do("enter", name="next", secret=SECRET)
    steps.do("use")
    retired = keys.previous(steps.endpoint)

    browser.post(f"{ADMIN}/apikey/{retired.pk}/delete/", {"post": "yes"})
    assert [key.name for key in ApiKey.objects.all()] == ["next"]

    browser.post(f"{ADMIN}/endpoint/{steps.endpoint.pk}/delete/", {"post": "yes"})
    assert not ApiKey.objects.exists()


def test_of_a_short_key_nothing_is_shown(steps):
    steps.unlock()

    page = steps.do("enter", name="web", secret="ab12")

    assert "ab12" not in page.text
    assert keys.staged(steps.endpoint).last_four == ""


def test_the_password_of_a_disabled_endpoint_too(steps):
    Endpoint.objects.update(enabled=False)

    steps.do("unlock", password="secret")

    assert "Make a new key" in steps.page().text


def test_what_was_proved_holds_for_five_minutes(steps):
    ApiKey.objects.all().delete()
    start = timezone.now()
    with time_machine.travel(start, tick=False):
        steps.do("unlock", password="secret")
    with time_machine.travel(start + timedelta(seconds=299), tick=False):
        assert "Make a new key" in steps.page().text

    with time_machine.travel(start + timedelta(seconds=301), tick=False):
        page = steps.do("enter", name="web", secret=SECRET)

    assert "Confirm that it is you first." in page.text
    assert not ApiKey.objects.exists()


def test_without_a_password_there_is_another_way(steps, root):
    ApiKey.objects.all().delete()
    root.set_unusable_password()
    root.save()
    steps.browser.force_login(root)

    assert "manage.py magiclink_key" in steps.page().text


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"secret": ""}, "This field is required"),
        ({"secret": "with space"}, "plain characters without spaces"),
        ({"secret": "å"}, "plain characters without spaces"),
        ({"secret": "a\x07b"}, "plain characters without spaces"),
        ({"secret": "x" * 256}, "at most 255"),
        ({"expires_on": "2020-01-01"}, "That day has passed"),
        ({"expires_on": "soon"}, "Enter a valid date"),
        ({"name": ""}, "This field is required"),
    ],
)
def test_what_cannot_be_a_key_is_said_and_what_was_typed_is_kept(steps, fields, said):
    steps.unlock()
    entered = {"name": "typed", "secret": SECRET} | fields

    page = steps.do("enter", **entered)

    assert page.status_code == 400
    assert said in page.text
    assert SECRET not in page.text
    assert not entered["name"] or 'value="typed"' in page.text
    assert ApiKey.objects.count() == 1


def test_without_field_keys_the_form_says_how_to_make_one(steps, settings):
    ApiKey.objects.all().delete()
    steps.do("unlock", password="secret")
    settings.MAGICLINK_FIELD_KEYS = []

    page = steps.do("enter", name="web", secret=SECRET)

    assert "manage.py magiclink_field_key" in page.text
    assert not ApiKey.objects.exists()


def test_a_staged_key_is_discarded_and_a_newer_one_takes_its_place(steps):
    steps.unlock()
    steps.do("enter", name="one", secret="first")
    steps.do("enter", name="two", secret="second")
    assert [key.name for key in steps.endpoint.keys.filter(activated=None)] == ["two"]

    steps.do("discard")
    again = steps.do("discard")

    assert again.status_code == 200
    assert [key.name for key in steps.endpoint.keys.all()] == ["tests"]
    assert "That key is not there any more." in steps.do("use").text
    assert "That key is not there any more." in steps.do("back").text


def test_a_key_of_the_host_before_is_no_way_back(steps):
    steps.unlock()
    steps.do("enter", name="next", secret=SECRET)
    steps.do("use")
    ApiKey.objects.exclude(retired=None).update(origin="https://x.example.com:443")

    assert "The way back" not in steps.page().text
    assert "That key is not there any more." in steps.do("back").text


def test_no_other_endpoint_is_touched(steps, sandbox):
    other = Endpoint.objects.create(name="other", base_url=sandbox.url)
    ApiKey(endpoint=other, name="other").enter("theirs")
    before = ApiKey.objects.filter(endpoint=other).values().get()
    steps.unlock()
    steps.do("enter", name="next", secret=SECRET)

    steps.do("use")
    steps.do("back")

    assert ApiKey.objects.filter(endpoint=other).values().get() == before


def test_an_issuer_makes_the_key(steps, settings):
    settings.MAGICLINK_KEY_ISSUER = "django_magiclink.sandbox.issuer.issue_key"
    steps.unlock()

    steps.do("issue")
    steps.do("use")

    key = steps.in_use()
    assert key.name == "sandbox"
    assert key.expires_on > timezone.localdate()
    assert steps.try_key().context["trials"][0].answer_code == "TOUCH_ACCEPTED"


def fails(endpoint):
    raise RuntimeError("the secret is in this text")


@pytest.mark.parametrize(
    ("issuer", "said"),
    [
        (fails, "No key could be made there"),
        (lambda endpoint: "only one", "No key could be made there"),
        (lambda endpoint: ("å", None), "No key could be made there"),
        (lambda endpoint: (None, None), "No key could be made there"),
        (lambda endpoint: (b"bytes", None), "No key could be made there"),
        (lambda endpoint: (SECRET, "never"), "No key could be made there"),
        (lambda endpoint: (SECRET, date(2020, 1, 1)), "No key could be made there"),
        ("tests.nowhere.issue", "No key could be made there"),
    ],
)
def test_an_issuer_that_fails_is_said_and_not_quoted(
    steps, settings, caplog, issuer, said
):
    settings.MAGICLINK_KEY_ISSUER = issuer
    steps.unlock()

    page = steps.do("issue")

    assert said in page.text
    assert "secret is in" not in page.text + caplog.text
    assert ApiKey.objects.count() == 1


@pytest.mark.parametrize("issuer", [None, fails])
def test_only_with_an_issuer_there_is_a_button(steps, settings, issuer):
    settings.MAGICLINK_KEY_ISSUER = issuer
    steps.unlock()

    assert ("Get a new key" in steps.page().text) == (issuer is not None)


def test_without_an_issuer_none_is_made(steps):
    steps.unlock()

    assert "No key could be made there" in steps.do("issue").text


def test_what_nobody_offers_is_not_done(steps):
    assert steps.do("nothing").status_code == 404
    assert steps.browser.put(steps.url).status_code == 405
    elsewhere = f"{ADMIN}/endpoint/999/key/"
    assert steps.browser.get(elsewhere).status_code == 404


@pytest.mark.covers("A57")
@pytest.mark.parametrize(
    ("permissions", "key", "test"),
    [
        (["view_endpoint"], 403, 403),
        (["view_endpoint", "change_endpoint"], 403, 200),
        (["regenerate_apikey"], 403, 403),
        (["view_endpoint", "regenerate_apikey"], 200, 200),
        (["add_apikey", "change_apikey", "view_apikey"], 403, 403),
    ],
)
def test_each_page_has_its_permission(endpoint, permissions, key, test):
    staff = get_user_model().objects.create_user("staff", is_staff=True)
    staff.user_permissions.set(Permission.objects.filter(codename__in=permissions))
    browser = Browser()
    browser.force_login(staff)
    pages = f"{ADMIN}/endpoint/{endpoint.pk}"

    assert browser.get(f"{pages}/key/").status_code == key
    assert browser.get(f"{pages}/test/").status_code == test
    posted = browser.post(f"{pages}/key/", {"action": "enter"}).status_code
    assert posted == (302 if key == 200 else 403)
    posted = browser.post(f"{pages}/test/")
    assert posted.status_code == (401 if test == 200 else 403)
    assert test == 403 or posted.json()["reason"] == "no_phone"
    shown = browser.get(f"{pages}/change/").text
    assert ("Replace the key" in shown) == (key == 200)
    assert ("Test with my phone" in shown) == (test == 200)


def test_strangers_log_in_first(client, endpoint):
    answer = client.get(f"{ADMIN}/endpoint/{endpoint.pk}/key/")

    assert answer.status_code == 302
    assert answer.url.startswith("/admin/login/")


def test_the_test_says_what_came_of_it(steps, sandbox):
    declined = steps.try_key("reject")
    row = declined.text

    page = steps.browser.get(steps.url.replace("/key/", "/test/")).text
    assert "TOUCH_REJECTED" in page
    assert "It works" not in row
    assert NUMBER not in page
    assert Approval.objects.get().purpose == "test"


@pytest.mark.parametrize(
    ("change", "said", "reason"),
    [
        (
            lambda: Endpoint.objects.update(enabled=False),
            "is disabled",
            "no_endpoint",
        ),
        (lambda: ApiKey.objects.all().delete(), "has no key that can", "no_endpoint"),
        (
            lambda: PhoneNumber.objects.all().delete(),
            "no phone that counts",
            "no_phone",
        ),
    ],
    ids=["endpoint", "key", "phone"],
)
def test_the_test_says_what_it_lacks(steps, change, said, reason):
    change()
    url = steps.url.replace("/key/", "/test/")

    page = steps.browser.get(url).text

    assert said in page
    assert "Ring my phone" not in page
    assert steps.browser.post(url).json()["reason"] == reason


def test_a_test_opens_nothing(steps):
    steps.try_key()

    assert "Confirm that it is you" in steps.page().text
    assert steps.browser.get("/payroll/").status_code == 401


def test_a_test_works_where_each_request_is_a_transaction(steps, atomic_requests):
    assert "It works" in steps.try_key().text
