"""Class-based views, model admins and admin sites behind an approval."""

import re

import django
import pytest
from django.contrib.admin import AdminSite, ModelAdmin, action
from django.contrib.admin.actions import delete_selected
from django.contrib.auth.models import Group, Permission
from django.core.exceptions import ImproperlyConfigured
from django.http import HttpResponse
from django.test import Client
from django.urls import include, path
from django.views import View
from django.views.generic import TemplateView

from django_magiclink.mixins import (
    ApprovalAdminSiteMixin,
    ApprovalModelAdminMixin,
    ApprovalRequiredMixin,
)
from django_magiclink.models import Approval
from django_magiclink.status import Status

from .conftest import Browser
from .doors import admin as sites
from .doors import urls as door_urls
from .doors.grants import HTML, NAVIGATION, grant
from .models import Run

pytestmark = pytest.mark.django_db

RUNS = "/models/tests/run/"
USERS = "/models/auth/user/"
WINDOW = {"max_age": 300}


@pytest.fixture(autouse=True)
def doors(settings):
    settings.ROOT_URLCONF = "tests.doors.urls"


@pytest.fixture
def staff(user):
    user.is_staff = user.is_superuser = True
    user.save()
    return user


@pytest.fixture
def there(staff):
    return Run.objects.create(pk=1, view="there")


def names():
    """The rows of the admin's model, without those that note a run."""
    rows = Run.objects.exclude(view="Noting").order_by("pk")
    return list(rows.values_list("view", flat=True))


# Class-based views.


def test_attributes_are_the_options(browser, endpoint, runs):
    assert browser.get("/attributed/").status_code == 200

    refused = browser.post("/attributed/", {"who": "Bo"})

    assert refused["WWW-Authenticate"] == 'MagicLink scope="attributed", max_age=60'
    assert refused.json()["text"] == "Delete Bo"
    assert runs() == ["Attributed"]


def test_keywords_of_as_view_win(browser, endpoint, runs):
    refused = browser.post("/keyworded/", {"who": "Bo"})

    assert refused["WWW-Authenticate"] == 'MagicLink scope="keyword", max_age=60'
    assert browser.post("/attributed/", {"who": "Bo"}).json()["scope"] == "attributed"


def test_functions_as_attributes_get_no_self(browser, endpoint, runs):
    assert browser.get("/called/7/?when=no").status_code == 200
    assert browser.get("/called/7/").json()["text"] == "Said 7"
    assert browser.get("/called_by_keyword/7/").json()["text"] == "Keyword 7"
    assert browser.get("/called/7/?endpoint=none").json()["reason"] == "no_endpoint"
    assert runs() == ["Called"]


@pytest.mark.parametrize(
    ("attributes", "said"),
    [
        ({"approval_scop": "x"}, "Is approval_scope meant"),
        ({"approval_maxage": 60}, "Is approval_max_age meant"),
        ({"approval_method": ["POST"]}, "Is approval_methods meant"),
        ({"approval_scope": "Not One"}, "scope="),
        ({"approval_max_age": -1}, "max_age="),
        ({"approval_text": "{who}"}, "names who, which params does not"),
    ],
)
def test_wrong_attributes_are_said_when_the_view_is_made(attributes, said):
    view = type("Wrong", (ApprovalRequiredMixin, View), attributes)

    with pytest.raises(ImproperlyConfigured, match=said):
        view.as_view()


def test_attributes_of_the_views_own_may_begin_the_same():
    own = {"approval_history": [], "approval_state": "x"}

    assert type("Own", (ApprovalRequiredMixin, View), own).as_view()


def test_a_keyword_that_is_no_attribute_is_djangos_own_error():
    with pytest.raises((TypeError, ImproperlyConfigured)):
        type("Own", (ApprovalRequiredMixin, View), {}).as_view(approval_scop="x")


@pytest.mark.parametrize(
    "bases", [(View, ApprovalRequiredMixin), (TemplateView, ApprovalRequiredMixin)]
)
def test_the_mixin_stands_left_of_the_view(bases):
    with pytest.raises(ImproperlyConfigured, match="left of the view's class"):
        type("Wrong", bases, {})


def test_a_mixin_for_mixins_may_stand_anywhere_left_of_the_view():
    between = type("Between", (ApprovalRequiredMixin,), {})

    assert type("Right", (between, TemplateView), {}).as_view()
    with pytest.raises(ImproperlyConfigured, match="left of the view's class"):
        type("Wrong", (View, between), {})


def test_a_guarded_class_keeps_what_as_view_says(browser, endpoint):
    view = type("Kept", (ApprovalRequiredMixin, View), {}).as_view()

    assert view.view_class.__name__ == "Kept"
    assert view.approval_requirements[0].scope == "default"


def test_what_a_class_lets_through_is_kept_from_caches(browser, endpoint):
    grant(browser.get("/mixed/"))

    assert browser.get("/mixed/")["Cache-Control"] == "private, no-store"


# Model admins.


def test_an_addition_waits_for_an_approval(browser, endpoint, staff):
    values = {"view": "new", "seen": '{"a": 1}'}
    assert browser.get(f"{RUNS}add/").status_code == 200

    refused = browser.post(f"{RUNS}add/", values)
    assert refused.status_code == 401
    assert names() == []
    grant(refused)

    assert browser.post(f"{RUNS}add/", values).status_code == 302
    assert names() == ["new"]


def test_a_change_waits_for_an_approval(browser, endpoint, there):
    values = {"view": "changed", "seen": '{"a": 1}'}
    assert browser.get(f"{RUNS}1/change/").status_code == 200

    refused = browser.post(f"{RUNS}1/change/", values)
    assert refused.json()["text"] == "Change a run"
    assert names() == ["there"]
    grant(refused)

    # A form that is not right may be sent again.
    assert browser.post(f"{RUNS}1/change/", {}).status_code == 200
    assert browser.post(f"{RUNS}1/change/", values).status_code == 302
    assert names() == ["changed"]


def test_a_deletion_waits_for_an_approval(browser, endpoint, there):
    assert browser.get(f"{RUNS}1/delete/").status_code == 200

    refused = browser.post(f"{RUNS}1/delete/", {"post": "yes"})
    assert refused.json()["scope"] == "delete"
    assert names() == ["there"]
    grant(refused, scope="delete", max_age=60)

    assert browser.post(f"{RUNS}1/delete/", {"post": "yes"}).status_code == 302
    assert names() == []


@pytest.mark.django_db(transaction=True)
def test_an_admin_asks_with_a_page_that_carries_the_form(
    browser, endpoint, sandbox, there
):
    values = {"view": "changed", "seen": '{"a": 1}'}
    page = browser.post(f"{RUNS}1/change/", values, headers=NAVIGATION)
    assert page.status_code == 401
    assert '<input type="hidden" name="view" value="changed">' in page.text
    refused = browser.post(f"{RUNS}1/change/", values)

    browser.approve(refused, sandbox)

    assert browser.post(f"{RUNS}1/change/", values).status_code == 302
    assert names() == ["changed"]


@pytest.mark.parametrize(
    ("method", "url"), [("get", "/guarded/"), ("post", f"{RUNS}add/")]
)
def test_a_page_that_asks_in_the_admin_has_its_look_and_not_its_links(
    browser, endpoint, staff, method, url
):
    page = getattr(browser, method)(url, {"view": "new"}, headers=NAVIGATION)

    assert page.status_code == 401
    assert "Django administration" in page.text
    assert "data-magiclink-card" in page.text
    assert page.text.count("<main") == 1
    assert "user-tools" not in page.text
    assert "nav-sidebar" not in page.text


def test_an_edited_list_is_a_change(browser, endpoint, there):
    values = {
        "form-TOTAL_FORMS": "1",
        "form-INITIAL_FORMS": "1",
        "form-0-id": "1",
        "form-0-view": "edited",
        "_save": "Save",
    }
    assert browser.get(RUNS).status_code == 200

    refused = browser.post(RUNS, values)
    assert refused.json()["text"] == "Change a run"
    assert names() == ["there"]
    grant(refused)

    assert browser.post(RUNS, values).status_code == 302
    assert names() == ["edited"]


def selected(action, **more):
    return {"action": action, "_selected_action": "1", "index": "0"} | more


def test_an_action_of_ones_own_waits_for_an_approval(browser, endpoint, there):
    refused = browser.post(RUNS, selected("rename"))
    assert refused.json()["scope"] == "rename"
    assert names() == ["there"]
    grant(refused, scope="rename", max_age=0)

    assert browser.post(RUNS, selected("rename")).status_code == 302
    assert names() == ["renamed"]
    assert browser.post(RUNS, selected("rename")).status_code == 401


def test_an_action_that_is_not_named_just_runs(browser, endpoint, there):
    assert browser.post(RUNS, selected("touch")).content == b"touched"


def test_the_deletion_of_a_selection_is_asked_once_it_is_confirmed(
    browser, endpoint, there
):
    first = browser.post(RUNS, selected("delete_selected"))
    assert first.status_code == 200
    assert "Are you sure" in first.text
    confirmed = {
        "action": "delete_selected",
        "_selected_action": "1",
        "post": "yes",
    }

    refused = browser.post(RUNS, confirmed)
    assert refused.json()["scope"] == "bulk"
    assert names() == ["there"]
    grant(refused, scope="bulk", max_age=0)

    assert browser.post(RUNS, confirmed).status_code == 302
    assert names() == []


def test_the_list_of_actions_keeps_their_descriptions(browser, endpoint, there):
    page = browser.get(RUNS).text

    assert re.search(r'<option value="rename">Rename</option>', page)
    assert re.search(r'<option value="delete_selected">Delete selected runs<', page)


def test_saving_as_new_does_not_pass_by_the_guard_for_additions(
    browser, endpoint, staff
):
    # Only adding is guarded here, and save_as is off.
    group = Group.objects.create(name="old")
    url = f"/models/auth/group/{group.pk}/change/"

    refused = browser.post(url, {"name": "copy", "_saveasnew": "1"})

    assert refused.json()["scope"] == "add"
    assert not Group.objects.filter(name="copy").exists()
    grant(refused, scope="add")
    browser.post(url, {"name": "copy", "_saveasnew": "1"})
    assert Group.objects.filter(name="copy").exists()
    assert browser.post(url, {"name": "new"}).status_code == 302


def test_a_popup_asks_too_and_goes_on(browser, endpoint, staff):
    values = {"name": "new", "_popup": "1"}
    url = "/models/auth/group/add/?_popup=1"

    page = browser.post(url, values, headers=NAVIGATION)
    assert page.status_code == 401
    assert '<input type="hidden" name="_popup" value="1">' in page.text
    grant(page, scope="add")

    done = browser.post(url, values)
    assert "admin/popup_response.html" in [template.name for template in done.templates]
    assert Group.objects.filter(name="new").exists()


def test_a_password_is_a_change_of_its_user(browser, endpoint, staff):
    url = f"{USERS}{staff.pk}/password/"
    values = {"password1": "Xy7-long-enough", "password2": "Xy7-long-enough"}
    values["usable_password"] = "true"
    assert browser.get(url).status_code == 200

    refused = browser.post(url, values)
    assert refused.status_code == 401
    grant(refused)

    browser.post(url, values)
    staff.refresh_from_db()
    assert staff.check_password("Xy7-long-enough")


def test_an_error_in_the_guard_reports_no_password(rf, staff):
    users = sites.models_site.get_model_admin(type(staff))
    for view in (users.add_view, users.user_change_password):
        # Without a user the guard breaks.
        request = rf.post("/", {"password1": "secret"})

        with pytest.raises(AttributeError):
            view(request, str(staff.pk))

        assert request.sensitive_post_parameters == "__ALL__"


@pytest.fixture
def clerk(user):
    """Staff who may see and change nothing but groups."""
    user.is_staff = True
    user.save()
    user.user_permissions.add(Permission.objects.get(codename="view_run"))
    return user


@pytest.mark.parametrize(
    ("url", "values"),
    [
        (f"{RUNS}add/", {"view": "new", "seen": '{"a": 1}'}),
        (f"{RUNS}1/change/", {"view": "changed", "seen": '{"a": 1}'}),
        (f"{RUNS}1/change/", {"view": "copy", "seen": '{"a": 1}', "_saveasnew": "1"}),
        (f"{RUNS}1/delete/", {"post": "yes"}),
        (RUNS, {"_save": "Save"}),
        (f"{USERS}add/", {}),
        (f"{USERS}{{pk}}/password/", {}),
    ],
)
def test_who_may_not_is_refused_and_never_asked(browser, endpoint, clerk, url, values):
    Run.objects.create(pk=1, view="there")

    assert browser.post(url.format(pk=clerk.pk), values).status_code == 403
    assert names() == ["there"]


def test_no_other_field_leads_past_the_guard(browser, endpoint, there):
    url = f"{RUNS}there/change/?_to_field=view"
    values = {"view": "changed", "seen": '{"a": 1}'}
    grant(browser.post(f"{RUNS}1/change/", values))

    assert browser.post(url, values).status_code == 400
    Approval.objects.all().delete()
    assert browser.post(url, values).status_code in (400, 401)
    assert names() == ["there"]


def test_who_is_no_staff_goes_to_the_admins_login(browser, endpoint, runs):
    for who in (browser, Client()):
        answer = who.post(f"{RUNS}add/", headers=HTML)

        assert answer.status_code == 302
        assert answer["Location"].startswith("/models/login/?next=")


@pytest.mark.parametrize(
    ("approval_for", "said"),
    [
        ({"add": {"scop": "x"}}, "no option scop"),
        ({"add": False}, "is a dict, or True"),
        ({"add": "payroll"}, "is a dict, or True"),
        ({"add": {"max_age": -1}}, "max_age="),
    ],
)
def test_wrong_options_of_a_model_admin_are_said_when_it_is_made(approval_for, said):
    wrong = {"approval_for": approval_for}
    model_admin = type("Wrong", (ApprovalModelAdminMixin, ModelAdmin), wrong)

    with pytest.raises(ImproperlyConfigured, match=said):
        model_admin(Run, AdminSite())


@pytest.mark.parametrize(
    ("mixin", "base"),
    [(ApprovalModelAdminMixin, ModelAdmin), (ApprovalAdminSiteMixin, AdminSite)],
)
def test_the_mixins_of_the_admin_stand_left_too(mixin, base):
    # On the right its views would never run, and everything would be open.
    with pytest.raises(ImproperlyConfigured, match="left of"):
        type("Wrong", (base, mixin), {})


@pytest.fixture
def register(settings, there):
    """Serve one model admin of a test's own below /models/."""

    def serve(*bases, **attributes):
        site = AdminSite(name="models")
        site.register(Run, type("Registered", bases, attributes))
        urls = type("Urls", (), {})
        urls.urlpatterns = [
            path("models/", site.urls),
            path("magiclink/", include("django_magiclink.urls")),
        ]
        settings.ROOT_URLCONF = urls

    return serve


def wipe(model_admin, request, queryset):
    queryset.delete()


# Django 6.1 wants its new argument to be named.
@pytest.mark.filterwarnings("ignore:Overriding get_actions")
def test_an_action_that_get_actions_adds_is_guarded(browser, endpoint, register):
    def get_actions(self, request, *args, **kwargs):
        actions = super(self.__class__, self).get_actions(request, *args, **kwargs)
        known = next(iter(actions.values()))
        added = (wipe, "wipe", "Wipe")
        if not isinstance(known, tuple):
            added = type(known)(wipe, "wipe", "Wipe", "Wipe", known.locations)
        return actions | {"wipe": added}

    register(
        ApprovalModelAdminMixin,
        ModelAdmin,
        approval_for={"wipe": True},
        get_actions=get_actions,
    )

    assert browser.post(RUNS, selected("wipe")).status_code == 401
    assert names() == ["there"]


def test_a_deletion_of_ones_own_that_asks_nothing_first_is_guarded(
    browser, endpoint, register
):
    def delete_selected(model_admin, request, queryset):
        queryset.delete()

    register(
        ApprovalModelAdminMixin,
        ModelAdmin,
        approval_for={"delete_selected": True},
        actions=[delete_selected],
    )

    assert browser.post(RUNS, selected("delete_selected")).status_code == 401
    assert names() == ["there"]


def test_a_guard_for_deletions_is_not_passed_by_with_a_selection(
    browser, endpoint, register
):
    register(ApprovalModelAdminMixin, ModelAdmin, approval_for={"delete": True})

    refused = browser.post(RUNS, selected("delete_selected", post="yes"))

    assert refused.status_code == 401
    assert names() == ["there"]


# Django 6.1 calls this deprecated, and takes it until 7.1.
@pytest.mark.filterwarnings("ignore:Overriding get_actions")
def test_a_model_admin_of_others_may_have_older_actions(browser, endpoint, register):
    class Others(ModelAdmin):
        def get_actions(self, request):
            return super().get_actions(request)

    register(ApprovalModelAdminMixin, Others, approval_for={"delete_selected": True})

    refused = browser.post(RUNS, selected("delete_selected", post="yes"))

    assert refused.status_code == 401


def test_an_action_keeps_what_django_reads_of_it(there, rf, staff):
    runs = sites.models_site.get_model_admin(Run)
    request = rf.get("/")
    request.user = staff

    action = runs.get_actions(request)["delete_selected"]

    function = action[0] if isinstance(action, tuple) else action.func
    assert function.__wrapped__ is delete_selected
    assert function.allowed_permissions == ["delete"]


if django.VERSION >= (6, 1):
    from django.contrib.admin.options import ActionLocation

    PLACES = [ActionLocation.CHANGE_LIST, ActionLocation.CHANGE_FORM]
    FORM = f"{RUNS}1/change/"

    def from_the_form(action):
        return {"CHANGE_FORM-action": action, "_selected_action": "1", "index": "0"}

    @pytest.mark.parametrize("max_age", [0, 60])
    @pytest.mark.parametrize("place", ["list", "form"])
    def test_an_action_of_the_change_form_waits_for_an_approval(
        browser, endpoint, register, place, max_age
    ):
        url, sent = (FORM, from_the_form) if place == "form" else (RUNS, selected)

        @action(location=PLACES)
        def wipe(model_admin, request, queryset):
            queryset.delete()

        register(
            ApprovalModelAdminMixin,
            ModelAdmin,
            approval_for={"wipe": {"scope": "wipe", "max_age": max_age}},
            actions=[wipe],
        )

        refused = browser.post(url, sent("wipe"))
        assert refused.status_code == 401
        assert names() == ["there"]
        grant(refused, scope="wipe", max_age=max_age)

        assert browser.post(url, sent("wipe")).status_code == 302
        assert names() == []


# Admin sites.

SITE = "/guarded/"


def test_a_site_asks_before_each_of_its_pages(browser, endpoint, staff, runs):
    pages = [SITE, f"{SITE}auth/", f"{SITE}auth/group/", f"{SITE}auth/group/add/"]
    pages += [f"{SITE}own/", f"{SITE}password_change/", f"{SITE}nowhere/"]
    pages += [f"{SITE}auth/user/{staff.pk}/password/", f"{SITE}r/1/1/"]

    refused = [browser.get(url) for url in pages]

    assert {answer.status_code for answer in refused} == {401}
    assert {answer.json()["text"] for answer in refused} == {"Open the admin"}
    assert runs() == []
    grant(refused[0])
    codes = {url: browser.get(url).status_code for url in pages}
    assert codes.pop(f"{SITE}nowhere/") == 404
    assert codes.pop(f"{SITE}r/1/1/") in (302, 404)
    assert set(codes.values()) == {200}


def test_a_site_logs_in_and_out_without_an_approval(user, endpoint, staff):
    browser = Browser()
    login = browser.get(SITE, headers=NAVIGATION)
    assert login["Location"] == f"{SITE}login/?next={SITE}"
    assert browser.get(login["Location"]).status_code == 200

    entered = {"username": "anna", "password": "secret", "next": SITE}
    done = browser.post(f"{SITE}login/", entered)
    assert done["Location"] == SITE
    # It asks in place: nothing leads back and forth.
    page = browser.get(SITE, headers=NAVIGATION)
    assert page.status_code == 401
    assert 'data-state="ask"' in page.text
    # Who has logged in already is sent on once.
    assert browser.get(f"{SITE}login/?next={SITE}")["Location"] == SITE

    browser.post(f"{SITE}logout/")
    assert "_auth_user_id" not in browser.session


def test_a_site_gives_its_catalog_away(browser, endpoint, staff):
    assert browser.get(f"{SITE}jsi18n/").status_code == 200
    assert Client().get(f"{SITE}jsi18n/")["Location"].startswith(f"{SITE}login/")


def test_a_site_sends_who_is_no_staff_to_its_login(browser, endpoint, runs):
    for who in (browser, Client()):
        answer = who.get(f"{SITE}auth/group/", headers=NAVIGATION)

        assert answer.status_code == 302
        assert answer["Location"] == f"{SITE}login/?next={SITE}auth/group/"
    assert runs() == []


def test_a_sites_script_gets_a_problem(browser, endpoint, staff):
    url = f"{SITE}autocomplete/?app_label=auth&model_name=user&field_name=groups&term="
    headers = {"Accept": "application/json, text/javascript, */*; q=0.01"}

    refused = browser.get(url, headers=headers)
    assert refused.status_code == 401
    assert refused["Content-Type"] == "application/problem+json"
    grant(refused)

    assert browser.get(url, headers=headers).json()["results"] == []


@pytest.mark.django_db(transaction=True)
def test_a_site_opens_once_for_all_of_it(browser, endpoint, sandbox, staff):
    browser.approve(browser.get(SITE), sandbox)

    for url in (SITE, f"{SITE}auth/group/", f"{SITE}own/"):
        answer = browser.get(url)
        assert answer.status_code == 200
        assert "no-store" in answer["Cache-Control"]
    assert len(sandbox.calls) == 1


@pytest.mark.parametrize("attribute", ["approval_scop", "approval_maxage"])
def test_wrong_attributes_of_a_site_raise(attribute):
    site = type("Wrong", (ApprovalAdminSiteMixin, AdminSite), {attribute: "x"})()

    with pytest.raises(ImproperlyConfigured, match="meant"):
        site.admin_view(HttpResponse)


def test_an_attribute_of_one_site_wins(rf):
    site = sites.GuardedSite(name="one")
    site.approval_scope = "one"

    assert site.approval_requirement.scope == "one"
    assert site.approval_requirement.text == "Open the admin"


def test_an_action_is_used_up_once_by_two_tabs(browser, endpoint, there):
    grant(browser.post(RUNS, selected("rename")), scope="rename", max_age=0)

    codes = [browser.post(RUNS, selected("rename")).status_code for _ in range(2)]

    assert codes == [302, 401]
    assert Approval.objects.get().status == Status.CONSUMED


def test_whoever_comes_straight_to_the_form_is_asked(
    browser, endpoint, there, settings
):
    class Straight(ApprovalModelAdminMixin, ModelAdmin):
        approval_for = {"add": {"scope": "add"}, "change": {"scope": "change"}}

    model_admin = Straight(Run, AdminSite())
    urls = type("urls", (), {})
    urls.urlpatterns = [
        path("straight/", lambda request: model_admin.changeform_view(request)),
        path(
            "straight/<object_id>/",
            lambda request, object_id: model_admin.changeform_view(request, object_id),
        ),
        *door_urls.urlpatterns,
    ]
    settings.ROOT_URLCONF = urls

    for address, scope in [("/straight/", "add"), (f"/straight/{there.pk}/", "change")]:
        refused = browser.post(address, {"view": "changed", "seen": "{}"})
        assert refused.status_code == 401
        assert refused.json()["scope"] == scope
