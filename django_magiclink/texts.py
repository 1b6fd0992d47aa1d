"""The sentence that the page and the phone show: made once, from a template."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Mapping
from string import Formatter
from typing import Any

from django.core.exceptions import ImproperlyConfigured
from django.core.files import File

#: Characters of the whole sentence, and of one value in it: a long value must not
#: push the rest, such as the amount, out of sight.
MAX_LENGTH = 250
MAX_VALUE_LENGTH = 80

# A single one of those that do not break stays, as in "12 500".
_SPACES = re.compile(r"\s{2,}|[^\S\u00a0\u202f]")
# A value must not become a link that the phone makes clickable.
_URL = re.compile(r"(?i)\b(?:[a-z][a-z0-9+.-]*://|www\.)\S+|\b[\w.-]+\.[a-z]{2,}/\S*")


def fields(template: str) -> set[str]:
    """
    Return the names that ``template`` takes from the params.

    Raise :exc:`~django.core.exceptions.ImproperlyConfigured` for a template that asks
    for more than a plain name: an attribute or an index could reach what the user
    never saw.
    """
    try:
        return set(_names(template))
    except ValueError as error:
        raise ImproperlyConfigured(
            f"text={template!r} is not a template of plain {{names}}: {error}."
        ) from error


def _names(template: str) -> Iterator[str]:
    for _literal, name, specification, conversion in Formatter().parse(template):
        if name is None:
            continue
        if conversion:
            raise ValueError(f"!{conversion} is not for people")
        if not name.isidentifier():
            raise ValueError(f"{{{name}}} is not a plain name")
        if specification and "{" in specification:
            raise ValueError("a format specification cannot hold names")
        yield name


def render(template: str, params: Mapping[str, Any]) -> str:
    """Return ``template`` with ``params`` filled in, clean and bounded."""
    missing = fields(template) - params.keys()
    if missing:
        raise ImproperlyConfigured(
            f"text={template!r} names {', '.join(sorted(missing))}, "
            "which params does not give."
        )
    parts = []
    for literal, name, specification, _conversion in Formatter().parse(template):
        parts.append(literal)
        if name is not None:
            value = params[name]
            shown = value.name if isinstance(value, File) else value
            filled = format(shown, specification or "")
            parts.append(clean(filled, MAX_VALUE_LENGTH))
    return clean("".join(parts), MAX_LENGTH)


def clean(text: str, limit: int = MAX_LENGTH) -> str:
    """
    Return ``text`` as one line of at most ``limit`` characters.

    Control and format characters are left out: the latter include the bidirectional
    overrides with which "100" can be made to read "001".
    """
    # Cut first: what follows would take minutes for megabytes.
    head = text[: 4 * limit]
    kept = "".join(
        character
        for character in head
        if character.isspace() or unicodedata.category(character)[0] != "C"
    )
    line = _SPACES.sub(" ", _URL.sub("…", kept)).strip()
    if len(line) <= limit and head == text:
        return line
    return f"{line[: limit - 1]}…"
