"""
What guards each view of a project, for ``magiclink_urls`` and the system checks.

Seen are the guards that stand around a view. ``require_approval()`` is called within
one, so it is not.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.urls import ResolverMatch
from django.utils.module_loading import import_string

from ..conf import app_settings
from ..middleware import ApprovalMiddleware
from ..rules import Rule, find_rules, get_rules, is_exempt
from . import admin, marks, permissions
from .guard import Door, Guard
from .patterns import walk

__all__ = [
    "Door",
    "Guard",
    "ListedView",
    "list_views",
    "look_at",
    "middleware_position",
    "rules_in_force",
    "walk",
]


@dataclass(frozen=True, kw_only=True)
class ListedView:
    """A view at one of its addresses, and what stands before it."""

    match: ResolverMatch
    guards: tuple[Guard, ...]
    #: No rule is for it; it may have guards of its own.
    exempt: bool

    @property
    def name(self) -> str:
        """The name that rules and ``MAGICLINK_EXEMPT`` know the view by."""
        return self.match.view_name

    @property
    def route(self) -> str:
        """The address, as the URLconf writes it."""
        return str(self.match.route)

    @property
    def callback(self) -> str:
        """The dotted path of the function or class."""
        return self.match._func_path


def list_views(urlconf: str | None = None) -> list[ListedView]:
    """
    Return all views of ``urlconf``, by default the project's, with their guards.

    Raise :exc:`~django.core.exceptions.ImproperlyConfigured` for rules and options that
    are wrong.
    """
    rules = rules_in_force()
    return [look_at(match, rules) for match in walk(urlconf)]


def rules_in_force() -> tuple[Rule, ...]:
    """Return the rules of the settings, or none if no middleware reads them."""
    rules = get_rules()
    return () if middleware_position(ApprovalMiddleware) is None else rules


def look_at(match: ResolverMatch, rules: Sequence[Rule]) -> ListedView:
    """Return what stands before the view that ``match`` leads to."""
    found = [*_by_rules(match, rules), *_by_view(match.func)]
    # A guard on post() with methods=["GET"] never asks anybody.
    guards = tuple(guard for guard in found if guard.methods != frozenset())
    return ListedView(match=match, guards=guards, exempt=bool(is_exempt(match)))


def middleware_position(cls: type) -> int | None:
    """Return where in ``MIDDLEWARE`` the class, or one made of it, stands."""
    for index, path in enumerate(settings.MIDDLEWARE):
        # Django says more of a path that leads nowhere.
        with suppress(Exception):
            middleware = import_string(path)
            if isinstance(middleware, type) and issubclass(middleware, cls):
                return index
    return None


def _by_rules(match: ResolverMatch, rules: Sequence[Rule]) -> Iterator[Guard]:
    for rule in find_rules(rules, match):
        index = next(index for index, one in enumerate(rules) if one is rule)
        yield Guard(
            door=Door.RULE,
            requirement=rule.requirement,
            name=str(index),
            # Rules for all views have one of ours: that somebody is logged in.
            own_when=app_settings.RULES[index].get("when") is not None,
        )


def _by_view(view: Any) -> list[Guard]:
    by_admin = list(admin.guards_of(view))
    site = [one.requirement for one in by_admin if one.door is Door.ADMIN_SITE]
    carried = [
        guard
        for guard in marks.guards_of(view)
        if not any(guard.requirement is one for one in site)
    ]
    return [*carried, *by_admin, *permissions.guards_of(view)]
