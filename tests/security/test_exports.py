"""The CSV of the audit trail: inert to spreadsheets, masked, permitted and logged."""

import asyncio
import csv
import gc
import io
import unicodedata
from datetime import timedelta

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Permission
from django.core.handlers.asgi import ASGIHandler
from django.test import AsyncClient, AsyncRequestFactory, Client
from django.utils import timezone

from django_magiclink import exports
from django_magiclink.admin import listing
from django_magiclink.models import Approval
from django_magiclink.signals import approvals_exported
from django_magiclink.status import Status

LIST = "/admin/django_magiclink/approval/"
EXPORT = f"{LIST}export/"
PAYLOADS = [
    "=1+1",
    "+1",
    "-1",
    "@SUM(A1)",
    '=HYPERLINK("http://evil.example","Click")',
    "=cmd|' /C calc'!A0",
    "@SUM(1+1)*cmd|' /C calc'!A0",
    "+cmd|' /C calc'!A0",
    '-2+3+cmd|" /C calc"!A0',
    "\t=1",
    "\r=1",
    "\n=1",
    "\r\n=1",
    " =1",
    "   +1",
    "\u00a0=1",
    "\u3000=1",
    '"=1',
    '""=1',
    "' =1",
    "'=1",
    "`=1",
    ' " =1',
    "\uff1d1+1",
    "\uff0b1",
    "\uff0d1",
    "\uff20SUM(A1)",
    "\ufe661",
    "\ufe621",
    "\ufe631",
    "\ufe6bSUM(A1)",
    "\u22121",
    "\ufeff=1",
    "\u200b=1",
    "\u202e=1",
    "\x00=1",
    "\x1b=1",
    "\u2028=1",
    "\u0085=1",
    "Pay;=1+1",
    "Pay; =1+1",
    'Pay;"=1+1',
    'Pay";=1+1;"',
    "Pay|=1+1",
    "Pay\t=1+1",
    "Pay\n=1+1",
    'Pay"\n=1+1',
    'Pay","=1+1',
    "%0A=1",
    "+46701740605",
    "=\t1",
    "=" * 250,
]


def is_live(cell):
    """
    Tell whether a spreadsheet may calculate the cell rather than show it.

    Wider than any is known to be: what looks like a formula after spaces, quotes,
    invisible characters and full-width forms counts as well.
    """
    for part in cell.splitlines() or [""]:
        seen = unicodedata.normalize("NFKC", part)
        hidden = {"Cc", "Cf", "Zs", "Zl", "Zp"}
        seen = "".join(c for c in seen if unicodedata.category(c) not in hidden)
        # An apostrophe says "text"; other quotes may be taken away.
        if seen.lstrip('"`')[:1] in [*"=+-@\u2212"]:
            return True
    return False


def cells(text, delimiter=","):
    """Return the cells as a spreadsheet with that separator has them."""
    file = io.StringIO(text.removeprefix("\ufeff"), newline="")
    rows = csv.reader(file, delimiter=delimiter)
    return [cell for row in rows for cell in row]


@pytest.fixture
def root(db):
    return get_user_model().objects.create_superuser("root")


@pytest.fixture
def admin(root):
    client = Client()
    client.force_login(root)
    return client


@pytest.fixture
def exported(monkeypatch):
    """What the signal told."""
    told = []

    def receive(sender, user, rows, filters, **kwargs):
        told.append((user.username, rows, filters))

    approvals_exported.connect(receive)
    yield told
    approvals_exported.disconnect(receive)


def table(answer):
    text = answer.getvalue().decode("utf-8-sig")
    return list(csv.DictReader(io.StringIO(text)))


@pytest.mark.covers("R53", "A59")
@pytest.mark.parametrize("payload", PAYLOADS)
def test_the_search_for_live_cells_finds_what_is_not_made_inert(payload):
    written = io.StringIO()
    csv.writer(written, quoting=csv.QUOTE_ALL).writerow(["id", payload])
    found = [
        cell
        for delimiter in ",;|\t"
        for cell in cells(written.getvalue(), delimiter)
        if is_live(cell)
    ]

    # What starts with an apostrophe or a percent sign, or has only one in its text, is
    # inert as it is.
    harmless = payload in ("'=1", "' =1", 'Pay","=1+1', "%0A=1")
    assert bool(found) != harmless


@pytest.mark.covers("R53", "A59")
@pytest.mark.parametrize("delimiter", [",", ";", "|", "\t"])
def test_no_cell_of_an_export_is_live(admin, delimiter):
    for payload in PAYLOADS:
        plain = payload.replace("\x00", " ")
        Approval.objects.create(
            user_name=plain[:150],
            text=plain,
            scope=plain[:64],
            endpoint_name=plain[:64],
            user_agent=plain[:200],
            address=plain[:64],
            answer_code=plain[:64],
            masked_number="+46*******05",
        )

    text = admin.get(EXPORT).getvalue().decode()

    found = cells(text, delimiter)
    assert len(found) > 20 * len(PAYLOADS) if delimiter == "," else found
    assert [cell for cell in found if is_live(cell)] == []
    assert len(text.splitlines()) == 1 + len(PAYLOADS)


@pytest.mark.covers("R53")
@pytest.mark.parametrize("payload", PAYLOADS)
def test_what_is_made_inert_can_still_be_read(payload):
    shown = exports.cell(payload)

    kept = [c for c in payload if unicodedata.category(c)[0] not in "CZ" and c != "'"]
    assert [c for c in shown if unicodedata.category(c)[0] != "Z" and c != "'"] == kept


def test_plain_words_stay_as_they_are():
    for plain in ["Pay 100.00 to Bo-Berg", "a@b.example", "1 + 1 = 2", "", "Åsa; Bo"]:
        assert exports.cell(plain) == plain
    assert exports.cell(None) == ""


@pytest.mark.covers("R53", "R32")
def test_an_export_has_what_the_trail_shows_and_no_secret(admin, root):
    sent = timezone.now().replace(microsecond=0)
    approval = Approval.objects.create(
        user=root,
        user_name="Åsa",
        scope="payroll",
        endpoint_name="main",
        status=Status.ACCEPTED,
        text="Pay Bo",
        masked_number="+46*******05",
        number_hash="hash-of-number",
        binding="binding-of-it",
        session_hash="abcdef0123",
        code="47",
        address="192.0.2.7",
        sent=sent,
        answered=sent + timedelta(seconds=7.25),
    )

    answer = admin.get(EXPORT)

    [row] = table(answer)
    assert row["id"] == str(approval.pk)
    assert row["user"] == "Åsa"
    assert row["state"] == "accepted"
    assert row["phone"] == "'+46*******05"
    assert row["seconds"] == "7.250"
    assert row["sent"] == sent.isoformat(timespec="milliseconds")
    assert row["session"] == "abcdef01"
    assert row["address"] == "192.0.2.7"
    text = answer.getvalue().decode()
    secrets = ["hash-of-number", "binding-of-it", "abcdef012", '"47"']
    assert [secret for secret in secrets if secret in text] == []


def test_an_export_opens_in_excel_and_goes_into_a_file(admin):
    answer = admin.get(EXPORT)

    assert answer.streaming
    assert answer.getvalue().startswith(b"\xef\xbb\xbf")
    assert answer.headers["Content-Type"] == "text/csv; charset=utf-8"
    assert answer.headers["Content-Disposition"].startswith("attachment; filename=")
    assert "no-store" in answer.headers["Cache-Control"]


def test_without_time_zones_times_are_in_utc_too(admin, settings):
    Approval.objects.create()
    settings.USE_TZ = False

    [row] = table(admin.get(EXPORT))

    assert row["created"].endswith("+00:00")


def test_a_clock_that_went_back_gives_no_minus(admin):
    now = timezone.now()
    Approval.objects.create(sent=now, answered=now - timedelta(seconds=3))

    assert table(admin.get(EXPORT))[0]["seconds"] == "0.000"


@pytest.mark.parametrize("chunk", [1, 2, 3, 100])
def test_an_export_has_each_row_once_in_order(admin, monkeypatch, chunk):
    monkeypatch.setattr(exports, "CHUNK", chunk)
    now = timezone.now()
    for minutes in (0, 1, 1, 1, 2, 3, 3):
        Approval.objects.create(created=now - timedelta(minutes=minutes))

    found = [row["id"] for row in table(admin.get(EXPORT))]

    newest_first = Approval.objects.order_by("-created", "-pk")
    assert found == [str(pk) for pk in newest_first.values_list("pk", flat=True)]


@pytest.mark.covers("R53", "R51", "A59")
def test_an_export_has_what_the_list_shows_and_is_logged(admin, root, exported, caplog):
    caplog.set_level("INFO", "django_magiclink")
    wanted = Approval.objects.create(scope="payroll", text="Pay Bo")
    Approval.objects.create(scope="payroll", text="Pay Åsa")
    Approval.objects.create(scope="other", text="Pay Bo")
    query = "?scope=payroll&q=pay+bo"
    assert f'href="{EXPORT}{query.replace("&", "&amp;")}"' in admin.get(
        f"{LIST}?q=pay+bo&scope=payroll"
    ).text.replace("?q=pay+bo&amp;scope=payroll", "?scope=payroll&amp;q=pay+bo")

    found = table(admin.get(f"{EXPORT}{query}"))

    assert [row["id"] for row in found] == [str(wanted.pk)]
    assert exported == [("root", 1, {"scope": "payroll", "q": "pay bo"})]
    [entry] = LogEntry.objects.all()
    assert entry.user == root
    assert entry.change_message == "Exported as CSV: scope=payroll and a search."
    line = "1 approvals were exported by user {}, filters: scope=payroll&q=pay+bo."
    assert line.format(root.pk) in caplog.messages


@pytest.mark.covers("R55", "A62")
@pytest.mark.parametrize(
    ("query", "said"),
    [("q=anna", "a search"), ("q=", "all"), ("", "all"), ("state=sent", "state=sent")],
)
def test_the_log_does_not_keep_a_name_that_was_looked_for(admin, query, said):
    admin.get(f"{EXPORT}?{query}").getvalue()

    assert LogEntry.objects.get().change_message == f"Exported as CSV: {said}."


def test_the_selected_can_be_exported(admin, exported):
    chosen, _other = Approval.objects.create(), Approval.objects.create()
    action = {"action": "export_selected", "_selected_action": [chosen.pk]}

    found = table(admin.post(LIST, action))

    assert [row["id"] for row in found] == [str(chosen.pk)]
    assert exported == [("root", 1, {"selected": "1"})]


def test_all_of_a_list_can_be_selected(admin, exported):
    approvals = [Approval.objects.create(scope="a") for _ in range(2)]
    Approval.objects.create(scope="b")
    action = {"action": "export_selected", "_selected_action": [approvals[0].pk]}

    found = table(admin.post(f"{LIST}?scope=a", action | {"select_across": "1"}))

    assert len(found) == 2
    assert exported == [("root", 2, {"scope": "a"})]


@pytest.mark.covers("R53")
def test_all_of_a_list_that_is_cut_is_more_than_it_says(admin, exported, monkeypatch):
    monkeypatch.setattr(listing, "MOST_ROWS", 3)
    approvals = [Approval.objects.create() for _ in range(4)]
    action = {"action": "export_selected", "_selected_action": [approvals[0].pk]}

    answer = admin.post(LIST, action | {"select_across": "1"}, follow=True)

    assert "Use the button above it for all rows." in answer.text
    assert exported == []
    assert len(table(admin.get(EXPORT))) == 4
    assert len(table(admin.post(LIST, action))) == 1


@pytest.mark.covers("R53", "A57")
@pytest.mark.parametrize("permissions", [["view_approval"], ["export_approval"]])
def test_who_has_not_both_permissions_exports_nothing(permissions, exported, db):
    staff = get_user_model().objects.create_user("staff", is_staff=True)
    staff.user_permissions.set(Permission.objects.filter(codename__in=permissions))
    client = Client()
    client.force_login(staff)
    approval = Approval.objects.create()
    action = {"action": "export_selected", "_selected_action": [approval.pk]}

    assert client.get(EXPORT).status_code == 403
    assert "text/csv" not in client.post(LIST, action).headers["Content-Type"]
    assert "Export as CSV" not in client.get(LIST).text
    assert exported == []
    assert not LogEntry.objects.exists()


def test_an_export_is_got_and_not_posted(admin):
    assert admin.post(EXPORT).status_code == 405


def test_a_filter_that_cannot_be_exports_nothing(admin, exported):
    answer = admin.get(f"{EXPORT}?user=x")

    assert answer.headers["Location"] == f"{LIST}?e=1"
    assert exported == []


@pytest.mark.django_db(transaction=True)
@pytest.mark.covers("R51")
def test_an_export_that_is_broken_off_is_logged_too(admin, exported, monkeypatch):
    monkeypatch.setattr(exports, "CHUNK", 1)
    for _ in range(5):
        Approval.objects.create()
    answer = admin.get(EXPORT)
    pieces = iter(answer.streaming_content)

    for _ in range(4):
        next(pieces)
    answer.close()

    assert LogEntry.objects.count() == 1
    # The header and two whole rows; of a third nobody knows that it arrived.
    assert exported == [("root", 2, {})]


@pytest.mark.django_db(transaction=True)
def test_an_export_is_streamed_by_an_asgi_server_as_well(root, exported):
    Approval.objects.create(scope="payroll")
    client = AsyncClient()

    async def got():
        await client.aforce_login(root)
        answer = await client.get(EXPORT)
        assert answer.is_async
        return b"".join([piece async for piece in answer.streaming_content])

    text = asyncio.run(got()).decode("utf-8-sig")

    assert [row["scope"] for row in csv.DictReader(io.StringIO(text))] == ["payroll"]
    assert exported == [("root", 1, {})]


@pytest.mark.django_db(transaction=True)
@pytest.mark.covers("R51")
def test_an_export_that_an_asgi_server_breaks_off_is_logged_at_once(
    admin, exported, monkeypatch
):
    monkeypatch.setattr(exports, "CHUNK", 1)
    Approval.objects.bulk_create(Approval() for _ in range(200))
    cookie = f"sessionid={admin.cookies['sessionid'].value}"

    async def broken_off():
        sent, gone = [], asyncio.Event()
        incoming = [{"type": "http.request", "body": b""}]

        async def receive():
            if incoming:
                return incoming.pop()
            await gone.wait()
            return {"type": "http.disconnect"}

        async def send(message):
            sent.append(message)
            if len(sent) == 4:
                gone.set()

        scope = AsyncRequestFactory()._base_scope(path=EXPORT, method="GET")
        scope["headers"] = [(b"host", b"testserver"), (b"cookie", cookie.encode())]
        await ASGIHandler()(scope, receive, send)
        # Before the garbage collector can have been there.
        return list(exported), sent

    gc.disable()
    try:
        told, sent = asyncio.run(broken_off())
    finally:
        gc.enable()

    assert len(told) == 1
    assert told[0][1] < 200 > len(sent)


@pytest.mark.covers("R55", "A62")
def test_of_a_deleted_user_an_export_has_nothing_personal(admin, user):
    Approval.objects.create(
        user=user,
        user_name="anna",
        masked_number="+46*******05",
        address="192.0.2.7",
        user_agent="Firefox",
        text="Pay Bo",
        scope="payroll",
    )

    user.delete()

    text = admin.get(EXPORT).getvalue().decode()
    personal = ["anna", "+46*", "192.0.2.7", "Firefox", "Pay Bo"]
    assert [each for each in personal if each in text] == []
    assert "payroll" in text
