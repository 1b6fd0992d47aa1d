"""What a guard asks for, the same for every door, checked once when it is made."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, fields
from difflib import get_close_matches
from http import HTTPMethod
from inspect import iscoroutinefunction
from typing import Any

from django.core.exceptions import ImproperlyConfigured
from django.utils.functional import Promise

from . import purposes, texts
from .conf import app_settings

METHODS = frozenset(HTTPMethod)
SCOPE = re.compile(r"[a-z0-9][a-z0-9._:-]{0,63}")

#: What a max_age may be.
MAX_AGE = 'seconds up to a year, 0 for one request, or "session"'

#: What a code may be.
CODE = '"show", "type" or None'

#: What the attributes of a class that name these options begin with.
PREFIX = "approval_"

#: Stands for "as ``MAGICLINK_CODE`` says", since ``None`` means no code.
SITE_CODE = "site"


@dataclass(frozen=True, kw_only=True)
class Requirement:
    """
    What must be approved before a view may run.

    ``scope`` names what an approval opens, ``max_age`` says for how many seconds: ``0``
    for this one request, ``"session"`` until logout, ``None`` as ``MAGICLINK_MAX_AGE``
    says. ``methods`` and ``when`` narrow the requests that are guarded. ``params`` are
    what the approval is bound to and ``text`` is what the phone shows of it.
    ``endpoint`` names one in the database, ``timeout`` is how many seconds the phone
    waits, ``code`` is ``"show"``, ``"type"`` or ``None``.

    Callables for ``params``, ``when``, ``endpoint`` and ``text`` take ``(request,
    *args, **kwargs)`` of the view. Raise
    :exc:`~django.core.exceptions.ImproperlyConfigured` for an option that is wrong.
    """

    scope: str = "default"
    max_age: int | str | None = None
    methods: Collection[str] | None = None
    when: Callable[..., bool] | None = None
    text: str | Promise | Callable[..., str] = ""
    params: Collection[str] | Mapping[str, Any] | Callable[..., Mapping[str, Any]] = ()
    endpoint: str | Callable[..., str] = ""
    timeout: int | None = None
    code: str | None = SITE_CODE

    @classmethod
    def of(cls, **options: Any) -> Requirement:
        """Return the requirement that a guard's keywords make."""
        known = {field.name for field in fields(cls)}
        unknown = options.keys() - known
        if unknown:
            raise ImproperlyConfigured(
                f"A guard has no option {', '.join(sorted(unknown))}; "
                f"it has {', '.join(sorted(known))}."
            )
        return cls(**options)

    @classmethod
    def of_attributes(cls, owner: type, own: Mapping[str, Any]) -> Requirement:
        """
        Return the requirement that ``approval_…`` attributes make.

        ``own`` are those of one instance, which win over those of its class. They are
        not read from the instance, which would bind a function to itself.
        """
        names = {f"{PREFIX}{field.name}" for field in fields(cls)}
        ours = {name for name in (*dir(owner), *own) if name.startswith(PREFIX)}
        for name in ours - names:
            if close := get_close_matches(name, names, 1, 0.85):
                raise ImproperlyConfigured(
                    f"{owner.__name__} has no use for {name}. Is {close[0]} meant?"
                )
        found = {name: getattr(owner, name) for name in names if hasattr(owner, name)}
        found |= {name: own[name] for name in names & own.keys()}
        return cls(**{name.removeprefix(PREFIX): found[name] for name in found})

    def __post_init__(self) -> None:
        for name in ("params", "when", "endpoint", "text"):
            if iscoroutinefunction(getattr(self, name)):
                raise ImproperlyConfigured(f"{name} of a guard must not be async.")
        for name, valid, wanted in self._rules():
            if not valid:
                raise ImproperlyConfigured(
                    f"{name}={getattr(self, name)!r} of a guard must be {wanted}."
                )
        if isinstance(self.text, (str, Promise)):
            self._check_text(str(self.text))

    def _rules(self) -> list[tuple[str, object, str]]:
        return [
            (
                "scope",
                isinstance(self.scope, str) and bool(SCOPE.fullmatch(self.scope)),
                "1 to 64 of a-z, 0-9, '.', '_', ':' and '-', the first a letter or "
                "digit",
            ),
            (
                "max_age",
                self.max_age is None or is_max_age(self.max_age),
                f"{MAX_AGE}, or None for MAGICLINK_MAX_AGE",
            ),
            (
                "methods",
                self.methods is None
                or (are_names(self.methods, METHODS.__contains__) and self.methods),
                'None or HTTP methods in upper case, such as ["POST"]',
            ),
            ("when", self.when is None or callable(self.when), "a callable or None"),
            (
                "text",
                isinstance(self.text, (str, Promise)) or callable(self.text),
                "a string or a callable",
            ),
            (
                "params",
                isinstance(self.params, Mapping)
                or callable(self.params)
                or are_names(self.params),
                "a list of names, a dict or a callable",
            ),
            (
                "endpoint",
                isinstance(self.endpoint, str) or callable(self.endpoint),
                "the name of an endpoint or a callable",
            ),
            (
                "timeout",
                self.timeout is None or is_timeout(self.timeout),
                "15 to 300 seconds",
            ),
            ("code", self.code == SITE_CODE or is_code(self.code), CODE),
        ]

    def _check_text(self, text: str) -> None:
        names = texts.fields(text)
        if not callable(self.params):
            missing = names - set(self.params)
            if missing:
                raise ImproperlyConfigured(
                    f"text={text!r} of a guard names {', '.join(sorted(missing))}, "
                    "which params does not."
                )

    def guards(self, method: str) -> bool:
        """Tell whether requests by ``method`` are guarded."""
        # Views answer HEAD by running what answers GET.
        names = {method, "GET"} if method == "HEAD" else {method}
        return self.methods is None or not names.isdisjoint(self.methods)

    @property
    def lifetime(self) -> int | str:
        """Seconds for which an approval counts, ``0``, or ``"session"``."""
        if self.max_age is not None:
            return self.max_age
        # Not left to the system checks: a WSGI server does not run them.
        if not is_max_age(app_settings.MAX_AGE):
            raise ImproperlyConfigured(f"MAGICLINK_MAX_AGE must be {MAX_AGE}.")
        return app_settings.MAX_AGE

    @property
    def code_mode(self) -> str:
        """``"show"``, ``"type"``, or the empty string for no code."""
        code = app_settings.CODE if self.code == SITE_CODE else self.code
        if not is_code(code):
            raise ImproperlyConfigured(f"MAGICLINK_CODE must be {CODE}.")
        return code or ""

    @property
    def purpose(self) -> str:
        """``"login"`` for the scope of that name, else ``"step-up"``."""
        return purposes.LOGIN if self.scope == "login" else purposes.STEP_UP

    @property
    def number_hash(self) -> str:
        """The one phone that may be asked, empty for whichever counts by then."""
        return ""


def is_max_age(value: object) -> bool:
    """Tell whether ``value`` can be a max_age: seconds up to a year, or "session"."""
    return value == "session" or (
        isinstance(value, int)
        and not isinstance(value, bool)
        and 0 <= value <= 366 * 24 * 3600
    )


def is_code(value: object) -> bool:
    """Tell whether ``value`` can be a code: shown, typed, or none."""
    return value in ("show", "type", None)


def is_timeout(value: object) -> bool:
    """Tell whether Mideye takes ``value`` as ``touch-timeout``: 15 to 300 seconds."""
    return isinstance(value, int) and not isinstance(value, bool) and 15 <= value <= 300


def are_names(value: object, rule: Callable[[str], object] = bool) -> bool:
    """Tell whether ``value`` is a collection of names that obey ``rule``."""
    return (
        isinstance(value, Collection)
        and not isinstance(value, (str, bytes, Mapping))
        and all(isinstance(name, str) and rule(name) for name in value)
    )
