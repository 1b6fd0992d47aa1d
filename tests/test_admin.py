import pytest
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Permission
from django.test import Client
from django.utils import timezone

from django_magiclink.models import ApiKey, Approval, Endpoint, PhoneNumber
from django_magiclink.status import Status

SECRET = "c3859cad-479a-4d65-9253-459ea4a12b34"
URL = "https://mideye.example.com:8443"
ADMIN = "/admin/django_magiclink"


@pytest.fixture
def endpoint(db):
    return Endpoint.objects.create(name="main", base_url=URL)


def test_an_endpoint_is_added_and_then_its_key(admin):
    entered = {"name": "main", "base_url": URL, "enabled": 1}
    added = admin.post(f"{ADMIN}/endpoint/add/", entered)

    endpoint = Endpoint.objects.get()
    assert endpoint.is_default
    assert added.url == f"{ADMIN}/endpoint/{endpoint.pk}/key/"
    admin.post(added.url, {"action": "unlock", "password": "secret"})
    shown = {"origin": endpoint.origin, "name": "web", "secret": SECRET}
    admin.post(added.url, shown | {"action": "enter"})
    shown["key"] = ApiKey.objects.get().pk
    admin.post(added.url, shown | {"action": "use"})
    assert ApiKey.objects.get().made_by.username == "root"
    assert endpoint.client().api_key == SECRET


@pytest.fixture
def key(endpoint):
    key = ApiKey(endpoint=endpoint, name="web")
    key.enter(SECRET)
    return key


def test_a_key_is_never_shown_again(admin, key):
    pages = [
        admin.get(f"{ADMIN}/apikey/{path}").text
        for path in ["", f"{key.pk}/change/", f"{key.pk}/history/"]
    ]

    assert not [page for page in pages if SECRET in page or key.sealed.token in page]
    assert "2b34" in pages[1]


def test_a_key_keeps_its_endpoint_and_its_secret_when_it_is_edited(admin, key):
    admin.post(
        f"{ADMIN}/apikey/{key.pk}/change/",
        {"name": "renamed", "secret": "other", "expires_on": "2030-01-01"},
    )

    key.refresh_from_db()
    assert (key.name, key.expires_on) == ("renamed", None)
    assert key.reveal() == SECRET


def test_the_history_tells_each_key_s_state(admin, key, endpoint):
    ApiKey(endpoint=endpoint, name="next").seal("next")
    assert "Not in use yet" in admin.get(f"{ADMIN}/apikey/").text

    ApiKey(endpoint=endpoint, name="newest").enter("newest")

    listed = admin.get(f"{ADMIN}/apikey/").text
    assert "Retired" in listed
    assert "In use" in listed


def test_keys_are_added_on_the_page_of_their_endpoint_only(admin, endpoint):
    entered = {"endpoint": endpoint.pk, "name": "web", "secret": SECRET}

    assert admin.post(f"{ADMIN}/apikey/add/", entered).status_code == 403


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"base_url": "http://mideye.example.com"}, "base_url"),
        ({"base_url": "mideye.example.com"}, "base_url"),
        ({"base_url": "https://u:p@mideye.example.com"}, "base_url"),
        ({"timeout": 14}, "timeout"),
        ({"timeout": 301}, "timeout"),
        ({"endpoint_name": "../../admin"}, "endpoint_name"),
        ({"ca_certificate": "nonsense"}, "ca_certificate"),
        ({"name": ""}, "name"),
    ],
)
def test_an_endpoint_that_cannot_work_is_said_at_its_field(admin, values, said):
    entered = {"name": "main", "base_url": URL} | values

    page = admin.post(f"{ADMIN}/endpoint/add/", entered)

    assert page.status_code == 200
    assert said in page.context["adminform"].form.errors
    assert not Endpoint.objects.exists()


def test_a_new_default_takes_the_mark_from_the_old_one(admin, endpoint):
    entered = {"name": "other", "base_url": URL, "is_default": 1, "enabled": 1}

    admin.post(f"{ADMIN}/endpoint/add/", entered)

    assert Endpoint.objects.get(is_default=True).name == "other"
    assert str(Endpoint.objects.named()) == "other"


def test_a_second_endpoint_is_not_the_default(admin, endpoint):
    Endpoint.objects.create(name="other", base_url=URL)

    assert Endpoint.objects.get(is_default=True) == endpoint


def test_a_number_is_checked_and_listed_masked(admin):
    user = get_user_model().objects.create_user("anna")
    entered = {"user": user.pk, "number": "+46 70 174 06 05", "reason": "New here"}
    wrong = admin.post(f"{ADMIN}/phonenumber/add/", entered | {"number": "070"})
    assert "Enter the number with its country code" in wrong.text

    admin.post(f"{ADMIN}/phonenumber/add/", entered)

    assert PhoneNumber.objects.get().number == "+46701740605"
    assert PhoneNumber.objects.get().verified_at is None
    listed = admin.get(f"{ADMIN}/phonenumber/").text
    assert "+46*******05" in listed
    assert "+46701740605" not in listed


def test_approvals_are_for_reading_only(admin):
    approval = Approval.objects.create(user_name="anna", answered=timezone.now())
    change = f"{ADMIN}/approval/{approval.pk}/change/"

    assert admin.get(f"{ADMIN}/approval/").status_code == 200
    assert "Pending" in admin.get(f"{ADMIN}/approval/").text
    assert admin.get(change).status_code == 200
    forbidden = [
        admin.post(f"{ADMIN}/approval/add/", {"status": "accepted"}),
        admin.post(change, {"status": "accepted"}),
        admin.post(f"{ADMIN}/approval/{approval.pk}/delete/", {"post": "yes"}),
    ]
    assert [answer.status_code for answer in forbidden] == [403] * 3
    approval.refresh_from_db()
    assert approval.status == Status.PENDING


def test_staff_who_may_only_look_cannot_enter_a_key(db, endpoint):
    staff = get_user_model().objects.create_user("staff", is_staff=True)
    staff.user_permissions.set(Permission.objects.filter(codename__startswith="view_"))
    client = Client()
    client.force_login(staff)

    entered = {"endpoint": endpoint.pk, "name": "web", "secret": SECRET}

    assert client.post(f"{ADMIN}/apikey/add/", entered).status_code == 403
    assert client.get(f"{ADMIN}/apikey/").status_code == 200
