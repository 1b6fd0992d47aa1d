"""``MAGICLINK_RULES``: which views the middleware guards, and which it leaves alone."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, fields, replace
from fnmatch import fnmatchcase
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.contrib.admin import AdminSite
from django.contrib.auth.views import LoginView, LogoutView, logout_then_login
from django.contrib.staticfiles.views import serve
from django.core.exceptions import ImproperlyConfigured
from django.http import HttpRequest
from django.shortcuts import resolve_url
from django.urls import (
    NoReverseMatch,
    Resolver404,
    ResolverMatch,
    get_script_prefix,
    resolve,
)
from django.views.i18n import JavaScriptCatalog, set_language

from .conf import app_settings
from .identities import knows_users_itself
from .purposes import LOGIN
from .requirements import Requirement

#: The attribute of a view that :func:`.approval_exempt` sets.
EXEMPT_MARK = "approval_exempt"

#: Nobody could log in or out, or read our own pages, with an approval before these.
_OPEN_CLASSES = (LoginView, LogoutView, JavaScriptCatalog)
_OPEN_FUNCTIONS = (logout_then_login, serve, set_language)
_OPEN_ADMIN_VIEWS = {"login", "logout", "i18n_javascript"}


@dataclass(frozen=True, kw_only=True)
class Rule:
    """
    One of ``MAGICLINK_RULES``: the views it is for, and what it wants of them.

    Views are named as they are resolved, ``namespace:name``, with ``*`` for any
    characters; one without a name has its dotted path. A rule decides on the view that
    runs, never on a path, which can be written in many ways.
    """

    requirement: Requirement
    view: str = ""
    namespace: str = ""
    all: bool = False

    @classmethod
    def of(cls, options: Mapping[str, Any]) -> Rule:
        """
        Return the rule that ``options`` make.

        Raise :exc:`~django.core.exceptions.ImproperlyConfigured` for wrong ones.
        """
        if not isinstance(options, Mapping):
            raise ImproperlyConfigured("A rule is a dict.")
        names = {field.name for field in fields(cls)} - {"requirement"}
        own = {name: options[name] for name in names & options.keys()}
        kinds = {"view": str, "namespace": str, "all": bool}
        if len(own) != 1 or not all(
            value and isinstance(value, kinds[name]) for name, value in own.items()
        ):
            raise ImproperlyConfigured(
                'A rule has one of "view": "name*", "namespace": "name" and '
                '"all": True, beside the keywords of approval_required.'
            )
        wanted = {name: options[name] for name in options.keys() - names}
        requirement = Requirement.of(**wanted)
        if "all" in own:
            requirement = replace(requirement, when=_by_users(requirement.when))
        return cls(requirement=requirement, **own)

    @property
    def for_login(self) -> bool:
        """Whether it is the second step of a login, beside which another rule holds."""
        return self.requirement.purpose == LOGIN

    def fits(self, match: ResolverMatch) -> bool:
        """Tell whether the view that ``match`` leads to is one of this rule's."""
        if self.view:
            return fnmatchcase(match.view_name, self.view)
        if self.namespace:
            within = f"{':'.join(match.namespaces)}:"
            return within.startswith(f"{self.namespace}:")
        return self.all


def get_rules() -> tuple[Rule, ...]:
    """
    Return the rules of the settings, in their order.

    Raise :exc:`~django.core.exceptions.ImproperlyConfigured` for wrong ones, and for
    exemptions that are no list.
    """
    if isinstance(app_settings.EXEMPT, str):
        # Each of its letters would be a name, and a "*" all of them.
        raise ImproperlyConfigured("MAGICLINK_EXEMPT must be a list of names of views.")
    return tuple(map(Rule.of, app_settings.RULES))


def find_rules(rules: Sequence[Rule], match: ResolverMatch) -> tuple[Rule, ...]:
    """
    Return the rules for the view that ``match`` leads to, in the order to be asked.

    They are the first that fits, and before it all for the login that fit. Those give
    way to none, nor to each other: a narrower rule may let some methods of its views
    pass.
    """
    if is_exempt(match):
        return ()
    fitting = [rule for rule in rules if rule.fits(match)]
    logins = [rule for rule in fitting if rule.for_login]
    others = [rule for rule in fitting if not rule.for_login]
    return (*logins, *others[:1])


def is_exempt(match: ResolverMatch) -> bool:
    """Tell whether no rule is for the view that ``match`` leads to."""
    return (
        getattr(match.func, EXEMPT_MARK, False)
        or "django_magiclink" in match.app_names
        or any(fnmatchcase(match.view_name, name) for name in app_settings.EXEMPT)
        or _is_open(match.func)
        or _is_login(match)
    )


def _by_users(when: Callable[..., bool] | None) -> Callable[..., bool]:
    def is_asked(request: HttpRequest, *args: Any, **kwargs: Any) -> bool:
        # With the whole site behind the rule, so are its pages for strangers.
        match = request.resolver_match
        known = request.user.is_authenticated
        if not known and not knows_users_itself(match.func if match else None):
            return False
        return when is None or bool(when(request, *args, **kwargs))

    return is_asked


def _is_open(view: Callable[..., Any]) -> bool:
    cls = getattr(view, "view_class", None)
    if cls is not None:
        return issubclass(cls, _OPEN_CLASSES)
    layer: Any = view
    while layer is not None:
        # Not inspect.unwrap(), which goes on to the function in a bound method.
        if isinstance(getattr(layer, "__self__", None), AdminSite):
            return layer.__name__ in _OPEN_ADMIN_VIEWS
        if any(layer is known for known in _OPEN_FUNCTIONS):
            return True
        layer = getattr(layer, "__wrapped__", None)
    return False


def get_login() -> ResolverMatch | None:
    """
    Return what ``LOGIN_URL`` leads to, if that is one view at one address.

    A view that takes parts of its address is many pages, not all of them for strangers.
    """
    with suppress(NoReverseMatch, Resolver404):
        url = urlsplit(resolve_url(settings.LOGIN_URL))
        if not url.netloc:
            match = resolve_url_path(url.path)
            captured = match.args or getattr(match, "captured_kwargs", None)
            return None if captured else match
    return None


def resolve_url_path(path: str) -> ResolverMatch:
    """Return what ``path`` leads to, below the prefix that the server serves."""
    return resolve(path.removeprefix(get_script_prefix().rstrip("/")))


def _is_login(match: ResolverMatch) -> bool:
    login = get_login()
    return login is not None and (login.func, login.view_name) == (
        match.func,
        match.view_name,
    )
