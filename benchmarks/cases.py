"""The nine cases that break guards which send the browser away and back."""

import json
import random
from collections.abc import Callable
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from urllib.parse import urlencode

from .servers import PATIENCE
from .trials import Submission, Trial
from .visitors import NAVIGATION

_FORM = NAVIGATION | {"Content-Type": "application/x-www-form-urlencoded"}
_JSON = {"Content-Type": "application/json"}
_BY_SCRIPT = {"Accept": "application/json", "X-Requested-With": "XMLHttpRequest"}


@dataclass(frozen=True)
class Case:
    """One of the nine. It holds if each attempt does, with a new user for each."""

    letter: str
    title: str
    attempts: tuple[Callable, ...]
    with_password: bool = True

    def problems(self, guard, browser):
        """Return why it does not hold behind ``guard``: nothing, if it does."""
        found = []
        for attempt in self.attempts:
            trial = Trial(guard, self.with_password)
            try:
                attempt(trial, browser)
            except Exception as error:
                # Whatever it is that keeps the user from going on, it does not hold.
                reason = str(error).strip().partition("\n")[0]
                trial.problems.append(f"{type(error).__name__}: {reason}")
            found += trial.problems
        return list(dict.fromkeys(found))


def _by_client(submission):
    return lambda trial, browser: trial.carry_out(submission(trial.marker()))


def _plain(marker):
    lines = "\r\none\r\ntwo "
    fields = {"note": [f"Å & <b>{marker}</b>", "2"], "lines": [lines], "empty": [""]}
    return Submission(fields=fields, headers=_FORM)


def _with_query(marker):
    query = urlencode({"to": [marker, "é b"], "amount": "+7"}, doseq=True)
    return Submission(query=query, fields={"note": ["form"]}, headers=_FORM)


def _json(marker, method="POST"):
    body = json.dumps({"note": marker, "of": {"which": [1, None, "å"]}})
    return Submission(method=method, body=body, headers=_JSON)


def _by_script(marker):
    return Submission(fields={"note": [marker]}, headers=_BY_SCRIPT)


def _simple(marker, view="sync"):
    return Submission(view=view, fields={"note": [marker]}, headers=_FORM)


def _upload(trial, browser):
    """Choose a file in a form, and send it."""
    marker = trial.marker()
    # More than Django keeps in memory.
    content = marker.encode() + random.Random(marker).randbytes(3_000_000)  # noqa: S311
    submission = Submission(
        fields={"note": [marker]}, files={"document": (f"{marker}.bin", content)}
    )
    file = {"name": f"{marker}.bin", "mimeType": "text/plain", "buffer": content}
    with _tabs(trial, browser, 1) as [tab]:
        tab.fill("#upload [name=note]", marker)
        tab.set_input_files("#upload [name=document]", file)
        tab.click("#upload button")
        trial.guard.approve_in_tab(tab, trial.visitor, trial.observe)
    trial.finish(submission)


def _two_tabs(trial, browser, first):
    """Send another payload in each of two tabs, then approve one and the other."""
    submissions = [_simple(trial.marker()) for _tab in range(2)]
    visitor, guard = trial.visitor, trial.guard
    with _tabs(trial, browser, 2) as opened:
        for tab, submission in zip(opened, submissions, strict=True):
            tab.bring_to_front()
            tab.fill("#plain [name=note]", submission.fields["note"][0])
            with tab.expect_navigation():
                tab.click("#plain button")
        trial.observe()
        if first != 0:
            guard.give_way(opened[0], visitor)
        for number in (first, 1 - first):
            opened[number].bring_to_front()
            guard.approve_in_tab(opened[number], visitor, trial.observe)
            trial.finish(submissions[number], others=[submissions[1 - number]])


@contextmanager
def _tabs(trial, browser, times):
    """Give the user's browser some tabs with the forms."""
    address = trial.visitor.address(trial.guard.path("form"))
    cookies = [
        {"name": cookie.name, "value": cookie.value, "url": trial.guard.site.url}
        for cookie in trial.visitor.session.cookies
    ]
    with browser.new_context() as context:
        context.set_default_timeout(1000 * PATIENCE)
        context.add_cookies(cookies)
        tabs = [context.new_page() for _tab in range(times)]
        for tab in tabs:
            tab.goto(address)
        yield tabs


CASES = (
    Case("A", "plain form POST", (_by_client(_plain),)),
    Case("B", "POST to a URL with a query", (_by_client(_with_query),)),
    Case("C", "multipart with a file", (_upload,)),
    Case("D", "JSON body", (_by_client(_json),)),
    Case(
        "E",
        "PUT, PATCH and DELETE",
        tuple(
            _by_client(partial(_json, method=method))
            for method in ("PUT", "PATCH", "DELETE")
        ),
    ),
    Case("F", "JSON/XHR caller", (_by_client(_by_script),)),
    Case("G", "user without a password", (_by_client(_simple),), with_password=False),
    Case(
        "H",
        "two tabs, in either order",
        tuple(partial(_two_tabs, first=first) for first in range(2)),
    ),
    Case("I", "async view", (_by_client(partial(_simple, view="async")),)),
)
