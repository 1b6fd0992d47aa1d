"""An attempt to log in with nothing but a phone, which only its own browser knows."""

from __future__ import annotations

import secrets
import time
import uuid
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from django.conf import settings
from django.contrib.sessions.backends.base import SessionBase
from django.core import signing
from django.core.exceptions import ImproperlyConfigured
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponseBase
from django.utils.crypto import constant_time_compare, salted_hmac
from django.utils.translation import gettext as _

from .. import texts
from ..binding import NONCE_KEY, bind, session_hash
from ..conf import app_settings
from ..limits import longest_wait
from ..models import Approval
from ..purposes import PASSWORDLESS
from ..recording import TYPE_WITHIN
from ..status import Status
from ..wanted import Wanted

#: What the code of a login may be.
LOGIN_CODE = '"type" or "show"'

_NAME = "magiclink_login"
_SALT = "django_magiclink.phone_login"
#: Seconds after the phone's own time, for the answer's way.
_SLACK = 5
#: Seconds for which the browser keeps an attempt whose time is up, to say so.
_KEPT = 300


@dataclass(frozen=True, kw_only=True)
class Attempt:
    """
    What the browser keeps of a login, in a signed cookie.

    It looks the same whether a phone was asked or not, and nothing is stored for one
    that was not: neither a row nor a session.
    """

    #: Of the approval, or of none at all.
    pk: uuid.UUID
    nonce: str = field(repr=False)
    #: Stands for what was typed; the number itself is not kept.
    name: str = field(repr=False)
    code: str = field(repr=False)
    code_mode: str
    started: int
    seconds: int

    @classmethod
    def of(cls, name: str) -> Attempt:
        """Begin one for ``name``, which has asked no phone yet."""
        mode = _mode()
        timeout = longest_wait(PASSWORDLESS, app_settings.TIMEOUT)
        return cls(
            pk=uuid.uuid4(),
            nonce=secrets.token_urlsafe(32),
            name=_hashed(name),
            # One to be typed only the phone shows.
            code=str(10 + secrets.randbelow(90)) if mode == "show" else "",
            code_mode=mode,
            started=int(time.time()),
            seconds=timeout + (TYPE_WITHIN if mode == "type" else _SLACK),
        )

    @classmethod
    def read(cls, request: HttpRequest) -> Attempt | None:
        """Return the attempt that the browser has under way, or that has ended."""
        signed = request.COOKIES.get(_cookie(), "")
        names = ("nonce", "name", "code", "code_mode", "started", "seconds")
        try:
            pk, *rest = signing.loads(signed, salt=_SALT, max_age=_KEPT * 2)
            return cls(pk=uuid.UUID(pk), **dict(zip(names, rest, strict=True)))
        except (signing.BadSignature, ValueError, TypeError):
            # Not ours, or of another release, whose content differs.
            return None

    def write(self, response: HttpResponseBase) -> None:
        """Give it to the browser."""
        rest = [self.code, self.code_mode, self.started, self.seconds]
        response.set_cookie(
            _cookie(),
            signing.dumps([str(self.pk), self.nonce, self.name, *rest], salt=_SALT),
            max_age=self.seconds + _KEPT,
            path=settings.SESSION_COOKIE_PATH,
            domain=settings.SESSION_COOKIE_DOMAIN,
            secure=settings.SESSION_COOKIE_SECURE,
            httponly=True,
            samesite="Strict",
        )

    @property
    def left(self) -> int:
        """Seconds until it has failed, whatever the phone has answered."""
        return max(0, self.started + self.seconds - int(time.time()))

    @property
    def began(self) -> datetime:
        """When it was begun."""
        return datetime.fromtimestamp(self.started, UTC)

    @property
    def ends(self) -> datetime:
        """When it has failed."""
        return self.began + timedelta(seconds=self.seconds)

    def is_for(self, name: str) -> bool:
        """Tell whether it goes on, and was begun for ``name``."""
        same = constant_time_compare(self.name, _hashed(name))
        return same and self.left > 0 and self.code_mode == _mode()

    def wanted(self, user: Any, asker: str = "") -> Wanted:
        """Return the approval of ``user`` that finishes it, asked for by ``asker``."""
        return Wanted(
            purpose=PASSWORDLESS,
            scope=PASSWORDLESS,
            max_age=0,
            endpoint="",
            timeout=longest_wait(PASSWORDLESS, app_settings.TIMEOUT),
            code=self.code_mode,
            text=_text(user, asker),
            session_hash=session_hash(self._session()),
            binding=bind(
                purpose=PASSWORDLESS,
                user=user,
                session=self._session(),
                scope=PASSWORDLESS,
                endpoint="",
                code=self.code_mode,
                digest="",
            ),
        )

    def approval(self) -> Approval | None:
        """Return the approval that was asked for, if one was."""
        return self._rows().first()

    def accepted(self) -> Approval | None:
        """Return it if the phone has accepted, and its code was typed."""
        # Nothing is read of one that is not: it takes as long as one that is not there.
        return self._rows().filter(status=Status.ACCEPTED).first()

    def _rows(self) -> QuerySet[Approval]:
        rows = Approval.objects.primary().select_related("user")
        mine = rows.filter(pk=self.pk, purpose=PASSWORDLESS)
        return mine.filter(session_hash=session_hash(self._session()))

    def _session(self) -> SessionBase:
        # In memory: the site's own session begins with the login, under another nonce.
        session = SessionBase()
        session[NONCE_KEY] = ["", self.nonce]
        return session


def forget(response: HttpResponseBase) -> None:
    """Let the browser forget its attempt."""
    response.delete_cookie(
        _cookie(),
        path=settings.SESSION_COOKIE_PATH,
        domain=settings.SESSION_COOKIE_DOMAIN,
        samesite="Strict",
    )


def _cookie() -> str:
    # With the prefix a browser takes it from this host only: not from a neighbour that
    # would plant an attempt of its own, and not over plain HTTP.
    host_only = (
        settings.SESSION_COOKIE_SECURE
        and settings.SESSION_COOKIE_PATH == "/"
        and not settings.SESSION_COOKIE_DOMAIN
    )
    return f"__Host-{_NAME}" if host_only else _NAME


def _mode() -> str:
    mode = app_settings.PASSWORDLESS_CODE
    # Not left to the system checks: a WSGI server does not run them.
    if not is_login_code(mode):
        raise ImproperlyConfigured(f"MAGICLINK_PASSWORDLESS_CODE must be {LOGIN_CODE}.")
    return mode


def is_login_code(value: object) -> bool:
    """Tell whether ``value`` can be the code of a login: typed, or shown."""
    return value in ("type", "show")


def _text(user: Any, asker: str) -> str:
    names = {"user": user.get_username(), "asker": asker}
    if asker:
        return texts.render(_("Log in as {user}. Asked from {asker}."), names)
    return texts.render(_("Log in as {user}."), names)


def _hashed(name: str) -> str:
    return salted_hmac(_SALT, name, algorithm="sha256").hexdigest()[:32]
