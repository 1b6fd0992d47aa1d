"""What a site has done and what it keeps, looked at from outside."""

import base64
import binascii
import json
import re
import sqlite3
import zlib
from contextlib import closing, suppress

#: What signed sessions and the like are made of.
_ENCODED = re.compile(rb"[\w+/-]{16,}")
_COMPRESSED = re.compile(rb"\x78[\x01\x5e\x9c\xda]")


def runs(folder, user):
    """Return what the views were given, once for each time that they ran."""
    path = folder / "runs"
    lines = path.read_text().splitlines() if path.exists() else []
    noted = [json.loads(line) for line in lines]
    return [run for run in noted if run.pop("user") == user]


def places(folder, marker):
    """Return where a site keeps something that has ``marker`` in it."""
    return sorted({place for place, value in _kept(folder) if _has(value, marker)})


def _has(value, marker):
    return any(marker.encode() in reading for reading in _readings(value))


def _kept(folder):
    """Return each value of all tables, and each file beside the database."""
    # A URI, as that can be opened so that it is only read.
    address = f"file:{folder / 'db.sqlite3'}?mode=ro"
    with closing(sqlite3.connect(address, uri=True, timeout=30)) as database:
        names = database.execute("SELECT name FROM sqlite_master WHERE type = 'table'")
        for (table,) in names.fetchall():
            for row in database.execute(f'SELECT * FROM "{table}"'):  # noqa: S608
                for value in row:
                    raw = value if isinstance(value, bytes) else str(value).encode()
                    yield f"table {table}", raw
    for place in ("cache", "tmp"):
        for path in (folder / place).rglob("*"):
            # It may go while we look.
            with suppress(FileNotFoundError, IsADirectoryError):
                yield place, path.name.encode() + path.read_bytes()


def _readings(value, depth=3):
    """Return ``value``, and what it is when base64 and zlib are taken off it."""
    yield value
    if depth == 0:
        return
    for start in _COMPRESSED.finditer(value):
        with suppress(zlib.error):
            inner = zlib.decompressobj().decompress(value[start.start() :])
            yield from _readings(inner, depth - 1)
    for part in _ENCODED.findall(value):
        with suppress(binascii.Error):
            inner = base64.b64decode(part + b"=" * (-len(part) % 4), b"-_")
            yield from _readings(inner, depth - 1)


def difference(expected, found):
    """Say in a few words in what ``found`` runs are not one run of ``expected``."""
    if not found:
        return "it never ran"
    if len(found) > 1:
        return f"it ran {len(found)} times"
    run = found[0]
    if run["method"] != expected["method"]:
        return f"{expected['method']} came back as {run['method']}"
    changed = [name for name in expected if run[name] != expected[name]]
    return ", ".join(f"{name} {'changed' if run[name] else 'lost'}" for name in changed)
