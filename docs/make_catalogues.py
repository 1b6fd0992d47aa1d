"""
Bring the catalogues up to the strings of the code: ``python -m docs.make_catalogues``.

It needs GNU gettext. What is new is empty in them until somebody translates it.
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

import polib

PACKAGE = Path(__file__).parent.parent / "django_magiclink"
#: What lets gettext refuse a translation with another placeholder.
_MARKS = {"%": "python-format", "{": "python-brace-format"}
CATALOGUES = sorted(PACKAGE.glob("locale/*/LC_MESSAGES/django.po"))


def extracted(package=PACKAGE):
    """Return a catalogue with all that ``package`` has marked to be translated."""
    with TemporaryDirectory() as folder:
        # A copy: makemessages writes into the tree that it reads.
        copy = Path(folder) / package.name
        unread = shutil.ignore_patterns("locale", "static", "__pycache__")
        shutil.copytree(package, copy, ignore=unread)
        (copy / "locale").mkdir()
        options = ["--locale=en", "--keep-pot", "--no-location", "--verbosity=0"]
        subprocess.run(
            [sys.executable, "-m", "django", "makemessages", *options],
            check=True,
            cwd=copy,
            # Those of a project may name folders of its own.
            env={**os.environ, "DJANGO_SETTINGS_MODULE": ""},
        )
        marked = polib.pofile(copy / "locale/django.pot")
    for entry in marked:
        # Each version of gettext has marks of its own.
        entry.flags = [_MARKS[sign] for sign in _MARKS if sign in entry.msgid]
    return marked


def refreshed(catalogue, marked):
    """Return ``catalogue`` with the strings in ``marked`` alone, in their order."""
    catalogue.merge(marked)
    for entry in catalogue.obsolete_entries():
        catalogue.remove(entry)
    catalogue.sort(key=lambda entry: entry.msgid_with_context)
    return catalogue


def main():
    """Write each catalogue, and what is compiled of it."""
    marked = extracted()
    for path in CATALOGUES:
        catalogue = refreshed(polib.pofile(path), marked)
        catalogue.save()
        path.with_suffix(".mo").write_bytes(catalogue.to_binary())


if __name__ == "__main__":
    main()
