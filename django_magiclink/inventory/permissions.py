"""The guards among the permissions of REST framework's views, which is not imported."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from django.core.exceptions import ImproperlyConfigured

from ..requirements import Requirement
from .guard import Door, Guard
from .marks import handlers, initial, unpacked, view_class


def guards_of(view: Any) -> Iterator[Guard]:
    """Go through the permissions of ``view`` that ask for an approval."""
    view = unpacked(view)
    cls: Any = view_class(view)
    if not hasattr(cls, "get_permissions"):
        return
    if getattr(view, "actions", None):
        yield from _by_action(view, cls)
        return
    for requirement in _wanted(view, cls):
        yield Guard(door=Door.PERMISSION, requirement=requirement)


def _by_action(view: Any, cls: Any) -> Iterator[Guard]:
    every = handlers(view, cls)
    wanted = {name: _wanted(view, cls, name) for name in every}
    seen: list[Requirement] = []
    for requirement in [one for many in wanted.values() for one in many]:
        if requirement in seen:
            continue
        seen.append(requirement)
        names = [name for name in every if requirement in wanted[name]]
        some = len(names) < len(every)
        yield Guard(
            door=Door.PERMISSION,
            requirement=requirement,
            name=", ".join(names) if some else "",
            only=frozenset().union(*(every[name] for name in names)) if some else None,
        )


def _instance(view: Any, cls: Any, action: str | None) -> Any:
    # As REST framework's own schema generators make one.
    instance = cls(**initial(view))
    instance.request = None
    instance.args, instance.kwargs, instance.format_kwarg = (), {}, None
    instance.action_map = getattr(view, "actions", None)
    instance.action = action
    return instance


def _wanted(view: Any, cls: Any, action: str | None = None) -> list[Requirement]:
    try:
        instance = _instance(view, cls, action)
        asking = [one for each in instance.get_permissions() for one in _asking(each)]
        return [permission.requirement_of(instance) for permission in asking]
    except ImproperlyConfigured:
        raise
    except Exception:
        # Without a request some cannot say, and what cannot be seen is not counted.
        return []


def _asking(permission: Any) -> list[Any]:
    if hasattr(permission, "requirement_of"):
        return [permission]
    kind = type(permission).__name__
    if kind not in ("AND", "OR"):
        return []
    left, right = _asking(permission.op1), _asking(permission.op2)
    # One side of an OR is enough to get in.
    return left + right if kind == "AND" or (left and right) else []
