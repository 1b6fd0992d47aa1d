"""What our pages allow others to do with them."""

import re

import pytest

from ..test_start import HTML, TEN, submit

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.covers("R19")]

INLINE = r"(?i)<style|\sstyle=|\son\w+=|javascript:|<script(?![^>]* src=)"


def pages(browser, sandbox):
    """Return every face of the page, by name."""
    sandbox.script("manual")
    ask = browser.get("/payroll/", headers=HTML)
    submit(browser, ask, "data-start")
    waiting = browser.get("/payroll/", headers=HTML)
    form = browser.post("/transfer/", TEN, headers=HTML)
    later = submit(browser, form, "data-start")
    sandbox.reject()
    browser.finish_row()
    return {
        "ask": ask,
        "waiting": waiting,
        "form": form,
        "later": later,
        "ended": browser.get("/payroll/", headers=HTML),
        "too old": browser.post("/magiclink/start/", headers=HTML),
    }


@pytest.mark.covers("A18")
def test_no_page_can_be_framed_or_kept_or_tells_its_address(browser, endpoint, sandbox):
    shown = pages(browser, sandbox)

    for name, page in shown.items():
        assert page["X-Frame-Options"] == "DENY", name
        assert page["Referrer-Policy"] == "same-origin", name
        assert page["Cache-Control"] == "private, no-store", name


def test_no_page_has_anything_that_a_strict_policy_forbids(browser, endpoint, sandbox):
    shown = pages(browser, sandbox)

    assert re.search(INLINE, '<p style="">')
    assert re.search(INLINE, '<script type="module">')
    assert re.search(INLINE, '<a onclick="x()">')
    for name, page in shown.items():
        assert "<main" in page.text, name
        assert not re.search(INLINE, page.text), name
