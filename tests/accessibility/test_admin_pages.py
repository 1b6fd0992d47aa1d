"""Our pages in Django's admin, for people who see and move otherwise."""

from functools import partial

import pytest
from django.contrib.auth import get_user_model
from django.utils import timezone
from playwright.sync_api import expect

from django_magiclink import bypasses
from django_magiclink.models import Approval, Bypass, PhoneNumber

from .eyes import faults, faults_in_admin

pytestmark = [pytest.mark.needs("chromium"), pytest.mark.django_db(transaction=True)]

OURS = "/admin/django_magiclink"
ADMINS = "+46701740606"


@pytest.fixture
def look(look):
    return partial(look, by=faults_in_admin)


@pytest.fixture
def admin(come, visit):
    admin = get_user_model().objects.create_superuser("admin")
    PhoneNumber.objects.create(user=admin, number=ADMINS, verified_at=timezone.now())
    come(admin)
    return admin


def test_what_is_planted_is_found(page):
    page.set_content("""<!DOCTYPE html><html lang="en"><title>Planted</title>
        <main id="content"><h1>Planted</h1><input><p style="width: 600px">Wide</p>
        <input class="vDateField"></main>""")

    kinds = [each.partition(":")[0] for each in faults_in_admin(page)]

    # Django's own field is left to Django.
    assert kinds.count("label") == 1
    assert "wide" in kinds


def test_an_endpoint(admin, visit, look, page, press, sandbox, endpoint):
    form = f"{OURS}/endpoint/{endpoint.pk}"
    visit(f"{OURS}/endpoint/")
    look("endpoints")
    visit(f"{OURS}/endpoint/add/")
    look("add")
    visit(f"{form}/change/")
    look("change")
    visit(f"{form}/test/")
    look("test")
    press("Ring my phone")
    expect(page.get_by_role("dialog")).to_contain_text("Answer on your phone")
    look("test, dialog", "dialog", by=faults)
    sandbox.accept(ADMINS)
    expect(page.get_by_text("It works")).to_be_visible(timeout=15_000)
    look("tested")
    visit(f"{form}/key/")
    look("key, locked")
    press("Approve with my phone")
    expect(page.get_by_role("dialog")).to_contain_text("Answer on your phone")
    sandbox.accept(ADMINS)
    expect(page.get_by_label("API key")).to_be_visible(timeout=15_000)
    look("key, enter")
    page.get_by_label("Friendly name").fill("Web site")
    page.get_by_label("API key").fill(sandbox.issue_key())
    press("Keep it, to try it")
    expect(page.get_by_role("button", name="Use the new key")).to_be_visible()
    look("key, staged")
    press("Use the new key")
    expect(page.get_by_role("button", name="Use it again")).to_be_visible()
    look("key, back")


def test_the_audit(admin, visit, look, page, user):
    row = Approval.objects.create(user=user, user_name="anna", scope="payroll")
    for path in [
        *("", "/approval/", f"/approval/{row.pk}/change/", "/approval/dashboard/"),
        *("/apikey/", "/phonenumber/", "/phonenumber/add/"),
        f"/phonenumber/{user.magiclink_phone.pk}/change/",
    ]:
        visit(f"{OURS}{path}")
        look(path)
    visit(f"/admin/auth/user/{user.pk}/change/")
    look("user")


def test_a_login_without_the_phone(admin, visit, look, page, press, user):
    bypasses.allow(Bypass(user=user, reason="The phone was lost."), admin)
    visit(f"{OURS}/bypass/")
    look("bypasses")
    visit(f"{OURS}/bypass/{Bypass.objects.get().pk}/change/")
    look("bypass")
    visit(f"{OURS}/bypass/add/")
    look("add")
    page.get_by_label("User").fill(str(user.pk))
    page.get_by_label("Reason").fill("The phone was lost.")
    press("Save")
    expect(page.get_by_text("log in once without their phone")).to_be_visible()
    look("asked for")


def test_a_page_that_asks_in_the_admin_has_its_look_and_not_its_links(
    admin, visit, page, press, user
):
    visit(f"{OURS}/bypass/add/")
    page.get_by_label("User").fill(str(user.pk))
    page.get_by_label("Reason").fill("The phone was lost.")
    press("Save")
    expect(page.locator("#site-name")).to_be_visible()
    assert page.locator("#user-tools, #nav-sidebar, .breadcrumbs").count() == 0
    card = page.locator("[data-magiclink-card]")
    for theme, colour in [("dark", "rgb(18, 18, 18)"), ("light", "rgb(255, 255, 255)")]:
        page.evaluate("theme => document.documentElement.dataset.theme = theme", theme)
        expect(page.locator("body")).to_have_css("background-color", colour)
        expect(card).to_have_css("background-color", colour)
