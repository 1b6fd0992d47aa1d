"""Checks of the guards that stand before the project's views."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import combinations
from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Error, Tags, Warning, register
from django.core.exceptions import ImproperlyConfigured
from django.db import connections, router
from django.urls import ResolverMatch

from ..inventory import Door, Guard, ListedView, look_at, rules_in_force, walk
from ..models import Approval
from ..requirements import are_names
from ..rules import Rule
from . import admin, rules
from .settings import wrong_values

_EXCEPTION_HANDLER = "rest_framework.views.exception_handler"


@register(Tags.urls)
def check_views(**kwargs: Any) -> Sequence[CheckMessage]:
    """Say which guards do not do what they are there for."""
    if any(wrong_values()) or any(rules.wrong_rules()):
        return []
    try:
        matches = list(walk())
    except Exception:
        # The URLconf is broken, of which Django's own check says more.
        return []
    made = rules_in_force()
    views, messages = _look_at(matches, made)
    return [
        *messages,
        *rules.unused_rules(made, views),
        *rules.unused_exemptions(views),
        *rules.lost_login(views),
        *rules.open_logins(made),
        *rules.refused_tokens(made, views),
        *rules.open_phone_page(made, views),
        *rules.fallbacks(made),
        *_once(conflict for view in views for conflict in _conflicts(view)),
        *_once(error for view in views for error in _in_transaction(view)),
        *_exception_handler(views),
        *admin.check(views),
    ]


def _look_at(
    matches: Sequence[ResolverMatch], made: Sequence[Rule]
) -> tuple[list[ListedView], list[CheckMessage]]:
    views, messages = [], list[CheckMessage]()
    for match in matches:
        try:
            views.append(look_at(match, made))
        except ImproperlyConfigured as error:
            messages.append(
                Error(
                    f"The guard of {match.view_name} cannot be made: {error}",
                    hint="Correct the approval_… attributes of the view.",
                    id="django_magiclink.E013",
                )
            )
    return views, messages


def _once(messages: Iterator[CheckMessage]) -> list[CheckMessage]:
    # One view may have many addresses.
    return list({message.msg: message for message in messages}.values())


def _conflicts(view: ListedView) -> Iterator[CheckMessage]:
    single = [guard for guard in view.guards if guard.requirement.lifetime == 0]
    for one, other in combinations(single, 2):
        # The admin asks by one name a request; "when" may keep two guards apart.
        both_admin = one.door is Door.MODEL_ADMIN and other.door is Door.MODEL_ADMIN
        if both_admin or one.conditional or other.conditional or not one.meets(other):
            continue
        if _wanted(one) != _wanted(other):
            yield Error(
                f"{view.name} has two guards with max_age=0 that want different "
                f"approvals: {_told(one)} and {_told(other)}.",
                hint="Give both the same options, leave one of them out, or give one "
                "of them a window.",
                id="django_magiclink.E008",
            )


def _told(guard: Guard) -> str:
    return f'{guard.label} (scope "{guard.requirement.scope}")'


def _wanted(guard: Guard) -> tuple[Any, ...]:
    # What one approval has to match.
    asked = guard.requirement
    params: Any = asked.params
    if are_names(params):
        params = sorted(params)
    return asked.scope, asked.endpoint, asked.code_mode, params


def _in_transaction(view: ListedView) -> Iterator[CheckMessage]:
    alias = router.db_for_write(Approval)
    marks = getattr(view.match.func, "_non_atomic_requests", ())
    if not connections.settings[alias]["ATOMIC_REQUESTS"] or alias in marks:
        return
    # Rules are asked by a middleware, before Django opens the transaction.
    within = [guard for guard in view.guards if guard.door is not Door.RULE]
    for guard in within:
        if guard.requirement.lifetime == 0:
            # Not each view of a site that is guarded as a whole.
            whole = guard.door is Door.ADMIN_SITE
            yield Error(
                f"{view.match.namespace if whole else view.name}: ATOMIC_REQUESTS "
                "opens a transaction around the guard with max_age=0 "
                f"({guard.label}), in which it fails.",
                hint="Decorate what the URLconf has with "
                "django.db.transaction.non_atomic_requests (of a class: its dispatch, "
                "through method_decorator), or give the guard a window.",
                id="django_magiclink.E009",
            )


def _exception_handler(views: Sequence[ListedView]) -> Iterator[CheckMessage]:
    options = getattr(settings, "REST_FRAMEWORK", None) or {}
    handler = options.get("EXCEPTION_HANDLER", _EXCEPTION_HANDLER)
    module, name = (getattr(handler, at, "") for at in ("__module__", "__qualname__"))
    asking = [
        view.name
        for view in views
        if any(guard.door is Door.PERMISSION for guard in view.guards)
    ]
    if asking and _EXCEPTION_HANDLER not in (handler, f"{module}.{name}"):
        yield Warning(
            "EXCEPTION_HANDLER of REST_FRAMEWORK is one of your own, and "
            f"{asking[0]} uses ApprovalRequired, whose answer is an exception.",
            hint="Let it return rest_framework.views.exception_handler(…) for an "
            "ApprovalNeeded, with its status and headers, and silence this check.",
            id="django_magiclink.W007",
        )
