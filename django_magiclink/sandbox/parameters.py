"""Reading the query of a call as strictly as the documented API allows."""

from __future__ import annotations

import re
from collections.abc import Mapping
from urllib.parse import parse_qsl

TEXTS = frozenset(
    {
        "sms-text",
        "title-text",
        "authentication-text",
        "button-accept-text",
        "button-reject-text",
        "touch-accept-text",
        "touch-reject-text",
    }
)
KNOWN = TEXTS | {"msisdn", "touch-timeout"}
SHORTEST, DEFAULT, LONGEST = 15, 60, 300

_E164 = re.compile(r"\+[1-9][0-9]{7,14}")
_SECONDS = re.compile(r"[0-9]{2,3}")


def is_e164(number: str) -> bool:
    """Tell whether ``number`` is written as ``+`` and 8 to 15 ASCII digits."""
    return _E164.fullmatch(number) is not None


def parse(query: str) -> list[tuple[str, str]]:
    """Return the pairs of ``query``, or none if it is not well formed."""
    try:
        return parse_qsl(
            query, keep_blank_values=True, strict_parsing=True, errors="strict"
        )
    except ValueError:
        return []


def acceptable(pairs: list[tuple[str, str]]) -> bool:
    """Tell whether the server takes these parameters: known, single, in range."""
    params = dict(pairs)
    return (
        len(params) == len(pairs)
        and params.keys() <= KNOWN
        and is_e164(params.get("msisdn", ""))
        and _in_range(params.get("touch-timeout", str(DEFAULT)))
    )


def touch_timeout(params: Mapping[str, str]) -> int:
    """Return the seconds that acceptable ``params`` give the person."""
    return int(params.get("touch-timeout", DEFAULT))


def _in_range(seconds: str) -> bool:
    return bool(_SECONDS.fullmatch(seconds)) and SHORTEST <= int(seconds) <= LONGEST
