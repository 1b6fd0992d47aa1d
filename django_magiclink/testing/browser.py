"""The phone's owner, in a browser that Playwright steers."""

from __future__ import annotations

from typing import Any


def answer_phone(page: Any, url: str, answer: str = "accept") -> str:
    """
    Open the phone at ``url``, wait until it rings, and tap; return what it showed.

    ``page`` is a page or a context of Playwright's sync API; the phone has a tab of its
    own there. ``answer`` is "accept" or "reject".
    """
    if answer not in ("accept", "reject"):
        raise ValueError(f'{answer!r} is neither "accept" nor "reject".')
    phone = getattr(page, "context", page).new_page()
    try:
        phone.goto(url)
        ringing = phone.locator("#inbox > .card").first
        shown: str = ringing.locator(".text").inner_text()
        link = ringing.locator("a")
        if link.count():
            # An SMS: the buttons are on the page that it leads to.
            link.click()
            shown = phone.locator("#approval .text").first.inner_text()
        phone.locator(f"button[value={answer}]").first.click()
        phone.locator(f".{answer}").first.wait_for()
    finally:
        phone.close()
    return shown
