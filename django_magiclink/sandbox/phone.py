"""The phone in the browser: which page answers which request."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass

from . import pages
from .parameters import is_e164
from .records import ACCEPTED, REJECTED
from .sessions import Session
from .state import State
from .switch import Phone

_BUTTONS = {"accept": ACCEPTED, "reject": REJECTED}
_PHONE = re.compile(r"(?P<inbox>/phone/(?P<number>[^/]+))(?P<setup>/setup)?")
_LINK = re.compile(r"/link/(?P<id>[^/]+)")
_SPACING = re.compile(r"[\s()./-]")


@dataclass(frozen=True, kw_only=True)
class Page:
    """What to answer a browser."""

    status: int = 200
    body: str = ""
    location: str = ""


def get(state: State, url: str, path: str, query: dict[str, str]) -> Page:
    """Show a page. It changes nothing: programs open links before people do."""
    if path == "/":
        return _start(state, url)
    if path == "/phone":
        return _open_phone(state, url, query.get("number", ""))
    if match := _PHONE.fullmatch(path):
        return _inbox(state, url, match)
    if match := _LINK.fullmatch(path):
        return _approval(state.sessions.find(match["id"], path))
    return _unknown()


def post(state: State, path: str, form: dict[str, str]) -> Page:
    """Take an answer, or a change of how the phone can be reached."""
    if match := _PHONE.fullmatch(path):
        if match["setup"]:
            return _set_up(state, match, form)
        return _answer(state, state.sessions.find(form.get("prompt", ""), path), form)
    if match := _LINK.fullmatch(path):
        return _answer(state, state.sessions.find(match["id"], path), form)
    return _unknown()


def refusal(status: int, title: str, text: str, back: str = "/") -> Page:
    """Return a page that says why nothing was done."""
    return Page(status=status, body=pages.notice_page(title, text, back))


def _unknown() -> Page:
    return refusal(404, "Not here", "No phone or link has this address.")


def _start(state: State, url: str, number: str = "", error: str = "") -> Page:
    ringing = Counter(each.number for each in state.sessions.ringing())
    called = {each: ringing[each] for each in state.sessions.numbers()}
    body = pages.start_page(url, called, number, error)
    return Page(status=400 if error else 200, body=body)


def _open_phone(state: State, url: str, typed: str) -> Page:
    number = _SPACING.sub("", typed)
    if number.startswith("00"):
        number = f"+{number[2:]}"
    if is_e164(number):
        return Page(status=303, location=f"/phone/{number}")
    return _start(state, url, typed, "Start with + and the country code.")


def _inbox(state: State, url: str, match: re.Match[str]) -> Page:
    number = match["number"]
    if match["setup"] or not is_e164(number):
        return _unknown()
    sessions, phone = state.sessions.of(number), state.switch.phone(number)
    return Page(body=pages.phone_page(url, number, sessions, phone))


def _set_up(state: State, match: re.Match[str], form: dict[str, str]) -> Page:
    if not is_e164(match["number"]):
        return _unknown()
    phone = Phone(app="app" in form, reachable="reachable" in form, sms="sms" in form)
    state.switch.set_phone(match["number"], phone)
    return Page(status=303, location=match["inbox"])


def _approval(session: Session | None) -> Page:
    if session is None:
        return _unknown()
    return Page(body=pages.link_page(session))


def _answer(state: State, session: Session | None, form: dict[str, str]) -> Page:
    if session is None:
        return _unknown()
    back = session.path()
    code = _BUTTONS.get(form.get("answer", ""))
    if code is None:
        return refusal(400, "No answer", "Use one of the two buttons.", back)
    if state.sessions.answer(session, code):
        return Page(status=303, location=back)
    if session.code in _BUTTONS.values():
        return refusal(409, "Already answered", "It can be answered only once.", back)
    return refusal(410, "Too late", "The time to answer is over.", back)
