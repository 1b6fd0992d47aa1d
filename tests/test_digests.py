import datetime as dt
import enum
import itertools
import uuid
from collections import OrderedDict
from decimal import Decimal
from types import SimpleNamespace

import pytest
from django.contrib.auth import get_user_model
from django.core.files.base import ContentFile
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import models
from django.http import QueryDict
from django.utils.safestring import mark_safe
from django.utils.translation import gettext_lazy

from django_magiclink.digests import digest, encode
from django_magiclink.status import Status
from tests.models import Run


class Colour(enum.Enum):
    RED = 1


class Number(enum.IntEnum):
    ONE = 1


class Choice(models.TextChoices):
    ONE = "1"


NOON = dt.datetime(2026, 11, 22, 12, 0)
UTC = dt.timezone.utc  # noqa: UP017

#: No two of these may share a digest.
DISTINCT = [
    None,
    True,
    False,
    1,
    0,
    -1,
    1.0,
    0.1,
    float("inf"),
    "",
    "1",
    "True",
    "None",
    "a",
    "b",
    "\ud800",
    b"",
    b"1",
    Decimal("1"),
    Decimal("1.0"),
    dt.date(2026, 11, 22),
    NOON,
    NOON.replace(tzinfo=UTC),
    dt.time(12, 0),
    dt.timedelta(seconds=1),
    dt.timedelta(days=1),
    uuid.UUID(int=1),
    Colour.RED,
    Number.ONE,
    Choice.ONE,
    Status.ACCEPTED,
    [],
    [1],
    [1, 2],
    [2, 1],
    ["12"],
    ["1", "2"],
    [["1"], "2"],
    [["1", "2"]],
    (),
    (1,),
    (1, 2),
    set(),
    {1},
    {1, 2},
    {},
    {"a": 1},
    {"a": "1"},
    {"b": 1},
    {1: 1},
    {"a": 1, "b": 2},
    {"a": {"b": 1}},
    QueryDict("a=1&a=2"),
    QueryDict("a=2"),
    ContentFile(b"one", "a.txt"),
    ContentFile(b"two", "a.txt"),
    ContentFile(b"one", "b.txt"),
]


def test_different_things_have_different_digests():
    alike = [
        (one, other)
        for one, other in itertools.combinations(DISTINCT, 2)
        if digest(one) == digest(other)
    ]

    assert alike == []


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({"a": 1, "b": 2}, OrderedDict([("b", 2), ("a", 1)])),
        ({1, 2, 3}, frozenset([3, 2, 1])),
        ("safe", mark_safe("safe")),  # noqa: S308
        ("Status", gettext_lazy("Status")),
        (QueryDict("a=1&b=2&a=3"), QueryDict("b=2&a=1&a=3")),
        (ContentFile(b"one", "a.txt"), SimpleUploadedFile("a.txt", b"one")),
    ],
)
def test_the_same_thing_has_one_digest(one, other):
    assert digest(one) == digest(other)


def test_parts_cannot_run_into_each_other():
    assert encode(["ab", "c"]) == b"list13:str2:abstr1:c"


def test_a_file_is_left_rewound():
    file = ContentFile(b"one", "a.txt")
    file.seek(2)

    assert digest(file) == digest(ContentFile(b"one", "a.txt"))
    assert file.read() == b"one"


@pytest.mark.django_db
def test_instances_count_by_their_key():
    run, other = Run.objects.create(view="a"), Run.objects.create(view="a")
    user = get_user_model()(pk=run.pk)
    user._state.adding = False

    assert digest(run) == digest(Run.objects.get(pk=run.pk))
    assert digest(run) != digest(other)
    assert digest(run) != digest(user)


@pytest.mark.django_db
def test_querysets_count_by_their_keys_in_any_order():
    first = Run.objects.create(view="a")
    Run.objects.create(view="b")

    every = digest(Run.objects.order_by("pk"))

    assert every == digest(Run.objects.order_by("-pk"))
    assert every != digest(Run.objects.filter(pk=first.pk))
    assert digest(Run.objects.none()) != digest(get_user_model().objects.none())


@pytest.mark.parametrize(
    "value",
    [object(), SimpleNamespace(), Run(), Run(pk=1), 1j, [object()], {"a": Run()}, len],
)
def test_what_has_no_such_form_is_refused(value):
    with pytest.raises(TypeError, match="cannot be bound to"):
        digest(value)
