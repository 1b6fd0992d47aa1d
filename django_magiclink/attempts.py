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
from django.http import HttpRequest, HttpResponseBase
from django.utils.crypto import constant_time_compare, salted_hmac
from django.utils.translation import gettext as _

from . import texts
from .binding import NONCE_KEY, bind, session_hash
from .conf import app_settings
from .limits import longest_wait
from .models import Approval
from .status import Status
from .wanted import Wanted

#: What such an approval is for; no guard looks for it.
PURPOSE = "passwordless"

#: What the code of a login may be.
LOGIN_CODE = '"type" or "show"'

_COOKIE = "magiclink_login"
_SALT = "django_magiclink.phone_login"
#: Seconds after the phone's own time: for the typing, or for the answer's way.
_TYPING, _SLACK = 30, 5
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
        timeout = longest_wait(PURPOSE, app_settings.TIMEOUT)
        return cls(
            pk=uuid.uuid4(),
            nonce=secrets.token_urlsafe(32),
            name=_hashed(name),
            # One to be typed only the phone shows.
            code=str(10 + secrets.randbelow(90)) if mode == "show" else "",
            code_mode=mode,
            started=int(time.time()),
            seconds=timeout + (_TYPING if mode == "type" else _SLACK),
        )

    @classmethod
    def read(cls, request: HttpRequest) -> Attempt | None:
        """Return the attempt that the browser has under way, or that has ended."""
        signed = request.COOKIES.get(_COOKIE, "")
        try:
            pk, *rest = signing.loads(signed, salt=_SALT, max_age=_KEPT * 2)
        except signing.BadSignature:
            return None
        names = ("nonce", "name", "code", "code_mode", "started", "seconds")
        return cls(pk=uuid.UUID(pk), **dict(zip(names, rest, strict=True)))

    def write(self, response: HttpResponseBase) -> None:
        """Give it to the browser."""
        rest = [self.code, self.code_mode, self.started, self.seconds]
        response.set_cookie(
            _COOKIE,
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

    def wanted(self, user: Any) -> Wanted:
        """Return the approval of ``user`` that finishes it."""
        return Wanted(
            purpose=PURPOSE,
            scope=PURPOSE,
            max_age=0,
            endpoint="",
            timeout=longest_wait(PURPOSE, app_settings.TIMEOUT),
            code=self.code_mode,
            text=texts.render(_("Log in as {user}."), {"user": user.get_username()}),
            session_hash=session_hash(self._session()),
            binding=bind(
                purpose=PURPOSE,
                user=user,
                session=self._session(),
                scope=PURPOSE,
                endpoint="",
                code=self.code_mode,
                digest="",
            ),
        )

    def approval(self) -> Approval | None:
        """Return the approval that was asked for, if one was."""
        rows = Approval.objects.primary().select_related("user")
        mine = rows.filter(pk=self.pk, purpose=PURPOSE)
        return mine.filter(session_hash=session_hash(self._session())).first()

    def is_accepted(self) -> bool:
        """Tell whether the phone has accepted, and its code was typed."""
        rows = Approval.objects.primary().filter(pk=self.pk, purpose=PURPOSE)
        mine = rows.filter(session_hash=session_hash(self._session()))
        # Nothing is read of one that is not: it takes as long as one that is not there.
        return mine.filter(status=Status.ACCEPTED).exists()

    def _session(self) -> SessionBase:
        # In memory: the site's own session begins with the login, under another nonce.
        session = SessionBase()
        session[NONCE_KEY] = ["", self.nonce]
        return session


def forget(response: HttpResponseBase) -> None:
    """Let the browser forget its attempt."""
    response.delete_cookie(
        _COOKIE,
        path=settings.SESSION_COOKIE_PATH,
        domain=settings.SESSION_COOKIE_DOMAIN,
        samesite="Strict",
    )


def _mode() -> str:
    mode = app_settings.PASSWORDLESS_CODE
    # Not left to the system checks: a WSGI server does not run them.
    if not is_login_code(mode):
        raise ImproperlyConfigured(f"MAGICLINK_PASSWORDLESS_CODE must be {LOGIN_CODE}.")
    return mode


def is_login_code(value: object) -> bool:
    """Tell whether ``value`` can be the code of a login: typed, or shown."""
    return value in ("type", "show")


def _hashed(name: str) -> str:
    return salted_hmac(_SALT, name, algorithm="sha256").hexdigest()[:32]
