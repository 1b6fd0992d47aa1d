"""How endpoints and their keys are, in the admin, the checks and the commands."""

from datetime import UTC, date, datetime, timedelta
from io import StringIO

import pytest
from cryptography.fernet import Fernet
from django.contrib.admin import AdminSite
from django.contrib.admin.models import LogEntry
from django.core.checks import run_checks
from django.core.exceptions import ImproperlyConfigured
from django.core.management import CommandError, call_command
from django.db import DatabaseError
from django.urls import path
from django.utils import timezone

from django_magiclink.admin import ApprovalAdmin
from django_magiclink.fields import Sealed
from django_magiclink.models import ApiKey, Approval, Endpoint
from django_magiclink.signals import key_changed, key_expiring
from django_magiclink.status import Status

ADMIN = "/admin/django_magiclink"
URL = "https://mideye.example.com:8443"
SECRET = "c3859cad-479a-4d65-9253-459ea4a12b34"


@pytest.fixture
def endpoint(db):
    return Endpoint.objects.create(name="main", base_url=URL)


@pytest.fixture
def key(endpoint):
    key = ApiKey(endpoint=endpoint, name="web", last_result="TOUCH_ACCEPTED")
    key.enter(SECRET)
    return key


def in_days(days):
    return timezone.localdate() + timedelta(days=days)


#: What makes it so, how the list calls it, and what checks and alerts say of it.
CONDITIONS = [
    ({}, "Reachable", ""),
    ({"last_result": "TOUCH_REJECTED"}, "Reachable", ""),
    ({"last_result": ""}, "Not used yet", ""),
    (
        {"last_result": "BAD_REQUEST"},
        "Last request refused",
        "main: Last request refused.",
    ),
    ({"last_result": "tls"}, "Not reachable", "main: Not reachable."),
    ({"last_result": "WHO_KNOWS"}, "Not reachable", "main: Not reachable."),
    ({"expires_on": -1}, "Key expired", "main: Key expired."),
    ({"expires_on": 0}, "Key expires in 0 days", "The key of main expires on "),
    ({"expires_on": 14}, "Key expires in 14 days", "The key of main expires on "),
    ({"expires_on": 15}, "Reachable", ""),
    ({"expires_on": 14, "last_result": ""}, "Key expires in 14 days", "The key of "),
    (
        {"origin": "https://elsewhere.example.com:443"},
        "Key of another host",
        "main: Key of another host.",
    ),
    ({"retired": datetime(2026, 1, 1, tzinfo=UTC)}, "No key", "main: No key."),
    ({"activated": None}, "No key", "main: No key."),
]


@pytest.fixture(params=CONDITIONS, ids=lambda case: f"{case[0]}")
def condition(request, key):
    columns, listed, said = request.param
    if "expires_on" in columns:
        columns = columns | {"expires_on": in_days(columns["expires_on"])}
    ApiKey.objects.update(**columns)
    return listed, said


def test_the_list_tells_how_each_endpoint_is(admin, condition):
    listed, said = condition

    page = admin.get(f"{ADMIN}/endpoint/")

    assert f">{listed}</span>" in page.text
    assert bool(said) == ('<li class="warning">' in page.text)
    assert said in page.text


def test_the_command_ends_with_an_error_where_somebody_is_needed(condition):
    _, said = condition

    if said:
        with pytest.raises(CommandError, match=said):
            call_command("magiclink_check")
    else:
        out = StringIO()
        call_command("magiclink_check", stdout=out)
        assert out.getvalue() == "Endpoints: 1. Nothing to do.\n"


def test_the_check_at_deployment_says_it_too(condition):
    _, said = condition

    found = [
        message
        for message in run_checks(include_deployment_checks=True)
        if message.id in ("django_magiclink.E016", "django_magiclink.W009")
    ]

    assert len(found) == bool(said)
    assert not found or found[0].msg.startswith(said)


@pytest.mark.covers("R34", "A55")
def test_a_key_that_cannot_be_read_is_an_error(admin, key, settings):
    settings.MAGICLINK_FIELD_KEYS = [Fernet.generate_key().decode()]

    [found] = [
        message
        for message in run_checks(include_deployment_checks=True)
        if message.id == "django_magiclink.E016"
    ]

    assert found.msg == "main: Key unreadable."
    assert "Key unreadable" in admin.get(f"{ADMIN}/endpoint/").text


@pytest.mark.parametrize("error", [DatabaseError, ImproperlyConfigured])
def test_checks_are_silent_without_the_tables(monkeypatch, error):
    def missing():
        raise error("no such table")

    monkeypatch.setattr("django_magiclink.health.endpoints", missing)

    run_checks(include_deployment_checks=True)


def test_values_that_cannot_be_are_told_and_break_no_page(admin, key, endpoint):
    ApiKey.objects.update(sealed=Sealed("å"))
    assert "Key unreadable" in admin.get(f"{ADMIN}/endpoint/").text

    Endpoint.objects.update(base_url="nonsense")
    assert "Key of another host" in admin.get(f"{ADMIN}/endpoint/").text
    assert admin.get(f"{ADMIN}/endpoint/{endpoint.pk}/key/").status_code == 200


def test_a_site_without_endpoints_warns_without_a_link(admin, key, settings):
    ApiKey.objects.update(expires_on=in_days(-1))
    site = AdminSite("auditors")
    site.register(Approval, ApprovalAdmin)

    class Addresses:
        urlpatterns = [path("auditors/", site.urls)]

    settings.ROOT_URLCONF = Addresses

    page = admin.get("/auditors/django_magiclink/approval/")

    assert '<li class="warning">main: Key expired.</li>' in page.text


def test_without_time_zones_keys_expire_too(admin, key, settings):
    settings.USE_TZ = False
    ApiKey.objects.update(expires_on=date.today() - timedelta(days=1))

    assert "Key expired" in admin.get(f"{ADMIN}/endpoint/").text


def test_a_disabled_endpoint_needs_nobody(admin, key):
    Endpoint.objects.update(enabled=False)
    ApiKey.objects.update(expires_on=in_days(-1))

    page = admin.get(f"{ADMIN}/endpoint/").text

    assert ">Disabled</span>" in page
    assert '<li class="warning">' not in page
    call_command("magiclink_check", stdout=StringIO())


def test_of_a_key_that_expires_a_signal_is_sent(key, endpoint):
    ApiKey.objects.update(expires_on=in_days(20))
    told = []

    def note(sender, signal, **values):
        told.append(values)

    key_expiring.connect(note)

    call_command("magiclink_check", stdout=StringIO())
    with pytest.raises(CommandError):
        call_command("magiclink_check", "--days=20")

    key_expiring.disconnect(note)
    assert told == [{"endpoint": endpoint, "key": key, "days": 20}]


def test_warnings_are_for_those_who_may_see_endpoints(key, staff):
    ApiKey.objects.update(expires_on=in_days(-1))
    client = staff("view_approval")

    assert "main: Key expired." not in client.get(f"{ADMIN}/approval/").text
    assert client.get(f"{ADMIN}/endpoint/").status_code == 403


def test_every_page_of_ours_in_the_admin_warns(admin, key):
    ApiKey.objects.update(expires_on=in_days(-1))

    pages = ["", "approval/", "apikey/", "phonenumber/", "endpoint/"]

    for page in pages:
        assert "main: Key expired." in admin.get(f"{ADMIN}/{page}").text


def test_the_list_counts_what_was_accepted_in_a_day(admin, key, endpoint):
    other = Endpoint.objects.create(name="other", base_url=URL)
    day = timedelta(hours=24)
    rows = [
        (endpoint, Status.ACCEPTED, timezone.now()),
        (endpoint, Status.CONSUMED, timezone.now()),
        (endpoint, Status.REJECTED, timezone.now()),
        (endpoint, Status.SENT, timezone.now()),
        (endpoint, Status.REJECTED, timezone.now() - day),
        (None, Status.REJECTED, timezone.now()),
    ]
    Approval.objects.create(endpoint=endpoint, status="rejected", purpose="test")
    for where, status, created in rows:
        Approval.objects.create(endpoint=where, status=status, created=created)

    page = admin.get(f"{ADMIN}/endpoint/").text

    assert "67 % of 3" in page
    assert page.count(" % of ") == 1
    assert other.name in page


def test_the_list_takes_as_many_queries_for_many(
    admin, key, django_assert_max_num_queries
):
    for number in range(30):
        endpoint = Endpoint.objects.create(name=f"e{number}", base_url=URL)
        ApiKey(endpoint=endpoint, name="web").enter(SECRET)

    with django_assert_max_num_queries(10):
        admin.get(f"{ADMIN}/endpoint/")


def test_the_default_is_switched_from_the_list(admin, endpoint):
    other = Endpoint.objects.create(name="other", base_url=URL)
    chosen = {"action": "make_default", "_selected_action": [other.pk]}

    page = admin.post(f"{ADMIN}/endpoint/", chosen, follow=True)

    assert "The default is now other." in page.text
    assert Endpoint.objects.get(is_default=True) == other
    assert LogEntry.objects.get().change_message == "It is the default now."


def test_two_defaults_are_one_too_many(admin, endpoint):
    other = Endpoint.objects.create(name="other", base_url=URL)
    chosen = {"action": "make_default", "_selected_action": [other.pk, endpoint.pk]}

    page = admin.post(f"{ADMIN}/endpoint/", chosen, follow=True)

    assert "Choose one endpoint" in page.text
    assert Endpoint.objects.get(is_default=True) == endpoint


def test_a_move_to_another_host_asks_for_the_key_again(admin, key, endpoint):
    moved = {"name": "main", "base_url": "https://other.example.com", "enabled": 1}

    page = admin.post(f"{ADMIN}/endpoint/{endpoint.pk}/change/", moved, follow=True)

    assert page.redirect_chain == [(f"{ADMIN}/endpoint/{endpoint.pk}/key/", 302)]
    assert "Enter it again." in page.text


def test_who_may_not_enter_keys_is_told_that_one_is_missing(key, endpoint, staff):
    client = staff("view_endpoint", "change_endpoint")
    moved = {"name": "main", "base_url": "https://other.example.com", "enabled": 1}

    page = client.post(f"{ADMIN}/endpoint/{endpoint.pk}/change/", moved, follow=True)

    assert page.redirect_chain == [(f"{ADMIN}/endpoint/", 302)]
    assert "Enter it again." in page.text


def test_a_change_of_anything_else_asks_for_no_key(admin, key, endpoint):
    same = {"name": "renamed", "base_url": f"{URL}/path", "enabled": 1}

    page = admin.post(f"{ADMIN}/endpoint/{endpoint.pk}/change/", same)

    assert page.url == f"{ADMIN}/endpoint/"


def enter(*arguments, stdin=SECRET):
    out = StringIO()
    call_command("magiclink_key", *arguments, stdout=out)
    return out.getvalue()


@pytest.fixture
def typed(monkeypatch):
    monkeypatch.setattr("sys.stdin", StringIO(f"{SECRET}\n"))


@pytest.mark.parametrize("name", ["default", "main"])
def test_a_key_is_entered_on_the_command_line(endpoint, typed, name):
    out = enter("--endpoint", name, "--stdin", "--expires-on", "2030-01-31")

    key = ApiKey.objects.get()
    assert endpoint.client().api_key == SECRET
    assert key.expires_on == date(2030, 1, 31)
    assert out == "The key Command line (…2b34) of the endpoint main is in use.\n"


def test_a_key_that_has_expired_is_not_put_to_use(endpoint, key, typed):
    with pytest.raises(CommandError, match="has expired"):
        enter("--stdin", "--expires-on", "2020-01-31")

    assert ApiKey.objects.get() == key


def test_an_endpoint_called_default_is_meant_by_its_name(endpoint, typed):
    own = Endpoint.objects.create(name="default", base_url=URL)

    enter("--stdin")

    assert ApiKey.objects.get().endpoint == own


def test_a_key_is_asked_for_where_there_is_a_terminal(endpoint, monkeypatch):
    prompt = "django_magiclink.management.commands.magiclink_key.getpass"
    monkeypatch.setattr(prompt, lambda text: SECRET)

    enter("--name", "typed")

    assert ApiKey.objects.get().name == "typed"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--endpoint", "nowhere"], "There are: main"),
        ([], "plain characters"),
    ],
)
def test_a_key_that_cannot_be_entered_is_said(endpoint, monkeypatch, arguments, said):
    monkeypatch.setattr("sys.stdin", StringIO("\n"))

    with pytest.raises(CommandError, match=said):
        enter("--stdin", *arguments)

    assert not ApiKey.objects.exists()


def test_without_an_endpoint_a_key_has_no_place(db, typed):
    with pytest.raises(CommandError, match="none, so add one in the admin"):
        enter("--stdin")


@pytest.mark.covers("R34")
def test_keys_are_encrypted_anew(key, endpoint, settings):
    old = settings.MAGICLINK_FIELD_KEYS
    new = [Fernet.generate_key().decode()]
    settings.MAGICLINK_FIELD_KEYS = [*new, *old]
    out = StringIO()

    call_command("magiclink_rotate_field_keys", stdout=out)

    settings.MAGICLINK_FIELD_KEYS = new
    assert endpoint.client().api_key == SECRET
    assert out.getvalue() == "Encrypted with the first field key: 1.\n"


def test_a_key_that_cannot_be_encrypted_anew_is_named(key, endpoint, settings):
    other = Endpoint.objects.create(name="other", base_url=URL)
    settings.MAGICLINK_FIELD_KEYS = [Fernet.generate_key().decode()]
    ApiKey(endpoint=other, name="other").enter("other")
    out = StringIO()

    with pytest.raises(CommandError, match=r"field key: web \(…2b34\) of main\."):
        call_command("magiclink_rotate_field_keys", stdout=out)

    assert out.getvalue() == "Encrypted with the first field key: 1.\n"


def test_without_field_keys_nothing_is_encrypted(key, settings):
    settings.MAGICLINK_FIELD_KEYS = []

    with pytest.raises(CommandError, match="magiclink_field_key"):
        call_command("magiclink_rotate_field_keys")


@pytest.mark.django_db(transaction=True)
def test_of_a_deleted_endpoint_each_key_is_told(admin, key, endpoint):
    ApiKey(endpoint=endpoint, name="next").enter(f"{SECRET}-next")
    told = []

    def note(sender, signal, **values):
        told.append((values["action"], values["key"].last_four))

    key_changed.connect(note)

    admin.post(f"{ADMIN}/endpoint/{endpoint.pk}/delete/", {"post": "yes"})

    key_changed.disconnect(note)
    assert sorted(told) == [("deleted", "2b34"), ("deleted", "next")]
    assert not Endpoint.objects.exists()
