"""The audit trail as CSV, of which no cell is a formula to a spreadsheet."""

from __future__ import annotations

import csv
import io
import re
import unicodedata
from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Any

from django.db.models import Q, QuerySet

from .binding import SHORT_HASH
from .models import Approval
from .spans import in_utc

#: Rows that are read at a time, each time by the index and without a cursor held open.
CHUNK = 500

#: Without it Excel reads UTF-8 as the code page of the machine.
BOM = "\ufeff"

# A semicolon or bar starts a cell in a spreadsheet that takes it for the separator;
# one that strips spaces and quotes looks at what comes after them.
_LIVE = re.compile(r"(^|[;|])([\s\"'`]*)([=+\-@\u2212])")


def _time(moment: datetime | None) -> str:
    return "" if moment is None else in_utc(moment)


def _duration(approval: Approval) -> str:
    return "" if approval.took is None else f"{approval.took:.3f}"


#: What is exported of each approval. No code, no binding and no hash of a number.
COLUMNS: dict[str, Callable[[Approval], Any]] = {
    "id": lambda approval: approval.pk,
    "created": lambda approval: _time(approval.created),
    "user": lambda approval: approval.user_name,
    "scope": lambda approval: approval.scope,
    "purpose": lambda approval: approval.purpose,
    "endpoint": lambda approval: approval.endpoint_name,
    "state": lambda approval: approval.state.value,
    "text": lambda approval: approval.text,
    "phone": lambda approval: approval.masked_number,
    "sent": lambda approval: _time(approval.sent),
    "answered": lambda approval: _time(approval.answered),
    "seconds": _duration,
    "used": lambda approval: _time(approval.consumed),
    "reported": lambda approval: _time(approval.reported),
    "changed": lambda approval: _time(approval.moved),
    "answer": lambda approval: approval.answer_code,
    "http_status": lambda approval: approval.http_status,
    "error": lambda approval: approval.error_kind,
    "session": lambda approval: approval.session_hash[:SHORT_HASH],
    "address": lambda approval: approval.address,
    "user_agent": lambda approval: approval.user_agent,
}

_UNUSED = ("code", "binding", "number_hash", "live_slot")


def cell(value: Any) -> str:
    """
    Return ``value`` as text that no spreadsheet takes for a formula.

    What could begin one gets an apostrophe before it. Control characters, line ends
    and invisible ones become spaces, so that a row is a line.
    """
    text = "" if value is None else str(value)
    if not text.isprintable():
        text = "".join(" " if _is_hidden(each) else each for each in text)
    plain = text
    if not text.isascii():
        # Full-width and small forms count as the plain ones in some spreadsheets.
        plain = "".join(unicodedata.normalize("NFKC", each)[:1] for each in text)
    for match in reversed(list(_LIVE.finditer(plain))):
        at = match.start(2)
        text = f"{text[:at]}'{text[at:]}"
    return text


def chunks(rows: QuerySet[Approval]) -> Iterator[tuple[str, int]]:
    """Yield the CSV of ``rows``, newest first, in pieces, with how many each has."""
    buffer = io.StringIO()
    writer = csv.writer(buffer, quoting=csv.QUOTE_ALL, lineterminator="\r\n")
    writer.writerow(COLUMNS)
    yield BOM + buffer.getvalue(), 0
    for batch in _batches(rows):
        buffer.seek(0)
        buffer.truncate()
        for approval in batch:
            writer.writerow(cell(column(approval)) for column in COLUMNS.values())
        yield buffer.getvalue(), len(batch)


def _batches(rows: QuerySet[Approval]) -> Iterator[list[Approval]]:
    # Not iterator(): PostgreSQL would first find all rows, and others lock the table.
    ordered = rows.order_by("-created", "-pk").defer(*_UNUSED)
    batch = list(ordered[:CHUNK])
    while batch:
        yield batch
        last = batch[-1]
        earlier = Q(created__lt=last.created) | Q(created=last.created, pk__lt=last.pk)
        # Said twice, as the first alone lets the index be used.
        batch = list(ordered.filter(earlier, created__lte=last.created)[:CHUNK])


def _is_hidden(character: str) -> bool:
    return unicodedata.category(character) in ("Cc", "Cf", "Zl", "Zp")
