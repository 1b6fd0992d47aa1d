import datetime as dt
import enum
import itertools
import re
import uuid
from collections import OrderedDict
from decimal import Decimal
from types import MappingProxyType, SimpleNamespace
from urllib.parse import urlencode

import pytest
from django.contrib.auth import get_user_model
from django.core.files.base import ContentFile
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import models
from django.http import QueryDict
from django.test import RequestFactory
from django.utils.safestring import mark_safe
from django.utils.translation import gettext_lazy
from hypothesis import HealthCheck, Phase, example, given, settings
from hypothesis import strategies as st

from django_magiclink import digests
from django_magiclink.bodies import Body
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


often = settings(
    max_examples=2000,
    derandomize=True,
    database=None,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)

SHORT = {"max_size": 4}
TEXTS = st.text("ab1:", **SHORT) | st.text(**SHORT) | st.just("\ud800")
OFFSETS = st.none() | st.timezones() | st.just(UTC)
KEYS = (
    st.none()
    | st.booleans()
    | st.integers(-2, 300)
    | st.integers()
    | st.floats()
    | TEXTS
    | TEXTS.map(mark_safe)  # noqa: S308
    | st.just(gettext_lazy("Status"))
    | st.binary(**SHORT)
    | TEXTS.map(lambda text: text.encode("utf-8", "surrogatepass"))
    | st.decimals(allow_nan=False, places=None)
    | st.datetimes(timezones=OFFSETS)
    | st.dates()
    | st.times(timezones=OFFSETS)
    | st.timedeltas()
    | st.uuids()
    | st.sampled_from([Colour.RED, Number.ONE, Choice.ONE, *Status])
)


def saved(pk):
    run = Run(pk=pk)
    run._state.adding = False
    return run


LEAVES = (
    KEYS
    | st.builds(ContentFile, st.binary(**SHORT), TEXTS)
    | st.builds(
        lambda name, content: SimpleUploadedFile(f"a{name}", content),
        *[st.text("ab", **SHORT), st.binary(**SHORT)],
    )
    | st.integers(1, 300).map(saved)
    | st.lists(st.tuples(st.sampled_from("ab"), st.sampled_from("ab1")), **SHORT).map(
        lambda pairs: QueryDict(urlencode(pairs))
    )
)
VALUES = st.recursive(
    LEAVES,
    lambda inner: (
        st.lists(inner, **SHORT)
        | st.lists(inner, **SHORT).map(tuple)
        | st.dictionaries(KEYS, inner, **SHORT)
        | st.dictionaries(KEYS, inner, **SHORT).map(MappingProxyType)
        | st.frozensets(KEYS, **SHORT)
        | st.sets(KEYS, **SHORT)
    ),
    max_leaves=6,
)


def meant(value):
    """What ``value`` is, so that two that are the same are equal, and no others."""
    match value:
        case enum.Enum():
            return "enum", type(value), value.name
        case None | bool() | int() | float() | bytes() | uuid.UUID():
            return type(value).__name__, repr(value)
        case Decimal():
            return "decimal", value.as_tuple()
        case dt.datetime():
            naive = value.replace(tzinfo=None, fold=0)
            return "datetime", naive, value.utcoffset()
        case dt.time():
            return "time", value.replace(tzinfo=None, fold=0), value.utcoffset()
        case dt.date() | dt.timedelta():
            return type(value).__name__, value
        case models.Model():
            return "instance", type(value), value.pk
        case ContentFile() | SimpleUploadedFile():
            value.seek(0)
            return "file", value.name, value.read()
        case list() | tuple():
            return type(value).__name__, tuple(map(meant, value))
        case set() | frozenset():
            return "set", frozenset(map(meant, value))
        case QueryDict():
            return meant(dict(value.lists()))
        case dict() | MappingProxyType():
            pairs = ((meant(key), meant(item)) for key, item in value.items())
            return "mapping", frozenset(pairs)
    return "str", str(value)


def disguises(value):
    """What is another value, but looks as much like ``value`` as may be."""
    code = encode(value)
    return [
        code,
        code.decode("latin-1"),
        repr(value),
        [value],
        (value,),
        [value, []],
        {"": value},
        ContentFile(code, "a"),
    ]


def run_together(texts):
    """Make one text of several, of what their bytes are as a list."""
    before, after = encode(["x"]).split(b"x")
    code = encode(texts)
    return [code[len(before) : len(code) - len(after)].decode("latin-1")]


PAIRS = st.lists(st.text("ab1:", **SHORT), min_size=2, max_size=3).map(
    lambda texts: (texts, run_together(texts))
)
PAIRS |= st.tuples(VALUES, VALUES)
PAIRS |= VALUES.flatmap(
    lambda value: st.tuples(st.just(value), st.sampled_from(disguises(value)))
)


def compare(pair):
    one, other = pair
    assert (encode(one) == encode(other)) == (meant(one) == meant(other))


@often
@given(pair=PAIRS)
@example(pair=(0.0, -0.0))
@example(pair=({1: "a"}, {True: "a"}))
def test_two_values_share_bytes_only_if_they_are_the_same(pair):
    compare(pair)


@pytest.mark.parametrize(
    "careless",
    [
        lambda tag, payload: tag.encode() + payload,
        lambda tag, payload: f"{len(payload)}:".encode() + payload,
        lambda tag, payload: f"{tag}:".encode() + payload + b";",
    ],
)
def test_bytes_that_two_values_share_are_found(monkeypatch, careless):
    monkeypatch.setattr(digests, "_part", careless)
    once = settings(often, phases=[Phase.generate])

    with pytest.raises(AssertionError):
        once(given(PAIRS)(compare))()


def parts(data):
    """Read encoded values as anyone could, and so without a doubt."""
    while data:
        tag, size = re.match(rb"([a-z]+)([0-9]+):", data).groups()
        start = len(tag) + len(size) + 1
        end = start + int(size)
        assert end <= len(data)
        yield tag.decode(), data[start:end]
        data = data[end:]


def shape(value):
    """The kinds of a value and of what is in it; of no order where it has none."""
    kind, *rest = meant(value)
    match value:
        case list() | tuple():
            return kind, [shape(item) for item in value]
        case set() | frozenset():
            return kind, sorted(map(str, map(shape, value)))
        case QueryDict():
            return shape(dict(value.lists()))
        case dict() | MappingProxyType():
            pairs = [(shape(key), shape(item)) for key, item in value.items()]
            return kind, sorted(map(str, pairs))
    return kind, len(rest) > 0


def read_shape(tag, payload):
    if tag in ("list", "tuple"):
        return tag, [read_shape(*part) for part in parts(payload)]
    if tag == "set":
        return tag, sorted(str(read_shape(*part)) for part in parts(payload))
    if tag == "mapping":
        found = [read_shape(*part) for part in parts(payload)]
        pairs = zip(found[::2], found[1::2], strict=True)
        return tag, sorted(map(str, pairs))
    return {"none": "NoneType", "uuid": "UUID"}.get(tag, tag), True


@settings(often, max_examples=300)
@given(value=VALUES)
def test_the_bytes_can_be_read_in_one_way_only(value):
    [part] = parts(encode(value))

    assert read_shape(*part) == shape(value)


FORMS = st.lists(
    st.tuples(
        st.sampled_from(["a", "b", "a=1&b", "ab"]),
        st.text("a\r\n&=", max_size=3) | st.text(st.characters(codec="utf-8")),
    ),
    max_size=5,
)


def digest_of_form(pairs, multipart=False):
    if multipart:
        data = {name: [text for key, text in pairs if key == name] for name, _ in pairs}
        request = RequestFactory().post("/pay/", data)
    else:
        kind = "application/x-www-form-urlencoded"
        request = RequestFactory().post(
            "/pay/", urlencode(pairs), content_type=kind, CONTENT_TYPE=kind
        )
    return digest(Body(request).whole())


def fields(pairs):
    """What a form says: each field's values in their order, with one end of line."""
    found = {}
    for name, value in pairs:
        found.setdefault(name, []).append("\n".join(value.split("\r\n")))
    return found


@settings(often, max_examples=300)
@given(form=FORMS, other=FORMS)
@example(form=[("a", "1"), ("a", "2")], other=[("a", "2"), ("a", "1")])
@example(form=[("a", "\r\n")], other=[("a", "\n\n")])
def test_two_forms_share_a_digest_only_if_they_say_the_same(form, other):
    same = fields(form) == fields(other)

    assert (digest_of_form(form) == digest_of_form(other)) == same


@settings(often, max_examples=300)
@given(form=FORMS, multipart=st.booleans())
def test_the_order_of_fields_and_the_ends_of_lines_change_nothing(form, multipart):
    # A browser sends no other end of a line than this one.
    plain = [(name, re.sub("\r\n?", "\n", value)) for name, value in form]
    again = sorted(plain, key=lambda pair: pair[0], reverse=True)
    sent = [(name, value.replace("\n", "\r\n")) for name, value in again]

    assert digest_of_form(sent, multipart) == digest_of_form(plain)
