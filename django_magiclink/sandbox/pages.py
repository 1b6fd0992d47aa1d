"""What the phone in the browser shows."""

from __future__ import annotations

from math import ceil

from .markup import REFRESH, Html, page, render, render_all
from .records import ACCEPTED, REJECTED
from .sessions import Session
from .switch import Phone

_EARLIER = 10
_PHONES = 50
_ENDS = {
    ACCEPTED: ("accept", "Accepted", "touch-accept-text"),
    REJECTED: ("reject", "Declined", "touch-reject-text"),
}


def start_page(
    url: str, called: dict[str, int], number: str = "", error: str = ""
) -> str:
    """Return the page that opens a phone; ``called`` counts what rings on each."""
    ringing_first = sorted(called.items(), key=lambda item: not item[1])
    rows: list[dict[str, object]] = [
        {
            "number": each,
            "kind": "rings" if count else "soft",
            "rings": f"{count} ringing" if count else "quiet",
        }
        for each, count in ringing_first[:_PHONES]
    ]
    body = render(
        "start.html",
        url=url,
        number=number,
        error=error,
        invalid=str(bool(error)).lower(),
        state=called,
        phones=render_all("called.html", rows) or render("nobody.html"),
    )
    return page("Mideye sandbox", body)


def phone_page(url: str, number: str, sessions: list[Session], phone: Phone) -> str:
    """Return the inbox of one phone, with the newest of its ``sessions`` first."""
    ringing = [each for each in sessions if each.rings()]
    ended = [each for each in sessions if each not in ringing]
    cards = [
        _push(each) if each.channel == "push" else _sms(each, url) for each in ringing
    ]
    body = render(
        "phone.html",
        number=number,
        state=[*(each.id for each in ringing), len(ended)],
        ringing=Html("".join(cards)) or render("quiet.html"),
        earlier=_history(ended[:_EARLIER]) if ended else "",
        app=_checked(phone.app),
        reachable=_checked(phone.reachable),
        sms=_checked(phone.sms),
    )
    return page(f"{number} – Mideye sandbox", body, REFRESH)


def link_page(session: Session) -> str:
    """Return the approval page that an SMS leads to."""
    kind, label, after = _end(session)
    if session.rings():
        below = _answer(session)
    else:
        below = render("closed.html", kind=kind, label=label, after=after)
    body = render(
        "link.html",
        number=session.number,
        state=session.rings(),
        title=session.text("title-text"),
        text=session.text("authentication-text"),
        below=below,
    )
    return page("Approval page – Mideye sandbox", body, REFRESH)


def notice_page(title: str, text: str, back: str) -> str:
    """Return a page with nothing but a message."""
    return page(title, render("notice.html", title=title, text=text, back=back))


def _push(session: Session) -> Html:
    return render(
        "push.html",
        id=session.id,
        time=_clock(session),
        title=session.text("title-text"),
        text=session.text("authentication-text"),
        answer=_answer(session),
    )


def _sms(session: Session, url: str) -> Html:
    return render(
        "sms.html",
        id=session.id,
        time=_clock(session),
        text=session.text("sms-text"),
        link=session.path(),
        address=url + session.path(),
        left=_left(session),
    )


def _answer(session: Session) -> Html:
    return render(
        "answer.html",
        action=session.path(),
        id=session.id,
        accept=session.text("button-accept-text"),
        reject=session.text("button-reject-text"),
        left=_left(session),
    )


def _left(session: Session) -> Html:
    return render(
        "left.html",
        id=session.id,
        left=ceil(session.left()),
        seconds=ceil(session.seconds),
    )


def _history(ended: list[Session]) -> Html:
    rows = [_ended(each) for each in ended]
    return render("earlier.html", rows=render_all("ended.html", rows))


def _ended(session: Session) -> dict[str, object]:
    kind, label, after = _end(session)
    link = Html("")
    if session.channel == "sms":
        link = render("used_link.html", link=session.path())
    return {
        "kind": kind,
        "label": label,
        "after": after,
        "time": _clock(session),
        "title": session.text("title-text"),
        "link": link,
    }


def _end(session: Session) -> tuple[str, str, str]:
    if session.code not in _ENDS:
        return "", "Expired", "The time to answer is over."
    kind, label, text = _ENDS[session.code]
    return kind, label, session.text(text)


def _clock(session: Session) -> str:
    return session.opened.astimezone().strftime("%H:%M:%S")


def _checked(on: bool) -> str:
    return "checked" if on else ""
