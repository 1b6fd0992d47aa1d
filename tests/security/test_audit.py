"""The audit trail as staff see it: through Django's admin."""

import uuid
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import pytest
import time_machine
from django.contrib import admin as django_admin
from django.contrib.admin.models import LogEntry
from django.contrib.admin.options import IncorrectLookupParameters
from django.contrib.auth import get_user_model
from django.db import connection
from django.db.models import CharField
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from django_magiclink.admin import filters, listing
from django_magiclink.admin.timeline import steps
from django_magiclink.admin.users import PhoneNumberInline, RecentApprovalsInline
from django_magiclink.models import Approval, Endpoint, PhoneNumber
from django_magiclink.status import Status

LIST = "/admin/django_magiclink/approval/"
NOW = datetime(2030, 5, 17, 12, tzinfo=UTC)


def make(**values):
    return Approval.objects.create(**values)


def rows(client, query=""):
    return [row.pk for row in client.get(f"{LIST}{query}").context["cl"].result_list]


def page(client, approval):
    return client.get(f"{LIST}{approval.pk}/change/")


@pytest.mark.covers("R52", "A58")
@pytest.mark.parametrize(
    ("path", "values"),
    [
        ("add/", {"status": "accepted"}),
        ("{pk}/change/", {"status": "accepted"}),
        ("{pk}/delete/", {"post": "yes"}),
    ],
)
def test_not_even_a_superuser_changes_the_trail(admin, path, values):
    approval = make(user_name="anna")

    answer = admin.post(f"{LIST}{path.format(pk=approval.pk)}", values)

    assert answer.status_code == 403
    assert Approval.objects.values().get() == Approval.objects.values().get(
        pk=approval.pk, status=Status.PENDING, user_name="anna"
    )


@pytest.mark.covers("R52", "A58")
def test_the_list_takes_no_edits_and_deletes_nothing(admin):
    approval = make()
    edits = {"form-TOTAL_FORMS": 1, "form-INITIAL_FORMS": 1, "_save": "Save"}
    edits |= {"form-0-id": str(approval.pk), "form-0-status": "accepted"}

    admin.post(LIST, edits)
    admin.post(LIST, {"action": "delete_selected", "_selected_action": [approval.pk]})

    assert Approval.objects.get().status == Status.PENDING


def test_the_list_says_what_was_asked_and_what_became_of_it(admin):
    now = timezone.now()
    make(
        user_name="anna",
        scope="payroll",
        endpoint_name="main",
        text="Pay Bo",
        masked_number="+46*******05",
        status=Status.ACCEPTED,
        sent=now,
        answered=now + timedelta(seconds=7.25),
    )

    listed = admin.get(LIST).text

    for shown in ["anna", "payroll", "main", "Pay Bo", "+46*******05", "7.2"]:
        assert shown in listed
    assert 'class="magiclink-state magiclink-state-good">Accepted<' in listed


def test_what_nobody_finished_reads_as_expired(admin):
    now = timezone.now()
    overdue = make(status=Status.SENT, deadline=now - timedelta(seconds=1))
    marked = make(status=Status.EXPIRED)
    waiting = make(status=Status.SENT, deadline=now + timedelta(seconds=60))

    assert set(rows(admin, "?state=expired")) == {overdue.pk, marked.pk}
    assert rows(admin, "?state=sent") == [waiting.pk]
    assert ">Expired<" in page(admin, overdue).text


def test_the_filters_find_what_fits_all_of_them(admin, user):
    wanted = make(
        user=user,
        user_name="anna",
        scope="payroll",
        endpoint_name="main",
        status=Status.REJECTED,
    )
    make(scope="payroll", endpoint_name="main", status=Status.REJECTED)
    make(user=user, user_name="anna", scope="other", endpoint_name="backup")
    query = f"?state=rejected&scope=payroll&endpoint_name=main&user={user.pk}"

    assert rows(admin, query) == [wanted.pk]
    assert len(rows(admin)) == 3
    assert len(rows(admin, "?state=none-of-ours&within=none-of-ours")) == 3


@pytest.mark.parametrize(
    ("within", "found"), [("1h", 1), ("24h", 2), ("7d", 3), ("30d", 4)]
)
def test_the_filter_of_time_counts_back_from_now(admin, within, found):
    for hours in (0.5, 5, 50, 500, 5000):
        make(created=timezone.now() - timedelta(hours=hours))

    assert len(rows(admin, f"?within={within}")) == found


def test_a_filter_offers_what_is_there_and_what_is_chosen(admin, user):
    make(scope="payroll", endpoint_name="", user=user, user_name="anna")
    make(scope="admin", endpoint_name="main")

    specs = {
        spec.parameter_name: [value for value, _label in spec.lookup_choices]
        for spec in admin.get(f"{LIST}?scope=gone&user=999").context["cl"].filter_specs
    }

    assert specs["scope"] == ["admin", "payroll", "gone"]
    assert specs["endpoint_name"] == ["main"]
    assert sorted(specs["user"]) == sorted(["999", str(user.pk)])


def test_a_user_who_was_not_asked_lately_is_named(admin, user):
    spec = admin.get(f"{LIST}?user={user.pk}").context["cl"].filter_specs[-1]

    assert spec.lookup_choices == [(str(user.pk), "anna")]


def test_a_filter_offers_a_bounded_number(admin):
    for number in range(40):
        make(scope=f"scope{number:02}")

    with CaptureQueriesContext(
        connection,
    ) as queries:
        specs = admin.get(LIST).context["cl"].filter_specs

    [scopes] = [spec for spec in specs if spec.parameter_name == "scope"]
    assert len(scopes.lookup_choices) == 30
    assert len(queries) < 50


IMPOSSIBLE = [
    *("user=x", "user=%00", "user=1.5", f"user={2**64}", f"user=-{2**64}"),
    *("user=" + "9" * 5000, "scope=%00", "endpoint_name=%00"),
    *("created__year=x", "created__year=0", "created__year=1", "created__year=-5"),
    *("created__year=9999", "created__year=9999&created__month=12&created__day=31"),
    *("created__month=2", "created__day=1", "created__year=2026&created__day=1"),
    *("created__year=2026&created__month=13", f"created__year={2**64}"),
    "created__year=2026&created__month=2&created__day=31",
]


@pytest.mark.parametrize("query", IMPOSSIBLE)
@pytest.mark.parametrize("where", ["", "export/"])
def test_a_filter_that_cannot_be_is_said(admin, where, query):
    answer = admin.get(f"{LIST}{where}?{query}")

    assert answer.headers["Location"].endswith("?e=1")


@pytest.mark.parametrize(
    "query",
    [
        *(f"user={2**63 - 1}", "created__year=9998&created__month=12&created__day=31"),
        *("created__year=2&created__month=1", "q=%00", "state=%00", "within=x"),
        *("o=x", "o=99", "o=-1", "o=6.-1", "created__year=%D9%A2%D9%A0%D9%A2%D9%A6"),
    ],
)
@pytest.mark.parametrize("zone", ["Pacific/Kiritimati", "Pacific/Pago_Pago"])
def test_no_query_breaks_the_list(admin, settings, zone, query):
    settings.TIME_ZONE = zone
    make()

    assert admin.get(f"{LIST}?{query}").status_code == 200
    assert admin.get(f"{LIST}export/?{query}").getvalue()


@pytest.mark.parametrize("is_relation", [True, False])
def test_a_users_key_may_be_text(admin, monkeypatch, is_relation):
    key = CharField()
    if is_relation:
        key = SimpleNamespace(remote_field=True, target_field=key)
    monkeypatch.setattr(get_user_model()._meta, "pk", key)

    with pytest.raises(IncorrectLookupParameters):
        filters._user_pk("\0")
    assert filters._user_pk("a+b") == "a+b"


@pytest.mark.parametrize("column", ["binding", "code", "number_hash", "session_hash"])
def test_no_column_can_be_guessed_by_the_address(admin, column):
    make(**{column: "42"})

    answer = admin.get(f"{LIST}?{column}__startswith=4")

    assert answer.status_code == 400


def test_the_search_finds_an_id_a_scope_and_the_beginning_of_a_name(admin, user):
    mine = make(user=user, user_name="anna", text="one")
    other = make(scope="vault", text="two anna")

    assert rows(admin, f"?q={mine.pk}") == [mine.pk]
    assert rows(admin, f"?q={uuid.uuid4()}") == []
    assert rows(admin, "?q=vault") == [other.pk]
    assert rows(admin, "?q=AN") == [mine.pk]


def test_a_name_that_is_a_scope_too_finds_both(admin, user):
    approvals = [make(user=user), make(scope="anna")]
    make()

    assert set(rows(admin, "?q=anna")) == {approval.pk for approval in approvals}


def test_the_search_finds_a_text_and_the_end_of_a_phone(admin):
    text = make(text="Pay Bo")
    phone = make(masked_number="+46*******05", text="other")

    assert rows(admin, "?q=pay") == [text.pk]
    assert rows(admin, "?q=05") == [phone.pk]
    assert rows(admin, "?q=*05") == [phone.pk]
    assert rows(admin, "?q=*") == []


def test_a_text_is_looked_for_among_the_newest_only(admin, monkeypatch):
    monkeypatch.setattr(listing, "SEARCHED_ROWS", 2)
    now = timezone.now()
    found = [make(text="Pay", created=now - timedelta(days=days)) for days in range(3)]

    assert rows(admin, "?q=pay") == [approval.pk for approval in found[:2]]


def test_the_search_says_what_it_finds(admin):
    assert "the beginning of a user name" in admin.get(LIST).text


def test_the_list_counts_no_further_than_it_goes(admin, monkeypatch):
    monkeypatch.setattr(listing, "MOST_ROWS", 3)
    for _ in range(3):
        make()

    with CaptureQueriesContext(connection) as queries:
        listed = admin.get(LIST)

    counts = [each["sql"] for each in queries if "COUNT(" in each["sql"]]
    assert [sql for sql in counts if "LIMIT 3" not in sql] == []
    assert "The list ends after 3" in listed.text


def test_a_list_that_has_all_says_nothing_of_an_end(admin):
    make()

    assert "The list ends after" not in admin.get(LIST).text


def test_no_row_but_two_is_read_for_the_dates(admin):
    for days in range(3):
        make(created=NOW - timedelta(days=days))

    with CaptureQueriesContext(connection) as queries:
        links = admin.get(LIST).context["cl"].days

    assert [link["title"] for link in links["choices"]] == [
        "May 15",
        "May 16",
        "May 17",
    ]
    assert links["back"] is None
    assert not [sql["sql"] for sql in queries if "DISTINCT" in sql["sql"]]


def dates(client, query=""):
    return [
        each["title"]
        for each in client.get(f"{LIST}{query}").context["cl"].days["choices"]
    ]


def test_the_dates_lead_to_days_months_and_years_as_many_as_fit(admin):
    assert dates(admin) == []
    make(created=NOW)
    make(created=NOW - timedelta(days=100))

    months = dates(admin)
    days = dates(admin, "?created__year=2030&created__month=2")
    make(created=NOW - timedelta(days=1000))
    years = dates(admin)

    assert months == ["February 2030", "March 2030", "April 2030", "May 2030"]
    assert days[0] == "February 6" and len(days) == 23
    assert years == ["2027", "2028", "2029", "2030"]
    assert dates(admin, "?created__year=2030") == [
        "January 2030",
        *months,
    ]


def test_a_date_leads_to_its_approvals_and_back(admin):
    of_the_day = make(created=NOW)
    make(created=NOW - timedelta(days=1))
    query = "?created__day=17&created__month=5&created__year=2030"

    listed = admin.get(f"{LIST}{query}")

    assert rows(admin, query) == [of_the_day.pk]
    assert listed.context["cl"].days["back"]["link"] == "?"
    assert "All dates" in listed.text


def test_the_days_are_those_of_the_clock_on_the_wall(admin, settings):
    settings.TIME_ZONE = "Europe/Stockholm"
    make(created=datetime(2030, 5, 17, 23, tzinfo=UTC))

    assert dates(admin) == ["May 18"]


def test_without_time_zones_there_are_dates_too(admin, settings):
    settings.USE_TZ = False
    make(created=datetime(2030, 5, 17, 23))

    assert dates(admin) == ["May 17"]


@pytest.mark.parametrize("order", ["", "2", "3", "6", "-6", "6.-1", "1.6"])
def test_one_page_does_not_sort_all_rows(admin, order):
    newest = make(text="b", created=NOW)
    older = make(text="a", created=NOW - timedelta(days=1))
    headers = admin.get(f"{LIST}?o={order}").context["cl"]

    assert headers.model_admin.get_sortable_by(None) == ["created"]
    assert headers.queryset.query.order_by == ("-created", "-pk")
    assert rows(admin, f"?o={order}") == [newest.pk, older.pk]


def test_the_list_goes_from_the_oldest_as_well(admin):
    newest, older = make(created=NOW), make(created=NOW - timedelta(days=1))

    assert rows(admin, "?o=1") == [older.pk, newest.pk]
    assert rows(admin, "?o=-1") == [newest.pk, older.pk]


def test_the_timeline_has_each_step_and_the_seconds_between(admin, user):
    approval = make(
        user=user,
        status=Status.REVOKED,
        code_mode="type",
        created=NOW,
        sent=NOW + timedelta(seconds=1),
        answered=NOW + timedelta(seconds=9.5),
        moved=NOW + timedelta(seconds=60),
        reported=NOW + timedelta(seconds=90),
        answer_code="TOUCH_ACCEPTED",
        http_status=200,
        session_hash="abcdef0123456789",
        binding="binding-of-it",
        number_hash="hash-of-it",
        code="47",
        address="192.0.2.7",
    )

    shown = page(admin, approval)

    labels = [step.label for step in steps(approval)]
    assert labels == [
        "Requested",
        "Sent to the phone",
        "Accepted on the phone",
        "Revoked",
        "Reported as not asked for",
    ]
    for part in ["8.5 s later", "TOUCH_ACCEPTED", "200", "abcdef01", "192.0.2.7"]:
        assert part in shown.text
    hidden = ["abcdef012", "binding-of-it", "hash-of-it", ">47<"]
    assert [part for part in hidden if part in shown.text] == []


@pytest.mark.parametrize(
    ("values", "last"),
    [
        ({"status": Status.PENDING}, "Requested"),
        ({"status": Status.REJECTED, "answered": NOW}, "Declined on the phone"),
        (
            {"status": Status.NO_ANSWER, "answered": NOW},
            "The phone was not answered in time",
        ),
        (
            {"status": Status.UNDELIVERED, "answered": NOW},
            "Neither push nor SMS reached the phone",
        ),
        (
            {
                "status": Status.CONFIRMING,
                "answered": NOW,
                "deadline": NOW + timedelta(9999),
            },
            "Accepted on the phone; the page waits for the code",
        ),
        (
            {"status": Status.FAILED, "answered": NOW, "error_kind": "code"},
            "Accepted on the phone",
        ),
        (
            {"status": Status.ACCEPTED, "code_mode": "type", "moved": NOW},
            "Code typed",
        ),
        ({"status": Status.CONSUMED, "consumed": NOW}, "Used"),
        ({"status": Status.CANCELLED, "moved": NOW}, "Cancelled"),
        ({"status": Status.CANCELLED}, "Cancelled"),
        ({"status": Status.EXPIRED, "moved": NOW}, "Expired"),
        ({"status": Status.SENT, "deadline": NOW}, "Expired"),
        (
            {
                "status": Status.CANCELLED,
                "moved": NOW,
                "answered": NOW + timedelta(seconds=1),
                "answer_code": "TOUCH_ACCEPTED",
            },
            "Answered: TOUCH_ACCEPTED",
        ),
        (
            {"status": Status.CANCELLED, "answered": NOW + timedelta(seconds=1)},
            "Answered: -",
        ),
    ],
)
def test_the_timeline_ends_with_what_came_of_it(db, values, last):
    approval = make(created=NOW - timedelta(seconds=30), **values)

    with time_machine.travel(NOW + timedelta(minutes=5)):
        labels = [step.label for step in steps(approval) if step.time]
        untimed = [step.label for step in steps(approval) if not step.time]

    assert last in ([*labels[-1:], *untimed])


@pytest.mark.django_db(transaction=True)
def test_the_times_of_a_life_are_kept(browser, endpoint, sandbox, admin):
    browser.approve(browser.get("/once/"), sandbox)
    browser.get("/once/")
    approval = Approval.objects.get()

    labels = [step.label for step in steps(approval)]

    assert labels == ["Requested", "Sent to the phone", "Accepted on the phone", "Used"]
    assert approval.moved == approval.consumed


@pytest.mark.parametrize(
    ("kind", "words"),
    [("dns", "name is unknown"), ("refused", "rate limit"), ("", ""), ("x", "x (x)")],
)
def test_an_error_is_said_in_words(admin, kind, words):
    assert words in page(admin, make(status=Status.FAILED, error_kind=kind)).text


@pytest.mark.covers("R55", "A62")
def test_of_a_deleted_user_the_timeline_has_nothing_personal(admin, user):
    approval = make(
        user=user,
        user_name="anna",
        masked_number="+46*******05",
        address="192.0.2.7",
        user_agent="Firefox",
        text="Pay Bo",
        scope="payroll",
    )

    user.delete()

    shown = [page(admin, approval).text, admin.get(LIST).text]
    personal = ["anna", "+46*", "192.0.2.7", "Firefox", "Pay Bo"]
    assert [each for each in personal for text in shown if each in text] == []
    assert all("payroll" in text for text in shown)


def test_staff_can_end_all_approvals_of_a_user_by_a_button(admin, user, caplog):
    approval = make(user=user, status=Status.REJECTED)
    live = make(user=user, status=Status.ACCEPTED)
    assert "End all approvals of this user" in page(admin, approval).text

    answer = admin.post(f"{LIST}{approval.pk}/revoke/", follow=True)

    live.refresh_from_db()
    assert live.status == Status.REVOKED
    assert "1 approval has ended." in answer.text
    assert LogEntry.objects.get().object_id == str(approval.pk)
    root = get_user_model().objects.get(username="root")
    ended = f"All approvals of user {user.pk} were ended by user {root.pk}."
    assert ended in caplog.messages


def test_the_button_needs_a_post_with_a_token(user, admin):
    approval = make(user=user, status=Status.ACCEPTED)
    strict = Client(enforce_csrf_checks=True)
    strict.force_login(get_user_model().objects.get(username="root"))

    assert admin.get(f"{LIST}{approval.pk}/revoke/").status_code == 405
    assert strict.post(f"{LIST}{approval.pk}/revoke/").status_code == 403
    assert admin.post(f"{LIST}{uuid.uuid4()}/revoke/").status_code == 404
    approval.refresh_from_db()
    assert approval.status == Status.ACCEPTED


@pytest.mark.parametrize("permissions", [["view_approval"], ["revoke_approval"]])
def test_who_may_only_look_sees_no_button_and_ends_nothing(staff, user, permissions):
    approval = make(user=user, status=Status.ACCEPTED)
    client = staff(*permissions)

    assert "End all approvals" not in page(client, approval).text
    assert client.post(f"{LIST}{approval.pk}/revoke/").status_code in (403, 404)
    approval.refresh_from_db()
    assert approval.status == Status.ACCEPTED


def test_an_approval_without_a_user_has_no_button(admin):
    assert "End all approvals of this user" not in page(admin, make()).text


def test_the_action_ends_nothing_of_rows_that_are_not_seen(admin, user):
    approval = make(user=user, status=Status.ACCEPTED)
    chosen = {"action": "revoke_users", "_selected_action": [approval.pk]}

    answer = admin.post(LIST, chosen | {"select_across": "1"}, follow=True)

    approval.refresh_from_db()
    assert approval.status == Status.ACCEPTED
    assert "page by page" in answer.text


@pytest.fixture
def user_admin(admin, monkeypatch):
    of_users = django_admin.site._registry[get_user_model()]
    inlines = [PhoneNumberInline, RecentApprovalsInline]
    monkeypatch.setattr(of_users, "inlines", inlines)
    return admin


def test_a_users_page_shows_the_phone_and_what_was_asked_lately(user_admin, user):
    now = timezone.now()
    for minutes in range(12):
        make(
            user=user,
            text=f"Text {minutes:02}.",
            created=now - timedelta(minutes=minutes),
        )
    make(text="Of another.")

    shown = user_admin.get(f"/admin/auth/user/{user.pk}/change/").text

    assert "+46*******05" in shown
    assert "+46701740605" not in shown
    assert "Text 00." in shown and "Text 09." in shown
    assert "Text 10." not in shown and "Of another." not in shown
    assert f'href="{LIST}?user={user.pk}"' in shown


@pytest.mark.covers("R22")
def test_from_a_users_page_a_phone_is_changed_with_a_reason(user_admin, user):
    row = f"/admin/django_magiclink/phonenumber/{user.magiclink_phone.pk}/change/"
    shown = user_admin.get(f"/admin/auth/user/{user.pk}/change/").text
    changed = {"number": "+46701740699", "verified_at_0": "", "verified_at_1": ""}

    without = user_admin.post(row, changed)
    entered = user_admin.post(row, changed | {"reason": "Lost"})

    assert f'href="{row}"' in shown
    assert "+46701740605" not in shown
    assert (without.status_code, entered.status_code) == (200, 302)
    assert LogEntry.objects.latest("pk").change_message == "Reason: Lost"


def test_the_link_to_all_of_a_user_is_an_address(user_admin, settings):
    settings.USE_THOUSAND_SEPARATOR = True
    user = get_user_model().objects.create(pk=12345, username="bo")

    shown = user_admin.get(f"/admin/auth/user/{user.pk}/change/").text

    assert f'href="{LIST}?user=12345"' in shown


def test_a_users_page_costs_no_more_queries_for_more_approvals(user_admin, user):
    def cost():
        with CaptureQueriesContext(connection) as queries:
            user_admin.get(f"/admin/auth/user/{user.pk}/change/")
        return len(queries)

    user_admin.get(f"/admin/auth/user/{user.pk}/change/")
    make(user=user)
    with_one = cost()
    for _ in range(30):
        make(user=user, endpoint=Endpoint.objects.first())

    assert cost() == with_one


@pytest.mark.covers("R52", "A58")
def test_saving_a_user_changes_neither_the_phone_nor_an_approval(user_admin, user):
    approval = make(user=user)
    entered = {
        "username": "anna",
        "first_name": "Anna",
        "date_joined_0": "2030-01-01",
        "date_joined_1": "12:00",
        "is_active": "on",
        "magiclink_approvals-TOTAL_FORMS": 3,
        "magiclink_approvals-INITIAL_FORMS": 3,
        "magiclink_approvals-0-id": str(approval.pk),
        "magiclink_approvals-0-status": "accepted",
        "magiclink_approvals-0-DELETE": "on",
        "magiclink_phone-TOTAL_FORMS": 1,
        "magiclink_phone-INITIAL_FORMS": 0,
        "magiclink_phone-0-number": "+46701740699",
    }

    answer = user_admin.post(f"/admin/auth/user/{user.pk}/change/", entered)

    assert answer.status_code == 302
    user.refresh_from_db()
    assert user.first_name == "Anna"
    assert Approval.objects.get().status == Status.PENDING
    assert PhoneNumber.objects.get().number == "+46701740605"


def test_a_user_can_be_added_where_the_page_has_the_inlines(user_admin):
    entered = {"username": "bo", "usable_password": "false"}

    added = user_admin.post("/admin/auth/user/add/", entered)

    assert added.status_code == 302
    assert get_user_model().objects.filter(username="bo").exists()


def test_the_pages_have_no_script_and_style_of_their_own(admin, user):
    approval = make(user=user)
    ours = "django_magiclink/audit.css"

    for text in [admin.get(LIST).text, page(admin, approval).text]:
        assert ours in text
        assert " style=" not in text
        assert " onclick=" not in text
