"""The phone's owner, in a browser that Playwright steers."""

from __future__ import annotations

from typing import Any

_WHERE_TO_ANSWER = "card => card.querySelector('a')?.href ?? location.href"


def answer_phone(page: Any, url: str, answer: str = "accept") -> str:
    """
    Open the phone at ``url``, wait until it rings, and tap; return what it showed.

    ``page`` is a page or a context of Playwright's sync API; the phone shares its
    browser, and no cookie. ``answer`` is "accept" or "reject".
    """
    if answer not in ("accept", "reject"):
        raise ValueError(f'{answer!r} is neither "accept" nor "reject".')
    context = getattr(page, "context", page)
    # A context that was launched for good belongs to no browser.
    phone = (context.browser or context).new_page()
    try:
        phone.goto(url)
        # The buttons of an SMS are on the page that it leads to.
        phone.goto(phone.locator("#inbox > .card").first.evaluate(_WHERE_TO_ANSWER))
        shown: str = phone.locator(".card .text").first.inner_text()
        with phone.expect_response(lambda one: one.request.method == "POST"):
            phone.locator(f"button[value={answer}]").first.click()
    finally:
        phone.close()
    return shown
