"""HTML from the templates: every value is escaped unless it is HTML already."""

from __future__ import annotations

from base64 import b64encode
from functools import cache
from hashlib import sha256
from html import escape
from importlib.resources import files
from string import Template


class Html(str):
    """Text that is HTML, and goes into a page as it is."""


def render(name: str, **values: object) -> Html:
    """Fill in the template called ``name``."""
    escaped = {
        key: value if isinstance(value, Html) else escape(str(value))
        for key, value in values.items()
    }
    return Html(_template(name).substitute(escaped))


def render_all(name: str, rows: list[dict[str, object]]) -> Html:
    """Fill in the template called ``name`` once for each of ``rows``."""
    return Html("".join(render(name, **row) for row in rows))


def page(title: str, body: Html, refresh: Html | str = "") -> str:
    """Return a whole document around ``body``."""
    return render(
        "page.html",
        title=title,
        body=body,
        refresh=refresh,
        style=_STYLE,
        script=_SCRIPT,
    )


def _source(name: str) -> str:
    return (files(__package__) / "templates" / name).read_text("utf-8")


@cache
def _template(name: str) -> Template:
    return Template(_source(name))


def _hash(source: str) -> str:
    return f"'sha256-{b64encode(sha256(source.encode()).digest()).decode()}'"


_STYLE = Html(_source("phone.css"))
_SCRIPT = Html(_source("phone.js"))

#: Reloads a page every two seconds in a browser that runs no scripts.
REFRESH = Html('<noscript><meta http-equiv="refresh" content="2"></noscript>')

#: What the pages may load: nothing but their own style and script.
CONTENT_SECURITY_POLICY = "; ".join(
    [
        "default-src 'none'",
        f"style-src {_hash(_STYLE)}",
        f"script-src {_hash(_SCRIPT)}",
        "connect-src 'self'",
        "img-src data:",
        "form-action 'self'",
        "base-uri 'none'",
        "frame-ancestors 'none'",
    ]
)
