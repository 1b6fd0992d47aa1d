import re
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from threading import Barrier
from types import SimpleNamespace

import pytest
import time_machine
from django.contrib.admin import site
from django.contrib.auth import BACKEND_SESSION_KEY, SESSION_KEY, get_user_model
from django.contrib.auth.models import Permission
from django.db import connections
from django.utils import timezone

from django_magiclink import bypasses
from django_magiclink.admin.users import BypassInline
from django_magiclink.models import Approval, Bypass, PhoneNumber
from django_magiclink.retention import purge
from django_magiclink.signals import bypass_changed, security_notice
from django_magiclink.status import Status
from django_magiclink.wanted import Wanted

from ..conftest import Browser
from ..doors.grants import GUARD, NAVIGATION

ADD = "/admin/django_magiclink/bypass/add/"
LIST = "/admin/django_magiclink/bypass/"
USE = "/magiclink/bypass/"
BUTTON = "Log in without my phone"
LOGIN = {"all": True, "scope": "login", "max_age": "session"}
PASSWORD = "django.contrib.auth.backends.ModelBackend"  # noqa: S105

with_database = pytest.mark.django_db(transaction=True)


@pytest.fixture
def doors(settings):
    settings.ROOT_URLCONF = "tests.doors.urls"
    settings.MIDDLEWARE = [*settings.MIDDLEWARE, GUARD]
    settings.MAGICLINK_RULES = [LOGIN]


@pytest.fixture
def helper(db):
    """One of the staff who may let others in, with a phone."""
    helper = get_user_model().objects.create_user("helper", password="x", is_staff=True)
    helper.user_permissions.add(Permission.objects.get(codename="allow_bypass"))
    PhoneNumber.objects.create(
        user=helper, number="+46701740699", verified_at=timezone.now()
    )
    return helper


@pytest.fixture
def desk(helper):
    desk = Browser()
    desk.force_login(helper)
    return desk


@pytest.fixture
def anna(doors, user):
    return came(user)


def came(user):
    browser = Browser(headers=NAVIGATION)
    browser.force_login(user, PASSWORD)
    return browser


def fields(user, reason="The phone was lost."):
    return {"user": user.pk, "reason": reason}


def allowed(user, by=None):
    bypass = Bypass(user=user, reason="The phone was lost.")
    bypasses.allow(bypass, by)
    return bypass


def challenge_of(page):
    return re.search(r'name="challenge" value="([^"]+)"', page.content.decode())[1]


def use(browser, page):
    return browser.post(USE, {"challenge": challenge_of(page)})


def heard(signal, into):
    def receive(sender, **kwargs):
        into.append(kwargs)

    signal.connect(receive, weak=False)
    return receive


@with_database
@pytest.mark.covers("R24", "R51", "R56")
def test_staff_let_a_user_in_once_with_a_reason_and_their_own_approval(
    user, desk, helper, endpoint, sandbox
):
    said, told = [], []
    receivers = [heard(security_notice, said), heard(bypass_changed, told)]

    refused = desk.post(ADD, fields(user))
    before = Bypass.objects.count()
    desk.approve(refused, sandbox)
    done = desk.post(ADD, fields(user))
    again = desk.post(ADD, fields(user, "Another"))

    security_notice.disconnect(receivers[0])
    bypass_changed.disconnect(receivers[1])
    assert refused.status_code == 401
    assert refused.json()["max_age"] == 0
    assert refused.json()["text"] == "Let anna log in once without their phone"
    assert before == 0
    assert done.status_code == 302
    assert again.status_code == 401
    [bypass] = Bypass.objects.all()
    assert (bypass.user, bypass.by, bypass.reason) == (
        user,
        helper,
        "The phone was lost.",
    )
    assert [each["action"] for each in told] == ["allowed"]
    kinds = {each["kind"]: each["details"] for each in said}
    assert kinds["bypass_allowed"] == {"until": bypass.until, "by": helper}
    assert "The phone was lost." in desk.get(LIST).content.decode()


@with_database
@pytest.mark.covers("R24")
@pytest.mark.parametrize("whom", ["self", "superuser", "inactive", "no reason"])
def test_for_some_it_is_allowed_by_nobody(user, desk, helper, endpoint, sandbox, whom):
    user.is_superuser, user.is_active = whom == "superuser", whom != "inactive"
    user.save()
    sent = fields(helper if whom == "self" else user)
    if whom == "no reason":
        sent["reason"] = " "

    answer = desk.post(ADD, sent)

    # The form says why, and no phone rings.
    assert answer.status_code == 200
    assert "errorlist" in answer.content.decode()
    assert not Bypass.objects.exists()


@with_database
@pytest.mark.covers("R24")
def test_staff_without_the_permission_allow_and_end_nothing(user, desk, helper):
    helper.user_permissions.set([Permission.objects.get(codename="view_bypass")])
    bypass = allowed(user)

    added = desk.post(ADD, fields(user))
    desk.post(LIST, {"action": "end", "_selected_action": [bypass.pk]})

    assert added.status_code == 403
    assert desk.get(f"{LIST}{bypass.pk}/change/").status_code == 200
    assert desk.post(f"{LIST}{bypass.pk}/delete/").status_code == 403
    assert Bypass.objects.open().count() == 1


@with_database
@pytest.mark.covers("R24", "R05")
def test_it_opens_the_second_step_in_one_session_once(anna, user, endpoint, runs):
    other = came(user)
    page, elsewhere = anna.get("/unguarded/"), other.get("/unguarded/")
    without = BUTTON in page.content.decode()
    allowed(user)
    page = anna.get("/unguarded/")

    used = use(anna, page)
    late = use(other, elsewhere)

    assert not without
    assert BUTTON in page.content.decode()
    assert (used.status_code, used["Location"]) == (303, "/unguarded/")
    assert anna.get("/unguarded/").status_code == 200
    assert late.status_code == 303
    refused = other.get("/unguarded/")
    assert refused.status_code == 401
    assert BUTTON not in refused.content.decode()
    assert str(Bypass.objects.get()) == "Used"
    assert Approval.objects.get().answer_code == bypasses.ANSWER


@with_database
@pytest.mark.covers("R24")
def test_it_is_there_for_a_user_without_a_phone(anna, user, endpoint):
    PhoneNumber.objects.all().delete()
    allowed(user)

    use(anna, anna.get("/unguarded/"))

    assert anna.get("/unguarded/").status_code == 200


@with_database
@pytest.mark.covers("R24")
def test_it_opens_no_step_up(anna, user, endpoint, settings):
    settings.MAGICLINK_RULES = [LOGIN, {"view": "unguarded", "scope": "default"}]
    allowed(user)
    use(anna, anna.get("/aunguarded/"))

    refused = anna.get("/unguarded/")
    allowed(user)

    assert anna.get("/aunguarded/").status_code == 200
    assert refused.status_code == 401
    assert BUTTON not in anna.get("/unguarded/").content.decode()
    assert use(anna, refused).status_code == 303
    assert anna.get("/unguarded/").status_code == 401
    assert Bypass.objects.open().count() == 1


@with_database
@pytest.mark.covers("R24", "R27")
@pytest.mark.parametrize(
    "backend, max_age",
    [("django_magiclink.backends.MagicLinkBackend", "session"), (PASSWORD, 0)],
)
def test_it_is_for_no_login_by_the_phone_alone_and_no_single_use(
    doors, user, endpoint, settings, backend, max_age
):
    settings.AUTHENTICATION_BACKENDS = [backend]
    settings.MAGICLINK_RULES = [LOGIN | {"max_age": max_age}]
    anna = Browser(headers=NAVIGATION)
    anna.force_login(user, backend)
    allowed(user)

    page = anna.get("/unguarded/")
    use(anna, page)

    assert BUTTON not in page.content.decode()
    assert anna.get("/unguarded/").status_code == 401
    assert Bypass.objects.open().count() == 1


@with_database
@pytest.mark.covers("R24")
@pytest.mark.parametrize("how", ["time", "staff", "another"])
def test_it_ends(anna, user, desk, helper, endpoint, how, settings):
    bypass = allowed(user)
    page = anna.get("/unguarded/")
    now = timezone.now()
    if how == "staff":
        # Staff are past the second step.
        settings.MAGICLINK_RULES = []
        desk.post(LIST, {"action": "end", "_selected_action": [bypass.pk]})
        settings.MAGICLINK_RULES = [LOGIN]
    elif how == "another":
        newer = allowed(user, helper)
        bypasses.end(Bypass.objects.filter(pk=newer.pk), helper)
        # What has ended is not ended again.
        assert bypasses.end(Bypass.objects.all(), helper) == 0

    with time_machine.travel(now.timestamp() + (901 if how == "time" else 0)):
        shown = str(Bypass.objects.get(pk=bypass.pk))
        # The signed challenge is too old by then, and any other page says no as well.
        use(anna, page if how != "time" else anna.get("/unguarded/"))
        refused = anna.get("/unguarded/")

    assert shown == ("Expired" if how == "time" else "Ended")
    assert refused.status_code == 401
    assert not Approval.objects.exists()


@with_database
@pytest.mark.covers("R13", "R14")
def test_only_the_sessions_own_challenge_uses_it(anna, user, endpoint):
    allowed(user)
    page = anna.get("/unguarded/")
    strict = Browser(headers=NAVIGATION, enforce_csrf_checks=True)
    strict.cookies = anna.cookies

    answers = [
        anna.get(USE).status_code,
        anna.post(USE, {"challenge": "x"}).status_code,
        came(user).post(USE, {"challenge": challenge_of(page)}).status_code,
        strict.post(USE, {"challenge": challenge_of(page)}).status_code,
    ]

    assert answers == [405, 403, 403, 403]
    assert Bypass.objects.open().count() == 1


@with_database
@pytest.mark.covers("R24")
def test_a_challenge_that_is_too_old_uses_nothing(anna, user, endpoint):
    page = anna.get("/unguarded/")
    with time_machine.travel(timezone.now().timestamp() + 700):
        allowed(user)
        use(anna, page)

        assert Bypass.objects.open().count() == 1


@with_database
@pytest.mark.covers("R17")
def test_a_form_goes_on_with_what_was_typed(anna, user, endpoint):
    allowed(user)
    page = anna.post("/unguarded/", {"amount": "10"})
    typed = {"challenge": challenge_of(page), "_approval_fields": "amount=10"}

    answer = anna.post(USE, typed)

    content = answer.content.decode()
    assert answer.status_code == 200
    assert 'data-state="accepted"' in content
    assert 'name="amount" value="10"' in content


@with_database
@pytest.mark.covers("R28")
def test_a_user_who_is_not_active_uses_nothing(user):
    bypass = allowed(user)
    user.is_active = False

    assert not bypasses.use(*asked(user))
    assert Bypass.objects.open().get() == bypass


@with_database
@pytest.mark.covers("R28", "A24")
@pytest.mark.parametrize("whose", ["user", "by"])
def test_who_is_deactivated_neither_uses_one_nor_has_allowed_one(
    anna, user, helper, endpoint, whose
):
    bypass = allowed(user, helper)
    page = anna.get("/unguarded/")
    gone = user if whose == "user" else helper
    gone.is_active = False
    gone.save()
    gone.is_active = True
    gone.save()

    use(anna, page)

    assert anna.get("/unguarded/").status_code == 401
    assert str(Bypass.objects.get(pk=bypass.pk)) == "Ended"


@with_database
@pytest.mark.covers("R22")
@pytest.mark.parametrize("taken", [True, False])
def test_another_phone_ends_it_and_one_that_is_taken_away_does_not(user, taken):
    allowed(user)
    user.magiclink_phone.number = "+46701740677"
    if taken:
        user.magiclink_phone.verified_at = None
    user.magiclink_phone.save()

    assert Bypass.objects.open().exists() == taken


@with_database
@pytest.mark.covers("R20", "A12")
def test_a_session_that_somebody_else_knows_is_not_let_in(anna, user, endpoint, runs):
    thief = Browser(headers=NAVIGATION)
    thief.cookies["sessionid"] = anna.cookies["sessionid"].value
    allowed(user)

    use(anna, anna.get("/unguarded/"))

    assert anna.get("/unguarded/").status_code == 200
    thief.get("/unguarded/")
    assert SESSION_KEY not in thief.session


@with_database
def test_the_users_page_says_so_and_changes_nothing(user, rf, django_user_model):
    bypass = allowed(user)

    inline = BypassInline(django_user_model, site)

    assert str(inline.state(bypass)) == "Active"
    assert not inline.has_add_permission(rf.get("/"))


@with_database
@pytest.mark.covers("R55")
def test_it_is_not_kept_for_longer_than_approvals_are(user):
    old, new = allowed(user), allowed(user)
    then = timezone.now() - timedelta(days=31)
    Bypass.objects.filter(pk=old.pk).update(until=then)

    purge()

    assert Bypass.objects.get() == new


@pytest.mark.needs("postgres")
@pytest.mark.covers("R05")
def test_of_sessions_that_race_one_wins(on_postgres):
    user = get_user_model().objects.create(username="racer")
    allowed(user)
    together = Barrier(8)

    def race(number):
        together.wait()
        try:
            return bypasses.use(*asked(user, f"session{number}"))
        finally:
            connections["postgres"].close()

    with ThreadPoolExecutor(8) as pool:
        won = list(pool.map(race, range(8)))

    assert won.count(True) == 1
    rows = Approval.objects.using("postgres").filter(user=user.pk)
    assert rows.filter(status=Status.ACCEPTED).count() == 1


def asked(user, session="session"):
    wanted = Wanted(
        binding=session,
        max_age="session",
        purpose="login",
        scope="login",
        endpoint="",
        timeout=None,
        code="",
        text="",
        session_hash=session,
    )
    request = SimpleNamespace(user=user, session={BACKEND_SESSION_KEY: PASSWORD})
    return request, wanted
