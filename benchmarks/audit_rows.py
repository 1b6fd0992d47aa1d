"""
Approvals by the million, as a site has them that was busy for 30 days.

``make(1_000_000)`` once Django is set up; what is there already stays.
"""

import random
import uuid
from datetime import timedelta

from django.contrib.auth import get_user_model
from django.contrib.auth.hashers import make_password
from django.db import connection, models
from django.db.models import Q
from django.utils import timezone

from django_magiclink.models import Approval, Endpoint
from django_magiclink.phones import hash_number

USERS = 2000
ENDPOINTS = ["main", "backup", "branch"]
#: Scopes and how often each is asked for: one of them hardly ever.
SCOPES = {
    "payroll": 400,
    "transfer": 300,
    "admin": 150,
    "login": 100,
    "orders": 30,
    "export": 15,
    "delete-account": 4,
    "vault": 1,
}
#: Statuses with their answer code and kind of error, and how often each is.
OUTCOMES = {
    ("consumed", "TOUCH_ACCEPTED", ""): 400,
    ("accepted", "TOUCH_ACCEPTED", ""): 300,
    ("revoked", "TOUCH_ACCEPTED", ""): 80,
    ("rejected", "TOUCH_REJECTED", ""): 60,
    ("no_answer", "NO_RESPONSE", ""): 80,
    ("cancelled", "", ""): 40,
    ("failed", "", "timeout"): 20,
    ("expired", "", ""): 12,
    ("undelivered", "PHONE_UNREACHABLE", ""): 6,
    ("sent", "", ""): 2,
}
AGENT = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"
#: Rows that are made one by one; the others are these once more, at other times.
SEED = 10_000
#: Copies that are made at a time.
COPIES = 10
_TIMES = [
    field.column
    for field in Approval._meta.concrete_fields
    if isinstance(field, models.DateTimeField)
]


def make(count, days=30, until=None):
    """Add ``count`` approvals, in ten thousands, of the ``days`` before ``until``."""
    until = until or timezone.now()
    source = random.Random(count)
    people, endpoints = _people(), _endpoints()
    step = timedelta(days=days) / SEED
    seed = [
        _row(source, until - step * number, people, endpoints) for number in range(SEED)
    ]
    _cache(400_000)
    Approval.objects.bulk_create(seed, batch_size=500)
    copies = count // SEED
    since = until - step * SEED
    for first in range(1, copies, COPIES):
        shifts = range(first, min(first + COPIES, copies))
        _copy(since, until, [step.total_seconds() * each / copies for each in shifts])
    _cache(2000)
    tidy()


def _cache(kibibytes):
    """Let SQLite keep the indexes in memory while they grow; 2000 is its default."""
    if connection.vendor == "sqlite":
        with connection.cursor() as cursor:
            cursor.execute(f"PRAGMA cache_size = -{kibibytes}")


def _copy(since, until, shifts):
    """Add all rows of the seed once more for each of the ``shifts``, in seconds."""
    values = {field.column: field.column for field in Approval._meta.concrete_fields}
    if connection.vendor == "postgresql":
        values["id"] = "gen_random_uuid()"
        random_hash = "md5(random()::text) || md5(random()::text)"
        values |= {name: f"{name} - shift * interval '1s'" for name in _TIMES}
    else:
        values["id"] = "lower(hex(randomblob(16)))"
        random_hash = "lower(hex(randomblob(32)))"
        shifted = (
            "strftime('%%Y-%%m-%%d %%H:%%M:%%f000', {}, '-' || shift || ' seconds')"
        )
        values |= {name: shifted.format(name) for name in _TIMES}
    values |= {"session_hash": random_hash, "binding": random_hash}
    # The seed has a mark, so that a copy is not copied.
    values["language"] = "'sv'"
    table = Approval._meta.db_table
    rows = " UNION ALL ".join(f"SELECT {shift:.3f} AS shift" for shift in shifts)
    chosen = Q(language="en", created__gt=since, created__lte=until)
    where, params = Approval.objects.filter(chosen).query.sql_with_params()
    where = where[where.index(" WHERE ") : where.index(" ORDER BY ")]
    with connection.cursor() as cursor:
        cursor.execute(
            f"INSERT INTO {table} ({', '.join(values)}) "
            f"SELECT {', '.join(values.values())} "
            f"FROM {table}, ({rows}) AS shifts {where}",
            params,
        )


def tidy():
    """Let the database know what it has, as its own housekeeping does in time."""
    with connection.cursor() as cursor:
        vacuum = "VACUUM ANALYZE" if connection.vendor == "postgresql" else "ANALYZE"
        cursor.execute(vacuum)


def _people():
    users = get_user_model()
    password = make_password("benchmark")
    known = set(users.objects.values_list("username", flat=True))
    names = [f"user{number:04}" for number in range(USERS)]
    users.objects.bulk_create(
        users(username=name, password=password) for name in names if name not in known
    )
    rows = users.objects.filter(username__in=names).values_list("pk", "username")
    return [
        (pk, name, f"+4670{number:07}", hash_number(f"+4670{number:07}"))
        for number, (pk, name) in enumerate(rows)
    ]


def _endpoints():
    return [
        Endpoint.objects.get_or_create(
            name=name, defaults={"base_url": "https://mideye.example.com:8443"}
        )[0]
        for name in ENDPOINTS
    ]


def _row(source, created, people, endpoints):
    pk, name, number, number_hash = source.choice(people)
    endpoint = source.choices(endpoints, weights=[6, 3, 1])[0]
    [(status, code, error)] = source.choices([*OUTCOMES], weights=[*OUTCOMES.values()])
    [scope] = source.choices([*SCOPES], weights=[*SCOPES.values()])
    sent = created + timedelta(milliseconds=source.randrange(20, 900))
    answered = sent + timedelta(seconds=min(source.lognormvariate(2.2, 0.7), 59))
    deadline = sent + timedelta(seconds=80)
    return Approval(
        id=uuid.UUID(int=source.getrandbits(128), version=4),
        user_id=pk,
        user_name=name,
        endpoint=endpoint,
        endpoint_name=endpoint.name,
        scope=scope,
        text=f"Pay {source.randrange(9999)}.00 to Bo Berg",
        code=str(source.randrange(10, 99)),
        code_mode="show",
        language="en",
        masked_number=f"{number[:3]}{'*' * 7}{number[-2:]}",
        number_hash=number_hash,
        session_hash=f"{source.getrandbits(256):064x}",
        binding=f"{source.getrandbits(256):064x}",
        address=f"192.0.2.{source.randrange(256)}",
        user_agent=AGENT,
        status=status,
        answer_code=code,
        http_status=200 if code else None,
        error_kind=error,
        created=created,
        start_by=created + timedelta(seconds=30),
        sent=sent,
        answered=answered if code else None,
        consumed=answered + timedelta(seconds=1) if status == "consumed" else None,
        deadline=deadline,
        live_until=deadline,
        dispatcher="django_magiclink.dispatchers.thread.ThreadDispatcher",
    )
