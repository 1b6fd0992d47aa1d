"""One hash for what is approved: two different things never share it."""

from __future__ import annotations

import enum
import hashlib
from collections.abc import Callable, Iterable, Mapping
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

from django.core.files import File
from django.db import models
from django.utils.datastructures import MultiValueDict
from django.utils.functional import Promise


def digest(value: Any) -> str:
    """
    Return the SHA-256 of ``value`` in a form that keeps its types and its limits.

    Raise :exc:`TypeError` for a type that has no such form. Falling back to ``repr``
    or ``str`` would let two different things look alike.
    """
    return hashlib.sha256(encode(value)).hexdigest()


def encode(value: Any) -> bytes:
    """
    Return ``value`` as bytes that no other value shares.

    Each part is its tag, its length and its payload, so parts cannot run into each
    other.
    """
    if isinstance(value, Promise):
        value = str(value)
    for kind, (tag, payload) in _ENCODERS.items():
        if isinstance(value, kind):
            return _part(tag, payload(value))
    raise TypeError(
        f"An approval cannot be bound to a {type(value).__name__}. "
        "Give params its plain values, such as a str, an int or a saved model instance."
    )


def file_digest(file: File[Any]) -> str:
    """Return the SHA-256 of a whole file, and leave it rewound for the view."""
    sha256 = hashlib.sha256()
    for chunk in file.chunks():
        sha256.update(chunk)
    file.seek(0)
    return sha256.hexdigest()


def _part(tag: str, payload: bytes) -> bytes:
    return f"{tag}{len(payload)}:".encode() + payload


def _text(convert: Callable[[Any], str]) -> Callable[[Any], bytes]:
    # "surrogatepass", as form data may hold lone surrogates.
    return lambda value: convert(value).encode("utf-8", "surrogatepass")


def _sequence(items: Iterable[Any]) -> bytes:
    return b"".join(map(encode, items))


def _unordered(items: Iterable[Any]) -> bytes:
    return b"".join(sorted(map(encode, items)))


def _mapping(value: Mapping[Any, Any]) -> bytes:
    if isinstance(value, MultiValueDict):
        value = dict(value.lists())
    return b"".join(sorted(encode(key) + encode(item) for key, item in value.items()))


def _instance(value: models.Model) -> bytes:
    if value.pk is None or value._state.adding:
        raise TypeError("An approval cannot be bound to an unsaved model instance.")
    return _sequence([value._meta.label, value.pk])


def _queryset(value: models.QuerySet[Any]) -> bytes:
    return _sequence([value.model._meta.label, set(value.values_list("pk", flat=True))])


def _file(value: File[Any]) -> bytes:
    return _sequence([value.name, value.size, file_digest(value)])


def _enum(value: enum.Enum) -> bytes:
    kind = type(value)
    return _sequence([f"{kind.__module__}.{kind.__qualname__}", value.name])


# In this order: a member of a str Enum is a str, True is an int, a datetime is a date.
_ENCODERS: dict[type | tuple[type, ...], tuple[str, Callable[[Any], bytes]]] = {
    type(None): ("none", lambda value: b""),
    enum.Enum: ("enum", _enum),
    bool: ("bool", _text(str)),
    int: ("int", _text(int.__repr__)),
    float: ("float", _text(float.hex)),
    str: ("str", _text(str)),
    bytes: ("bytes", bytes),
    Decimal: ("decimal", _text(str)),
    datetime: ("datetime", _text(datetime.isoformat)),
    date: ("date", _text(date.isoformat)),
    time: ("time", _text(time.isoformat)),
    timedelta: ("timedelta", _text(str)),
    UUID: ("uuid", _text(str)),
    models.Model: ("instance", _instance),
    models.QuerySet: ("queryset", _queryset),
    File: ("file", _file),
    list: ("list", _sequence),
    tuple: ("tuple", _sequence),
    (set, frozenset): ("set", _unordered),
    Mapping: ("mapping", _mapping),
}
