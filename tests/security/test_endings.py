"""What ends a grant ends it at once, wherever sessions are kept."""

from datetime import timedelta

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Permission
from django.test import Client
from django.utils import timezone

from django_magiclink import approvals
from django_magiclink.models import Approval, PhoneNumber
from django_magiclink.signals import approval_changed
from django_magiclink.status import Status

from ..conftest import Browser
from ..servers import until

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.covers("R21"),
]

ENGINES = ["db", "cached_db", "cache", "signed_cookies", "file"]
ADMIN = "/admin/django_magiclink"


def log_out(browser, user, endpoint):
    browser.logout()


def change_password(browser, user, endpoint):
    user.set_password("another")
    user.save()


def deactivate(browser, user, endpoint):
    user.is_active = False
    user.save()


def deactivate_and_back(browser, user, endpoint):
    deactivate(browser, user, endpoint)
    user.is_active = True
    user.save()


def change_phone(browser, user, endpoint):
    phone = PhoneNumber.objects.get(user=user)
    phone.number = "+46701740699"
    phone.save()


def take_phone_away(browser, user, endpoint):
    PhoneNumber.objects.get().delete()


def doubt_phone(browser, user, endpoint):
    phone = PhoneNumber.objects.get(user=user)
    phone.verified_at = None
    phone.save(update_fields=["verified_at"])


def disable_endpoint(browser, user, endpoint):
    endpoint.enabled = False
    endpoint.save()


def delete_endpoint(browser, user, endpoint):
    endpoint.delete()


def staff_revokes(browser, user, endpoint):
    staff = get_user_model().objects.create_user("staff", is_staff=True)
    names = ["view_approval", "revoke_approval"]
    staff.user_permissions.set(Permission.objects.filter(codename__in=names))
    client = Client()
    client.force_login(staff)
    chosen = {"action": "revoke_users", "_selected_action": Approval.objects.get().pk}
    answer = client.post(f"{ADMIN}/approval/", chosen, follow=True)
    assert "1 approval has ended." in answer.text
    entry = LogEntry.objects.get()
    assert (entry.user, entry.change_message) == (
        staff,
        "All approvals of the user were ended.",
    )


def project_revokes(browser, user, endpoint):
    approvals.revoke(user)


EVENTS = [
    log_out,
    change_password,
    deactivate,
    deactivate_and_back,
    change_phone,
    take_phone_away,
    doubt_phone,
    disable_endpoint,
    delete_endpoint,
    staff_revokes,
    project_revokes,
]


@pytest.fixture(params=ENGINES)
def browser(user, settings, request, tmp_path):
    settings.SESSION_ENGINE = f"django.contrib.sessions.backends.{request.param}"
    settings.SESSION_FILE_PATH = str(tmp_path)
    browser = Browser()
    browser.force_login(user)
    return browser


@pytest.fixture
def copy(browser):
    """Sends the cookies that the browser had before, as whoever copied them would."""

    def copy_cookies():
        copy = Browser()
        copy.cookies.load({name: one.value for name, one in browser.cookies.items()})
        return copy

    return copy_cookies


@pytest.mark.covers("A11", "A15")
@pytest.mark.parametrize("event", EVENTS, ids=lambda event: event.__name__)
def test_a_grant_ends_at_once(browser, endpoint, sandbox, user, runs, event, copy):
    browser.approve(browser.get("/payroll/"), sandbox)
    assert browser.get("/payroll/").status_code == 200
    before = copy()

    event(browser, user, endpoint)

    assert before.get("/payroll/").status_code in (401, 403)
    assert browser.get("/payroll/").status_code in (401, 403)
    assert runs() == ["payroll"]


@pytest.mark.covers("A11", "A15", "R28")
@pytest.mark.parametrize("event", EVENTS, ids=lambda event: event.__name__)
def test_a_prompt_on_the_phone_grants_nothing_any_more(
    browser, endpoint, sandbox, user, runs, event, copy
):
    sandbox.script("manual")
    browser.start(browser.get("/payroll/"))
    until(sandbox.prompts)
    before = copy()

    event(browser, user, endpoint)
    sandbox.accept()
    browser.finish_row()
    user.is_active = True
    user.save()
    PhoneNumber.objects.update_or_create(
        user=user, defaults={"number": "+46701740605", "verified_at": timezone.now()}
    )

    assert before.get("/payroll/").status_code == 401
    assert browser.get("/payroll/").status_code == 401
    assert runs() == []


@pytest.mark.parametrize("event", [change_phone, disable_endpoint, project_revokes])
def test_whoever_waits_is_told_that_it_was_withdrawn(event, user, endpoint, sandbox):
    browser = Browser()
    browser.force_login(user)
    sandbox.script("manual")
    started = browser.start(browser.get("/payroll/"))
    until(sandbox.prompts)

    event(browser, user, endpoint)
    sandbox.accept()
    until(Approval.objects.exclude(answered=None).exists)

    status = browser.get(started.json()["status_url"]).json()
    assert status["status"] == "cancelled"
    assert "withdrawn" in status["message"]


@pytest.mark.parametrize("event", EVENTS, ids=lambda event: event.__name__)
def test_it_ends_in_the_audit_too(event, user, endpoint, sandbox, settings):
    browser = Browser()
    browser.force_login(user)
    browser.approve(browser.get("/payroll/"), sandbox)

    event(browser, user, endpoint)

    # A new password ends it by what the approval is bound to, not by its status.
    kept = event is change_password
    assert Approval.objects.get().status == (
        Status.ACCEPTED if kept else Status.REVOKED
    )


@pytest.mark.covers("R51")
@pytest.mark.parametrize("has_phone", [True, False])
def test_a_user_who_is_deleted_leaves_no_grant_behind(user, has_phone, told):
    if not has_phone:
        PhoneNumber.objects.all().delete()
    granted = Approval.objects.create(user=user, status=Status.ACCEPTED)
    later = timezone.now() + timedelta(seconds=60)
    asked = Approval.objects.create(user=user, status=Status.SENT, deadline=later)

    user.delete()

    granted.refresh_from_db()
    asked.refresh_from_db()
    assert (granted.status, asked.status) == (Status.REVOKED, Status.CANCELLED)
    assert sorted(told) == sorted(
        [(granted.pk, Status.REVOKED), (asked.pk, Status.CANCELLED)]
    )


@pytest.fixture
def told():
    """What the signal told."""
    heard = []

    def receive(sender, pk, status, **kwargs):
        heard.append((pk, status))

    approval_changed.connect(receive)
    yield heard
    approval_changed.disconnect(receive)


def test_a_number_that_is_not_yet_proved_ends_nothing(user, endpoint, sandbox):
    browser = Browser()
    browser.force_login(user)
    browser.approve(browser.get("/payroll/"), sandbox)
    phone = PhoneNumber.objects.get(user=user)
    phone.pending_number = "+46701740699"

    phone.save(update_fields=["pending_number"])

    assert browser.get("/payroll/").status_code == 200


def test_the_grants_of_others_go_on(user, endpoint, sandbox):
    bo = get_user_model().objects.create_user("bo")
    PhoneNumber.objects.create(
        user=bo, number="+46701740611", verified_at=timezone.now()
    )
    bos = Browser()
    bos.force_login(bo)
    bos.approve(bos.get("/payroll/"), sandbox)
    anna = Browser()
    anna.force_login(user)
    anna.approve(anna.get("/payroll/"), sandbox)

    change_phone(anna, user, endpoint)
    project_revokes(anna, user, endpoint)
    deactivate(anna, user, endpoint)

    assert bos.get("/payroll/").status_code == 200


def test_what_does_not_concern_a_grant_does_not_end_it(user, endpoint, sandbox):
    browser = Browser()
    browser.force_login(user)
    browser.approve(browser.get("/payroll/"), sandbox)

    user.first_name = "Anna"
    user.save()
    endpoint.timeout = 90
    endpoint.save()
    PhoneNumber.objects.propose(user, "+46701740699")

    assert browser.get("/payroll/").status_code == 200


def test_staff_without_the_permission_cannot_revoke(user, db):
    approval = Approval.objects.create(
        user=user, status=Status.ACCEPTED, answered=timezone.now()
    )
    staff = get_user_model().objects.create_user("staff", is_staff=True)
    staff.user_permissions.set(Permission.objects.filter(codename="view_approval"))
    client = Client()
    client.force_login(staff)

    chosen = {"action": "revoke_users", "_selected_action": approval.pk}
    client.post(f"{ADMIN}/approval/", chosen)

    approval.refresh_from_db()
    assert approval.status == Status.ACCEPTED
