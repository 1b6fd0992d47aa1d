"""Chromium, as all tests of pages start it."""

from contextlib import contextmanager

from playwright.sync_api import expect, sync_playwright

from .needs import chromium

# A machine with much else to do is slow, and no page is wrong for that.
expect.set_options(timeout=20_000)

FLAGS = ["--no-sandbox", "--disable-background-networking"]
_HIDE = """hidden => {
    const property = { value: hidden, configurable: true };
    Object.defineProperty(document, "hidden", property);
    document.dispatchEvent(new Event("visibilitychange"));
}"""


@contextmanager
def launched():
    """Run Chromium while the block does."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium(), args=FLAGS)
        yield browser
        browser.close()


def hide(page, hidden):
    """Let the tab of ``page`` be hidden, or shown again."""
    page.evaluate(_HIDE, hidden)
