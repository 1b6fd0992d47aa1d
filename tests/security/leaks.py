"""The search for a key and a number, in every spelling they may have leaked in."""

import html
import json
from base64 import b64encode, urlsafe_b64encode
from dataclasses import dataclass
from urllib.parse import quote

from django.utils.html import escapejs


@dataclass(frozen=True)
class Canary:
    """
    A secret that is looked for.

    ``core`` is what stays the same in most spellings: of a number the digits without
    the country code, of a key a run of letters and digits.
    """

    name: str
    secret: str
    core: str

    def spellings(self):
        """Return what to look for, by the name of the spelling."""
        raw = self.secret.encode()
        return {
            "plain": self.secret,
            "core": self.core,
            "percent-encoded": quote(self.secret, safe=""),
            "JSON": json.dumps(self.secret)[1:-1],
            "JavaScript": escapejs(self.secret),
            "HTML": html.escape(self.secret),
            "repr": repr(self.secret)[1:-1],
            "hex": raw.hex(),
            "HEX": raw.hex().upper(),
            **{
                f"{alphabet.__name__} at {shift}": _within(alphabet, raw, shift)
                for alphabet in (b64encode, urlsafe_b64encode)
                for shift in range(3)
            },
        }


def _within(alphabet, raw, shift):
    """Return what every Base64 of a text has that has ``raw`` at ``shift`` in it."""
    # The first and the last character may hold bits of what stands beside.
    encoded = alphabet(b"\0" * shift + raw)
    first = {0: 0, 1: 2, 2: 3}[shift]
    whole = (shift + len(raw)) // 3 * 4
    return encoded[first:whole].decode()


def found(canaries, artefacts):
    """Return where which canary is: the kind of artefact, its name and a spelling."""
    return sorted(
        {
            (kind, canary.name, spelling)
            for kind, texts in artefacts.items()
            for canary in canaries
            for spelling, needle in canary.spellings().items()
            if any(needle in text for text in texts)
        }
    )
