"""Whose phone counts: the old one says yes, the new one says yes, or staff says why."""

import re

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth import get_user_model
from django.core.exceptions import ImproperlyConfigured
from django.db import transaction
from django.test import Client
from django.utils import timezone

from django_magiclink import approvals
from django_magiclink.models import Approval, PhoneNumber
from django_magiclink.notices import of_phone
from django_magiclink.status import Status

from ..conftest import NUMBER, Browser
from ..servers import until
from ..test_lifecycle import wanted

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.covers("R22", "R23"),
]

NEW = "+46701740677"
OTHER = "+46701740688"
ADMIN = "/admin/django_magiclink/phonenumber"


@pytest.fixture
def newcomer(db):
    """Somebody who has no phone yet."""
    browser = Browser()
    browser.user = get_user_model().objects.create_user("bo")
    browser.force_login(browser.user)
    return browser


def change(browser, number=NEW):
    return browser.post("/phone/", {"number": number})


def rung(sandbox):
    return [call.number for call in sandbox.calls]


def number_of(user):
    return PhoneNumber.objects.of(user)


def test_a_change_is_approved_on_the_old_phone_and_then_on_the_new(
    browser, endpoint, sandbox, user, notices
):
    browser.approve(change(browser), sandbox)
    assert number_of(user) == NUMBER

    second = change(browser)
    assert second.json()["phone"] == "+46*******77"
    browser.approve(second, sandbox)
    assert number_of(user) == NUMBER
    done = change(browser)

    assert done.status_code == 200
    assert number_of(user) == NEW
    assert rung(sandbox) == [NUMBER, NEW]
    texts = [call.params["authentication-text"] for call in sandbox.calls]
    assert texts[0].startswith("Replace this phone by +46*******77.")
    assert texts[1].startswith("Approve as anna with this phone from now on.")
    ((name, kind, details),) = notices
    assert (name, kind) == ("anna", "phone_changed")
    assert details == {"number": "+46*******77", "by": user}


def test_a_change_ends_what_the_old_phone_has_approved(
    browser, endpoint, sandbox, user
):
    browser.approve(browser.get("/payroll/"), sandbox)
    for _ in range(2):
        browser.approve(change(browser), sandbox)
    change(browser)

    assert number_of(user) == NEW
    assert browser.get("/payroll/").json()["phone"] == "+46*******77"


@pytest.mark.parametrize("answer", ["reject", "ignore"])
@pytest.mark.parametrize("step", [1, 2])
def test_without_both_the_old_number_stays(
    browser, endpoint, sandbox, user, answer, step
):
    endpoint.timeout = 15
    endpoint.save()
    for number in range(step):
        browser.approve(
            change(browser), sandbox, answer if number == step - 1 else "accept"
        )

    assert change(browser).status_code == 401
    assert number_of(user) == NUMBER
    assert rung(sandbox) == [NUMBER, NEW][:step]


def test_an_approval_for_one_number_is_none_for_another(
    browser, endpoint, sandbox, user
):
    for _ in range(2):
        browser.approve(change(browser), sandbox)

    refused = change(browser, OTHER)

    assert refused.status_code == 401
    assert refused.json()["phone"] == "+46*******05"
    assert number_of(user) == NUMBER


def test_an_approval_in_one_session_is_none_in_another(
    browser, endpoint, sandbox, user
):
    thief = Browser()
    thief.force_login(user)
    browser.approve(change(browser), sandbox)

    assert change(thief).json()["phone"] == "+46*******05"


def test_a_first_number_counts_once_it_has_approved_itself(
    newcomer, endpoint, sandbox, notices
):
    refused = change(newcomer)
    assert newcomer.get("/payroll/").json()["reason"] == "no_phone"
    newcomer.approve(refused, sandbox)
    assert newcomer.get("/payroll/").json()["reason"] == "no_phone"

    assert change(newcomer).status_code == 200

    assert number_of(newcomer.user) == NEW
    assert rung(sandbox) == [NEW]
    assert [kind for _name, kind, _details in notices] == ["phone_changed"]
    newcomer.approve(newcomer.get("/payroll/"), sandbox)
    assert newcomer.get("/payroll/").status_code == 200


@pytest.mark.parametrize("answer", ["reject", "undeliverable"])
def test_a_first_number_that_says_no_never_counts(
    newcomer, endpoint, sandbox, runs, answer
):
    newcomer.approve(change(newcomer), sandbox, answer)

    assert change(newcomer).status_code == 401
    assert newcomer.get("/payroll/").json()["reason"] == "no_phone"
    assert runs() == []


def test_what_proves_a_number_opens_no_view(newcomer, endpoint, sandbox, runs):
    newcomer.approve(change(newcomer), sandbox)

    for path in ("/payroll/", "/once/"):
        assert newcomer.get(path).status_code in (401, 403)
    assert runs() == []


def test_another_number_in_another_tab_is_not_what_this_tab_asks(
    newcomer, endpoint, sandbox
):
    first = change(newcomer)
    change(newcomer, OTHER)

    refused = newcomer.start(first)

    assert (refused.status_code, refused.json()["reason"]) == (403, "expired")
    assert sandbox.calls == []


def test_a_number_that_changes_before_its_prompt_is_sent_is_not_rung(
    endpoint, sandbox, user
):
    def change_then_perform(pk):
        PhoneNumber.objects.update(number=NEW)
        approvals.perform(pk)

    approval, _ = approvals.request(wanted(), user=user, dispatch=change_then_perform)

    approval.refresh_from_db()
    assert (approval.status, approval.error_kind) == (Status.FAILED, "no_phone")
    assert sandbox.calls == []


def test_a_phone_that_changes_while_it_rings_grants_nothing(
    browser, endpoint, sandbox, user, runs
):
    sandbox.script("manual")
    browser.start(browser.get("/payroll/"))
    until(sandbox.prompts)
    phone = PhoneNumber.objects.get()
    phone.number = NEW
    phone.save()
    sandbox.accept(NUMBER, within=5)
    browser.finish_row()

    assert browser.get("/payroll/").status_code == 401
    assert runs() == []
    assert Approval.objects.get().status == Status.CANCELLED


def test_the_same_number_again_asks_nobody(browser, endpoint, sandbox, user):
    assert change(browser, "+46 70-174 06 05").status_code == 200

    assert sandbox.calls == []
    assert number_of(user) == NUMBER


def test_a_typo_rings_no_phone(browser, endpoint, sandbox):
    answer = change(browser, "070")

    assert answer.status_code == 400
    assert "country code" in answer.text
    assert not Approval.objects.exists()


def test_numbers_that_are_kept_elsewhere_are_changed_there(browser, endpoint, settings):
    settings.MAGICLINK_GET_PHONE_NUMBER = lambda user: NUMBER

    with pytest.raises(ImproperlyConfigured, match=re.escape("approvals.revoke(user)")):
        change(browser)


@pytest.mark.covers("R10")
def test_strangers_are_not_rung_at_will(newcomer, endpoint, sandbox):
    newcomer.approve(change(newcomer), sandbox, "reject")

    limited = newcomer.start(change(newcomer, OTHER))

    assert limited.status_code == 429
    assert limited.json()["retry_after"] > 100
    assert rung(sandbox) == [NEW]


def test_staff_change_a_number_with_a_reason(
    admin, browser, sandbox, endpoint, notices
):
    browser.approve(browser.get("/payroll/"), sandbox)
    phone = PhoneNumber.objects.get()
    now = timezone.now()
    entered = {
        "user": phone.user_id,
        "number": NEW,
        "verified_at_0": f"{now:%Y-%m-%d}",
        "verified_at_1": f"{now:%H:%M:%S}",
    }

    without = admin.post(f"{ADMIN}/{phone.pk}/change/", entered)
    assert "This field is required" in without.text
    assert number_of(phone.user) == NUMBER
    admin.post(
        f"{ADMIN}/{phone.pk}/change/", entered | {"reason": "Lost it, seen in person"}
    )

    assert number_of(phone.user) == NEW
    entry = LogEntry.objects.get()
    assert entry.get_change_message() == "Reason: Lost it, seen in person"
    assert NEW not in str(LogEntry.objects.values())
    assert browser.get("/payroll/").status_code == 401
    assert [(name, kind) for name, kind, _ in notices] == [("anna", "phone_changed")]


def test_staff_take_a_number_away_with_a_reason(admin, browser, endpoint, notices):
    phone = PhoneNumber.objects.get()
    entered = {"number": NUMBER, "reason": "[Lost]"}

    admin.post(f"{ADMIN}/{phone.pk}/change/", entered)

    assert browser.get("/payroll/").json()["reason"] == "no_phone"
    assert [kind for _name, kind, _details in notices] == ["phone_changed"]
    assert LogEntry.objects.get().get_change_message() == "Reason: [Lost]"


def test_a_number_is_not_deleted_without_a_reason(admin, user):
    phone = PhoneNumber.objects.get()
    chosen = {"action": "delete_selected", "_selected_action": phone.pk}

    page = admin.post(f"{ADMIN}/{phone.pk}/delete/", {"post": "yes"}, follow=True)
    admin.post(f"{ADMIN}/", chosen | {"post": "yes"})

    assert "To take a phone away" in page.text
    assert f"{phone.pk}/delete/" not in page.text
    assert PhoneNumber.objects.exists()


def test_a_user_is_deleted_with_the_phone(admin, user):
    admin.post(f"/admin/auth/user/{user.pk}/delete/", {"post": "yes"})

    assert not PhoneNumber.objects.exists()


def test_a_notice_waits_for_the_change_to_be_committed(user, notices):
    with pytest.raises(ZeroDivisionError), transaction.atomic():
        of_phone(user, by=user)
        raise ZeroDivisionError

    assert notices == []


def test_a_number_stays_with_its_user(admin, user):
    bo = get_user_model().objects.create_user("bo")
    phone = PhoneNumber.objects.get()
    entered = {"user": bo.pk, "number": NUMBER, "reason": "Theirs now"}

    admin.post(f"{ADMIN}/{phone.pk}/change/", entered)

    assert PhoneNumber.objects.get().user == user


@pytest.mark.parametrize("spelling", ["070-174 06 05", "call me"])
def test_a_number_that_cannot_be_read_is_not_replaced_without_it(
    browser, endpoint, sandbox, spelling
):
    PhoneNumber.objects.update(number=spelling)

    refused = change(browser)

    assert refused.json()["reason"] == "no_phone"
    assert not PhoneNumber.objects.filter(number=NEW).exists()


def test_a_number_that_another_tab_has_entered_meanwhile_proves_nothing_of_this_one(
    newcomer, endpoint, sandbox, monkeypatch
):
    propose = type(PhoneNumber.objects).propose

    def propose_both(manager, user, number):
        propose(manager, user, number)
        propose(manager, user, OTHER)

    monkeypatch.setattr(type(PhoneNumber.objects), "propose", propose_both)
    refused = change(newcomer)

    assert refused.json()["reason"] == "expired"
    assert "challenge" not in refused.json()


def test_a_stranger_logs_in_first(db, endpoint):
    assert change(Client()).json()["reason"] == "login"
    assert not PhoneNumber.objects.exists()


@pytest.mark.covers("R10")
def test_strangers_are_not_rung_one_after_the_other(newcomer, endpoint, sandbox):
    sandbox.script("manual")
    newcomer.start(change(newcomer))
    until(sandbox.prompts)

    assert newcomer.start(change(newcomer, OTHER)).status_code == 429
    assert rung(sandbox) == [NEW]
