import json
import random
from collections import Counter
from datetime import UTC, datetime, timedelta
from io import StringIO
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
import time_machine
from django.contrib.admin import AdminSite
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Permission
from django.core.cache import cache
from django.core.cache.backends.locmem import LocMemCache
from django.core.management import call_command
from django.test import Client, override_settings
from django.urls import path
from django.utils import timezone

from django_magiclink import retention
from django_magiclink.models import ApiKey, Approval, Endpoint, Tally
from django_magiclink.outcomes import OUTCOMES, Outcome
from django_magiclink.spans import RANGES, spans_of
from django_magiclink.statistics import gather, top_users, within
from django_magiclink.status import UNDECIDED, Status

ADMIN = "/admin/django_magiclink"
PAGE = f"{ADMIN}/approval/dashboard/"
DATA = f"{PAGE}data/"
#: The day after the clocks of Europe went forward.
NOW = datetime(2026, 3, 30, 9, 40, tzinfo=UTC)
SECRET = "c3859cad-479a-4d65-9253-459ea4a12b34"


bare = AdminSite(name="admin")
bare.register(Approval)
urlpatterns = [path("admin/", bare.urls)]


@pytest.fixture(autouse=True)
def _nothing_remembered():
    cache.clear()
    yield
    cache.clear()


@pytest.fixture
def now():
    with time_machine.travel(NOW, tick=False) as traveller:
        yield traveller


def log_in(*permissions):
    user = get_user_model().objects.create_user("viewer", is_staff=True)
    user.user_permissions.set(Permission.objects.filter(codename__in=permissions))
    client = Client()
    client.force_login(user)
    return client


@pytest.fixture
def viewer(now, db):
    return log_in("view_dashboard", "view_approval")


def ask(status, ago=60, took=None, **columns):
    """Make an approval of so many seconds ago."""
    created = timezone.now() - timedelta(seconds=ago)
    answered = None if took is None else created + timedelta(seconds=took)
    times = {"created": created, "sent": created, "answered": answered}
    ends = created + timedelta(seconds=70)
    return Approval.objects.create(
        status=status, **times, **{"deadline": ends, "live_until": ends} | columns
    )


def shown(client, name="24h"):
    return client.get(DATA, {"range": name}).json()


def rows(client, card, name="24h"):
    cards = {each["name"]: each["rows"] for each in shown(client, name)["cards"]}
    return cards[card]


def tile(client, name):
    return {each["name"]: each for each in shown(client)["tiles"]}[name]["value"]


@pytest.mark.parametrize("url", [PAGE, DATA])
def test_strangers_are_led_to_the_login_page(db, url):
    answer = Client().get(url)

    assert answer.status_code == 302
    assert answer["Location"].startswith("/admin/login/")


@pytest.mark.parametrize("url", [PAGE, DATA])
@pytest.mark.covers("A57")
def test_staff_need_the_permission(db, url):
    client = log_in("view_approval", "export_approval", "revoke_approval")

    assert client.get(url).status_code == 403
    assert client.get(f"{url}?range=unknown").status_code == 403


@pytest.mark.parametrize("url", [PAGE, DATA])
def test_it_is_for_looking_only_and_stored_nowhere(viewer, url):
    answer = viewer.get(url)

    assert answer.status_code == 200
    assert set(answer["Cache-Control"].split(", ")) == {"private", "no-store"}
    assert viewer.post(url).status_code == 405
    assert viewer.head(url).status_code == 405


@pytest.mark.parametrize("url", [PAGE, DATA])
@pytest.mark.parametrize("name", ["", "1h", "24H", "30d "])
def test_a_range_that_is_not_known_is_said(viewer, url, name):
    answer = viewer.get(url, {"range": name})

    assert answer.status_code == 400
    assert answer["Content-Type"] == "text/plain; charset=utf-8"
    assert "Ask for one of these: 24h, 7d, 30d." in answer.text


def test_links_lead_to_it_from_the_list_and_the_apps_page(viewer):
    for where in ("/approval/", "/"):
        assert f'href="{PAGE}"' in viewer.get(f"{ADMIN}{where}").text


def test_no_link_leads_there_without_the_permission(db):
    client = log_in("view_approval")

    for where in ("/approval/", "/"):
        assert PAGE not in client.get(f"{ADMIN}{where}").text


def test_the_page_has_all_numbers_without_a_script(viewer):
    ask(Status.ACCEPTED, took=5, scope="payroll", endpoint_name="main")
    ask(Status.REJECTED, took=7, scope="payroll", endpoint_name="main")

    page = viewer.get(PAGE, {"range": "7d"}).text

    assert '<th scope="row">payroll</th><td>2</td><td>1</td><td>50.0 %</td>' in page
    assert '<th scope="row">main</th><td>2</td><td>1</td><td>50.0 %</td>' in page
    assert '<a href="?range=7d" aria-current="page">' in page
    assert page.count('<canvas role="img" aria-label=') == 5
    content = page[page.index('id="content-main"') :]
    assert content.count("<table>") == len(shown(viewer)["cards"])


def test_nothing_on_the_page_is_inline(viewer):
    page = viewer.get(PAGE).text
    content = page[page.index('id="content-main"') : page.index("<!-- END Content")]

    assert " style=" not in content
    assert " onclick" not in content
    assert content.count("<script") == 1
    assert '<script id="magiclink-cards" type="application/json">' in content


def test_the_tiles_say_how_it_goes(viewer):
    for took in (3, 5.2, 20):
        ask(Status.CONSUMED, took=took)
    ask(Status.NO_ANSWER, ago=200, took=60)
    ask(Status.SENT, ago=5)
    ask(Status.SENT, ago=200)

    assert tile(viewer, "approvals") == "6"
    assert tile(viewer, "success") == "60.0 %"
    assert tile(viewer, "answer") == "5.5 s"
    assert tile(viewer, "open") == "1"


def test_with_no_approval_the_page_says_so(viewer):
    page = viewer.get(PAGE).text

    assert tile(viewer, "success") == "–"
    assert tile(viewer, "answer") == "–"
    assert "No phone is locked." in page
    assert "No key expires within 30 days." in page
    assert len(rows(viewer, "time")) == 24
    assert {cell for row in rows(viewer, "time") for cell in row[1:]} == {"0"}


@pytest.mark.parametrize("status", Status)
def test_each_state_has_its_outcome(viewer, status):
    ask(status, ago=5)

    counted = {row[0]: row[1] for row in rows(viewer, "shares")}

    assert {str(name) for name, number in counted.items() if number == "1"} == {
        OUTCOMES[status].label
    }


def test_what_another_release_has_written_counts_as_failed(viewer):
    ask("from tomorrow")

    assert ["Failed", "1", "100.0 %"] in rows(viewer, "shares")


def test_what_is_overdue_counts_as_expired(viewer):
    ask(Status.SENT, ago=100)

    assert ["Expired", "1", "100.0 %"] in rows(viewer, "shares")


def test_only_answers_of_a_person_count_in_the_time_to_answer(viewer):
    ask(Status.ACCEPTED, took=1.9)
    ask(Status.REJECTED, took=0)
    # The server's clock went back in between.
    ask(Status.CONSUMED, took=-3)
    ask(Status.NO_ANSWER, took=60)
    ask(Status.UNDELIVERED, took=5)

    bars = {bar: number for bar, number in rows(viewer, "answers") if number != "0"}

    assert bars == {"0–1 s": "2", "1–2 s": "1"}


def test_bars_grow_wider_and_the_last_has_the_rest(viewer):
    for took in [*range(0, 290, 10), 299]:
        ask(Status.ACCEPTED, ago=400, took=took)

    bars = rows(viewer, "answers")

    assert bars[0] == ["0–30 s", "3"]
    assert bars[-1][0] == "360 s and more"
    assert sum(int(number) for _, number in bars) == 30


def test_of_many_scopes_the_small_ones_are_told_together(viewer):
    for number in range(12):
        for _ in range(13 - number):
            ask(Status.ACCEPTED, scope=f"scope{number:02}")

    told = rows(viewer, "scopes")

    assert [row[0] for row in told] == [f"scope{n:02}" for n in range(10)] + [
        "2 others"
    ]
    assert told[-1] == ["2 others", "5", "5", "100.0 %"]


def test_the_users_with_most_approvals_and_declines_are_told(viewer):
    users = get_user_model().objects
    for number in range(12):
        user = users.create_user(f"user{number:02}")
        for _ in range(number + 1):
            ask(Status.ACCEPTED, user=user)
    ask(Status.REJECTED, user=users.get(username="user11"))
    ask(Status.REJECTED, ago=86400, user=users.get(username="user00"))

    attempts, declines = rows(viewer, "attempts"), rows(viewer, "declines")

    assert attempts[0] == ["user11", "13"]
    assert attempts[1:] == [[f"user{n:02}", str(n + 1)] for n in range(10, 1, -1)]
    assert declines == [["user11", "1"]]


def test_users_may_be_remembered_for_less_than_a_minute(viewer, now):
    anna = get_user_model().objects.create_user("anna")
    ask(Status.ACCEPTED, user=anna)
    assert rows(viewer, "attempts") == [["anna", "1"]]

    ask(Status.ACCEPTED, user=anna)
    now.shift(60)

    assert rows(viewer, "attempts") == [["anna", "2"]]


def test_a_user_who_is_deleted_is_not_told_any_more(viewer):
    anna = get_user_model().objects.create_user("anna")
    ask(Status.ACCEPTED, user=anna)
    assert rows(viewer, "attempts") == [["anna", "1"]]

    anna.delete()

    assert rows(viewer, "attempts") == []
    assert tile(viewer, "approvals") == "1"


def lock(user, status, times, **columns):
    known = {"user": user, "user_name": user.username, "masked_number": "+46*******05"}
    for number in range(times):
        ask(status, ago=60 + number * 90, took=8, **known | columns)


def test_locks_are_told_with_their_phone_masked(viewer):
    anna = get_user_model().objects.create_user("anna")
    lock(anna, Status.REJECTED, 3, number_hash="a" * 64)

    assert rows(viewer, "locks") == [
        ["anna", "+46*******05", "Declined too often", "04:54:08"]
    ]


def test_a_lock_that_is_over_is_not_told(viewer, now):
    anna = get_user_model().objects.create_user("anna")
    lock(anna, Status.REJECTED, 3, number_hash="a" * 64)
    now.shift(900)

    assert rows(viewer, "locks") == []


def test_too_few_declines_lock_nothing(viewer):
    anna = get_user_model().objects.create_user("anna")
    lock(anna, Status.REJECTED, 2, number_hash="a" * 64)
    lock(anna, Status.REJECTED, 1, number_hash="a" * 64, purpose="enrol")

    assert rows(viewer, "locks") == []


def test_a_login_that_is_declined_counts_with_the_owners_other_declines(viewer):
    anna = get_user_model().objects.create_user("anna")
    lock(anna, Status.REJECTED, 2, number_hash="a" * 64)
    lock(anna, Status.REJECTED, 1, number_hash="a" * 64, purpose="login")

    [told] = rows(viewer, "locks")

    assert told[:3] == ["anna", "+46*******05", "Declined too often"]


def test_a_user_may_be_locked_on_every_phone(viewer):
    anna = get_user_model().objects.create_user("anna")
    for number in "abcde":
        lock(anna, Status.NO_ANSWER, 1, number_hash=number * 64)

    [told] = rows(viewer, "locks")

    assert told[:3] == ["anna", "all", "Not answered too often"]


def test_a_phone_may_be_locked_for_nobody_who_is_known(viewer):
    for _ in range(3):
        ask(Status.REJECTED, took=5, number_hash="a" * 64, purpose="passwordless")

    [told] = rows(viewer, "locks")

    assert told[:3] == ["", "all", "Declined too often"]


def test_a_report_locks_for_longer_than_the_day_it_is_about(viewer, settings):
    anna = get_user_model().objects.create_user("anna")
    columns = {"user": anna, "user_name": "anna", "number_hash": "a" * 64}
    settings.MAGICLINK_LIMITS = {"lock_seconds": 86400}
    reported = NOW - timedelta(seconds=60)
    ask(Status.REJECTED, ago=3 * 86400, took=5, reported=reported, **columns)

    [told] = rows(viewer, "locks")

    assert told[2:] == ["Reported as not asked for", "03/31/2026 04:39:00"]

    settings.MAGICLINK_ON_REPORT = ()
    assert rows(viewer, "locks") == []


def test_where_nothing_locks_no_lock_is_told(viewer, settings):
    anna = get_user_model().objects.create_user("anna")
    lock(anna, Status.REJECTED, 3, number_hash="a" * 64)
    settings.MAGICLINK_LIMITS = {"lock_seconds": None}

    assert rows(viewer, "locks") == []


@pytest.mark.parametrize("name", RANGES)
@pytest.mark.covers("R32")
def test_housekeeping_counts_so_that_nobody_waits(viewer, name):
    ask(Status.ACCEPTED, ago=86400)
    call_command("magiclink_expire", stdout=StringIO())
    counted = set(Tally.objects.values_list("pk", flat=True))

    viewer.get(f"{PAGE}?range={name}")

    assert counted
    assert set(Tally.objects.values_list("pk", flat=True)) == counted


def test_keys_near_their_expiry_are_told_by_name_alone(viewer):
    for name, days in (("soon", 12), ("over", -1), ("later", 31), ("never", None)):
        endpoint = Endpoint.objects.create(name=name, base_url="https://a.example.com")
        day = days and timezone.localdate() + timedelta(days=days)
        ApiKey(endpoint=endpoint, name=f"key-{name}", expires_on=day).enter(SECRET)

    told = rows(viewer, "keys")

    assert [(row[0], row[1], row[3]) for row in told] == [
        ("over", "key-over", "-1"),
        ("soon", "key-soon", "12"),
    ]
    assert SECRET[-4:] not in viewer.get(PAGE).text


def test_no_hash_and_no_number_is_in_what_is_sent(viewer):
    anna = get_user_model().objects.create_user("anna")
    lock(anna, Status.REJECTED, 3, number_hash="a" * 64, session_hash="b" * 64)

    sent = viewer.get(PAGE).text + viewer.get(DATA).text

    assert "+46*******05" in sent
    assert "aaaa" not in sent
    assert "bbbb" not in sent


def test_a_page_that_is_left_open_keeps_no_session_alive(viewer, settings):
    settings.SESSION_SAVE_EVERY_REQUEST = True

    assert "sessionid" not in viewer.get(DATA).cookies
    assert "sessionid" in viewer.get(PAGE).cookies


@pytest.mark.parametrize("url", [PAGE, DATA])
def test_a_new_secret_key_logs_no_viewer_out(viewer, settings, url):
    settings.SECRET_KEY_FALLBACKS = [settings.SECRET_KEY]
    settings.SECRET_KEY = "another"

    assert viewer.get(url).status_code == 200
    assert viewer.get(PAGE).status_code == 200


def test_who_may_see_nothing_else_is_led_nowhere_else(db):
    client = log_in("view_dashboard")

    page = client.get(PAGE).text

    assert client.get(f"{ADMIN}/").status_code == 404
    assert f'href="{ADMIN}/"' not in page
    assert 'href="/admin/"' in page


def test_where_the_trail_may_be_read_the_page_leads_to_the_app(viewer):
    assert f'href="{ADMIN}/"' in viewer.get(PAGE).text


@pytest.mark.covers("A57")
def test_what_another_site_has_put_into_the_cache_is_not_shown(viewer, settings):
    anna = get_user_model().objects.create_user("anna")
    ask(Status.ACCEPTED, user=anna)
    with override_settings(SECRET_KEY="of another site"):
        top_users(gather("24h", NOW).spans[0].start)
    Approval.objects.all().delete()

    assert rows(viewer, "attempts") == []


class Broken(LocMemCache):
    def get(self, *args, **options):
        raise ConnectionError("redis://:secret@cache")

    set = get


def test_without_its_cache_the_page_counts(viewer, settings, caplog):
    anna = get_user_model().objects.create_user("anna")
    ask(Status.ACCEPTED, user=anna)
    settings.CACHES = {"default": {"BACKEND": f"{__name__}.Broken"}}

    assert rows(viewer, "attempts") == [["anna", "1"]]
    assert "The cache does not work: ConnectionError" in caplog.messages
    assert "secret" not in caplog.text


def test_a_site_without_approvals_has_no_link(viewer, settings):
    settings.ROOT_URLCONF = __name__

    page = viewer.get("/admin/django_magiclink/")

    assert page.status_code == 200
    assert "dashboard/" not in page.text


ZONES = ["Europe/Stockholm", "Asia/Kolkata", "America/Santiago", "Australia/Lord_Howe"]


@pytest.mark.parametrize("zone", ZONES)
@pytest.mark.parametrize("name", RANGES)
def test_spans_follow_the_clock_on_the_wall(name, zone):
    hours, number = RANGES[name]
    place = ZoneInfo(zone)

    # Through a year, and so each change of the clocks.
    for hour in range(0, 365 * 24, 17):
        now = NOW + timedelta(hours=hour)
        with timezone.override(place):
            spans = spans_of(name, now)

        assert len(spans) == number
        assert spans[-1].start <= now < spans[-1].end
        assert all(one.end == other.start for one, other in pairwise(spans))
        if hours > 1:
            walls = [span.start.astimezone(place) for span in spans]
            # In Santiago the clock goes from midnight to one.
            assert all(
                wall.hour % hours in (0, 1) and not wall.minute for wall in walls
            )


def random_approvals(numbers, number, since, until):
    for _ in range(number):
        seconds = numbers.random() ** 3 * (until - since).total_seconds()
        created = (until - timedelta(seconds=seconds)).replace(microsecond=0)
        sent = created + timedelta(milliseconds=numbers.randrange(900))
        yield Approval(
            status=numbers.choice(Status.values),
            scope=numbers.choice(["default", "payroll", "transfer"]),
            endpoint_name=numbers.choice(["main", "other"]),
            created=created,
            sent=numbers.choice([sent, sent, None]),
            answered=numbers.choice(
                [sent + timedelta(milliseconds=numbers.randrange(70_000)), None]
            ),
            deadline=created + timedelta(seconds=numbers.choice([30, 70, 310])),
        )


def outcome_of(approval, now):
    if approval.status in UNDECIDED and approval.deadline < now:
        return Outcome.EXPIRED
    return OUTCOMES[approval.status]


def on_the_wall(name, moment):
    """What a person would call the span that a moment is in."""
    local = timezone.localtime(moment)
    if name == "30d":
        return local.date()
    if name == "7d":
        return local.date(), local.hour // 6
    return local.replace(minute=0, second=0, microsecond=0).isoformat()


def check(name, now):
    """Hold what is gathered equal to what a loop over all approvals finds."""
    found = gather(name, now)
    names = [on_the_wall(name, span.start) for span in found.spans]
    series = {each: Counter() for each in names}
    scopes, endpoints, times = {}, {}, Counter()
    for row in Approval.objects.all():
        place = on_the_wall(name, row.created)
        if place not in series:
            continue
        outcome = outcome_of(row, now)
        series[place][outcome] += 1
        scopes.setdefault(row.scope, Counter())[outcome] += 1
        endpoints.setdefault(row.endpoint_name, Counter())[outcome] += 1
        by_person = outcome in (Outcome.ACCEPTED, Outcome.DECLINED)
        if by_person and row.sent and row.answered:
            times[(row.answered - row.sent) // timedelta(milliseconds=500)] += 1
    assert list(found.series) == list(series.values())
    assert (found.scopes, found.endpoints, found.times) == (scopes, endpoints, times)


@pytest.mark.parametrize("zone", ["Europe/Stockholm", "Asia/Kolkata"])
def test_all_is_counted_as_a_loop_would_count_it(database, zone, now):
    numbers = random.Random(f"{zone} 5")
    rows = random_approvals(numbers, 300, NOW - timedelta(days=32), NOW)
    Approval.objects.bulk_create(rows)
    with timezone.override(ZoneInfo(zone)):
        # In between, some that were overdue are given up, and new ones come.
        for _ in range(3):
            for name in RANGES:
                check(name, timezone.now())
            overdue = Approval.objects.filter(
                status__in=UNDECIDED, deadline__lt=timezone.now()
            )
            for pk in overdue.values_list("pk", flat=True)[:7]:
                Approval.objects.advance(
                    pk, numbers.choice([Status.CANCELLED, Status.EXPIRED])
                )
            before = timezone.now()
            now.shift(numbers.choice([600, 3000, 40_000]))
            more = random_approvals(numbers, 30, before, timezone.now())
            Approval.objects.bulk_create(more)


def test_what_is_settled_is_not_counted_again(viewer, django_assert_num_queries):
    for ago in range(0, 30 * 86400, 7200):
        ask(Status.ACCEPTED, ago=ago, took=5)
    gather("30d", NOW)

    # What is overdue, the tallies, and twice what came in the last hour.
    with django_assert_num_queries(4):
        gather("30d", NOW)


def test_tallies_are_not_kept_for_ever(viewer, now):
    gather("30d", NOW)
    oldest = Tally.objects.earliest("start").start

    now.shift(40 * 86400)
    gather("30d", timezone.now())

    assert Tally.objects.earliest("start").start > oldest + timedelta(days=36)
    assert Tally.objects.count() < 60


@pytest.mark.parametrize("name", ["7d", "30d"])
def test_what_is_purged_stays_counted(viewer, now, name):
    anna = get_user_model().objects.create_user("anna")
    for ago in (3 * 86400, 5 * 86400):
        ask(Status.ACCEPTED, ago=ago, user=anna)
        for status in (Status.REJECTED, Status.EXPIRED, Status.SENT):
            ask(status, ago=ago)
    ask(Status.REJECTED, ago=3600)
    before = gather(name, NOW)

    retention.purge(days=2)
    retention.purge(days=1, grants=1)
    after = gather(name, NOW)

    assert before.outcomes.total() == 9
    assert Approval.objects.count() == 1
    assert after == before
    now.shift(3600)
    retention.purge(days=1)
    assert gather(name, timezone.now()).outcomes == before.outcomes


def test_a_purge_counts_what_it_deletes_first(viewer):
    ask(Status.REJECTED, ago=20 * 86400)

    retention.purge(days=7)

    assert gather("30d", NOW).outcomes == {Outcome.DECLINED: 1}


@pytest.mark.parametrize("name", RANGES)
@pytest.mark.parametrize("url", [PAGE, DATA])
def test_without_time_zones_there_is_a_dashboard_too(viewer, settings, name, url):
    ask(Status.ACCEPTED, took=5)
    anna = get_user_model().objects.create_user("anna")
    lock(anna, Status.REJECTED, 3, number_hash="a" * 64)
    settings.USE_TZ = False

    answer = viewer.get(url, {"range": name})

    assert answer.status_code == 200


def test_a_tally_has_no_personal_data(viewer):
    anna = get_user_model().objects.create_user("anna")
    lock(anna, Status.REJECTED, 3, number_hash="a" * 64, address="192.0.2.1")
    gather("24h", NOW + timedelta(hours=5))

    kept = json.dumps(list(Tally.objects.values_list("counts", flat=True)))

    assert '"declined": 3' in kept
    assert not [each for each in ("anna", "+46", "aaaa", "192.0") if each in kept]
    assert "UTC" in str(Tally.objects.first()) or "+00:00" in str(Tally.objects.first())


def test_percentiles_are_told_to_half_a_second():
    times = Counter({3: 50, 10: 45, 40: 5})

    assert within(times, 0.5) == 2
    assert within(times, 0.95) == 5.5
    assert within(times, 1) == 20.5
    assert within(Counter(), 0.5) is None
