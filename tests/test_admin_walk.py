"""The whole admin in Chromium, and whether a key shows anywhere on the way."""

import pytest

from .admin_walk import OURS, AdminWalk
from .browsers import launched

pytestmark = [pytest.mark.needs("chromium"), pytest.mark.covers("R32", "R33", "A54")]

SECRETS = """
from django_magiclink.models import ApiKey
print(*(key.reveal() for key in ApiKey.objects.all()))
"""
AUDITOR = """
from django.contrib.auth.models import Permission, User
auditor = User.objects.create_user("auditor", password="look-only", is_staff=True)
looks = Permission.objects.filter(codename__startswith="view_")
auditor.user_permissions.set(looks.exclude(codename="view_dashboard"))
"""


@pytest.fixture
def context():
    with launched() as browser:
        context = browser.new_context()
        context.set_default_timeout(20_000)
        yield context


@pytest.fixture
def page(context):
    page = context.new_page()
    page.wrong = []
    page.on("pageerror", lambda error: page.wrong.append(str(error)))
    # Also what the bank's own Content-Security-Policy refuses.
    page.on(
        "console",
        lambda said: "Content Security" in said.text and page.wrong.append(said.text),
    )
    yield page
    assert page.wrong == []


def test_no_key_shows_on_the_way_through_the_admin(page, context, demo):
    seen = {}
    walk = AdminWalk(
        page, context.new_page(), demo, lambda name: seen.update({name: page.content()})
    )
    page.bring_to_front()

    walk.log_in("admin", demo.password)
    walk.add_endpoint("Branch")
    secret = walk.set_key("walk")
    walk.test_with_phone()
    walk.use_new_key()
    walk.regenerate()
    walk.roll_back(secret)
    walk.list_endpoints()
    walk.audit()
    seen["export"] = walk.export()
    walk.dashboard()

    secrets = demo.run("shell", "-v0", "-c", SECRETS).stdout.split()
    assert len(secrets) == 3
    assert secret in secrets
    assert {"endpoints", "audit", "approval", "dashboard", "test"} <= seen.keys()
    seen |= {
        path: page.request.get(f"{demo.site}{OURS}{path}").text()
        for path in ["apikey/", "endpoint/2/change/", "endpoint/2/history/"]
    }
    seen["dump"] = demo.run("dumpdata").stdout
    seen["log"] = demo.log.read_text()
    seen["database"] = demo.database.read_bytes().decode("latin-1")
    assert all(seen.values())
    assert not {
        name for name, text in seen.items() for secret in secrets if secret in text
    }
    assert "TOUCH_ACCEPTED" in seen["export"]


@pytest.mark.covers("A57")
def test_who_may_only_look_looks(page, context, demo):
    demo.run("shell", "-v0", "-c", AUDITOR).check_returncode()
    walk = AdminWalk(page, context.new_page(), demo, lambda name: None)
    page.bring_to_front()
    walk.log_in("auditor", "look-only")

    for path in ["", "approval/", "endpoint/", "endpoint/1/change/", "apikey/"]:
        page.goto(f"{demo.site}{OURS}{path}")
        assert page.locator("#content h1").is_visible()
        for action in ["Replace the key", "my phone", "Export", "Dashboard", "Save"]:
            for role in ("link", "button"):
                assert page.get_by_role(role, name=action).count() == 0

    refused = ["endpoint/1/key/", "endpoint/1/test/", "approval/export/"]
    for path in [*refused, "approval/dashboard/", "approval/dashboard/data/"]:
        assert page.goto(f"{demo.site}{OURS}{path}").status == 403
