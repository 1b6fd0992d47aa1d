"""The guards that a function, a class-based view or one of its methods carries."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import Any

from django.utils.decorators import method_decorator
from django.views import View

from ..decorators import REQUIREMENTS_MARK
from ..mixins import ApprovalRequiredMixin
from ..requirements import Requirement
from .guard import Door, Guard


def _any_view(*args: Any, **kwargs: Any) -> Any:
    raise NotImplementedError


#: What every method is after ``method_decorator``, whatever it was decorated with.
_DECORATED_METHOD = method_decorator(lambda view: view)(_any_view).__code__


def unpacked(view: Any) -> Any:
    """Return the view that ``functools.partial`` gives arguments to."""
    while isinstance(view, partial):
        view = view.func
    return view


def view_class(view: Any) -> type[View] | None:
    """Return the class whose ``as_view()`` made ``view``."""
    # Viewsets of REST framework have the second alone.
    for name in ("view_class", "cls"):
        found = getattr(view, name, None)
        if isinstance(found, type) and issubclass(found, View):
            return found
    return None


def initial(view: Any) -> Mapping[str, Any]:
    """Return what ``as_view()`` was given for ``view``."""
    given = getattr(view, "view_initkwargs", None) or getattr(view, "initkwargs", None)
    return given or {}


def handlers(view: Any, cls: type[View]) -> dict[str, frozenset[str]]:
    """Return the methods of ``cls`` that answer, and which HTTP methods they do."""
    actions: Mapping[str, str] = getattr(view, "actions", None) or {
        method: method for method in cls.http_method_names if hasattr(cls, method)
    }
    # GET includes HEAD.
    pairs = [(method, name) for method, name in actions.items() if method != "head"]
    return {
        name: frozenset(method.upper() for method, other in pairs if other == name)
        for _, name in pairs
    }


def requirements(function: Any) -> tuple[Requirement, ...]:
    """
    Return what the guards around ``function`` want, the outermost first.

    The mark of a method that several ``method_decorator`` are on has one of them only.
    """
    inner = getattr(function, "__wrapped__", None)
    if getattr(function, "__code__", None) is _DECORATED_METHOD:
        return (*_by_method_decorator(function), *requirements(inner))
    marks = _marks(function)
    if inner is None:
        return marks
    # The decorators of others copy the marks of what they wrap.
    own = len(marks) - len(_marks(inner))
    return (*marks[: max(own, 0)], *requirements(inner))


def guards_of(view: Any) -> Iterator[Guard]:
    """Go through the guards that ``view`` carries, the outermost first."""
    view = unpacked(view)
    cls = view_class(view)
    if cls is None:
        for requirement in requirements(view):
            yield Guard(door=Door.DECORATOR, requirement=requirement)
        return
    yield from _around(view, cls)
    for requirement in requirements(cls.dispatch):
        yield Guard(door=Door.METHOD, requirement=requirement, name="dispatch")
    for name, methods in handlers(view, cls).items():
        for requirement in requirements(getattr(cls, name, None)):
            yield Guard(
                door=Door.METHOD, requirement=requirement, name=name, only=methods
            )


def _around(view: Any, cls: type[View]) -> Iterator[Guard]:
    # as_view() copies the marks of dispatch(), which come last.
    marks = _marks(view)
    outer = marks[: len(marks) - len(_marks(cls.dispatch))]
    by_mixin = (
        Requirement.of_attributes(cls, initial(view))
        if issubclass(cls, ApprovalRequiredMixin)
        else None
    )
    for place, requirement in enumerate(outer, 1):
        innermost = place == len(outer) and requirement == by_mixin
        yield Guard(
            door=Door.MIXIN if innermost else Door.DECORATOR, requirement=requirement
        )


def _marks(function: Any) -> tuple[Requirement, ...]:
    return getattr(function, REQUIREMENTS_MARK, ())


def _by_method_decorator(function: Any) -> Iterator[Requirement]:
    names = function.__code__.co_freevars
    cells = (cell.cell_contents for cell in function.__closure__)
    decorators: list[Callable[..., Any]] = dict(zip(names, cells, strict=True))[
        "decorators"
    ]
    for decorator in reversed(decorators):
        # Django tries them out in the same way, on a function of its own.
        yield from _marks(decorator(_any_view))
