"""Guards for view functions and methods, and a way past the rules."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial, wraps
from inspect import isclass
from typing import Any, cast

from asgiref.sync import iscoroutinefunction, sync_to_async
from django.core.exceptions import ImproperlyConfigured
from django.db import connections, transaction
from django.http import HttpRequest, HttpResponseBase

from .requirements import Requirement
from .rules import EXEMPT_MARK
from .stepup import get_challenge, keep_uncached

#: Where a guarded view keeps what its guards want, the outermost first.
REQUIREMENTS_MARK = "approval_requirements"


def approval_required(view: Any = None, **options: Any) -> Any:
    """
    Let only a user who has approved the request on their phone reach ``view``.

    Works on sync and async views, and on methods through Django's
    ``method_decorator``. The keywords are the fields of
    :class:`~django_magiclink.requirements.Requirement`; a wrong one raises
    :exc:`~django.core.exceptions.ImproperlyConfigured` here, not at the first request.
    """
    requirement = Requirement.of(**options)
    if view is None:
        return partial(guard, requirement)
    return guard(requirement, view)


def approval_exempt(view: Callable[..., Any]) -> Callable[..., Any]:
    """
    Return ``view`` as one that no rule of ``ApprovalMiddleware`` is for.

    Its own guards stay, and so does what the rules are for at its other addresses.
    """
    _refuse_class(view)
    if iscoroutinefunction(view):

        @wraps(view)
        async def exempt(*args: Any, **kwargs: Any) -> HttpResponseBase:
            return cast(HttpResponseBase, await view(*args, **kwargs))

    else:

        @wraps(view)
        def exempt(*args: Any, **kwargs: Any) -> HttpResponseBase:
            return cast(HttpResponseBase, view(*args, **kwargs))

    setattr(exempt, EXEMPT_MARK, True)
    return exempt


def _refuse_class(view: object) -> None:
    if isclass(view) or not callable(view):
        raise ImproperlyConfigured(
            "This decorates a view function. On a class use ApprovalRequiredMixin, or "
            "@method_decorator(…, name='dispatch') if none of its methods is async."
        )


def guard(requirement: Requirement, view: Callable[..., Any]) -> Callable[..., Any]:
    """Return ``view`` behind ``requirement``; an async view stays async."""
    _refuse_class(view)
    marks = (requirement, *getattr(view, REQUIREMENTS_MARK, ()))

    def ask(request: HttpRequest, args: Any, kwargs: Any) -> HttpResponseBase | None:
        challenge = get_challenge(request, requirement, kwargs, args)
        return None if challenge is None else challenge.response()

    if iscoroutinefunction(view):

        @wraps(view)
        async def async_wrapper(
            request: HttpRequest, *args: Any, **kwargs: Any
        ) -> HttpResponseBase:
            refused = await sync_to_async(ask)(request, args, kwargs)
            if refused is not None:
                return refused
            return keep_uncached(request, await view(request, *args, **kwargs))

        setattr(async_wrapper, REQUIREMENTS_MARK, marks)
        return async_wrapper

    own = EveryAlias()
    views = getattr(view, "_non_atomic_requests", ())

    @wraps(view)
    def wrapper(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        refused = ask(request, args, kwargs)
        if refused is not None:
            return refused
        run = view
        for alias, database in connections.settings.items():
            marked = own.was_given(alias) or _is_marked(request, alias)
            if database["ATOMIC_REQUESTS"] and alias not in views and not marked:
                run = transaction.atomic(using=alias)(run)
        return keep_uncached(request, run(request, *args, **kwargs))

    wrapper._non_atomic_requests = own  # type: ignore[attr-defined]
    setattr(wrapper, REQUIREMENTS_MARK, marks)
    return wrapper


class EveryAlias(set[str]):
    """
    Marks a view as ``non_atomic_requests`` for every database.

    A guard uses an approval up outside the transaction of ``ATOMIC_REQUESTS``, which
    could bring it back, and then opens that transaction for the view itself.
    """

    def __contains__(self, alias: object) -> bool:
        return True

    def was_given(self, alias: str) -> bool:
        """Tell whether someone marked this guard for ``alias`` by name."""
        return super().__contains__(alias)


def _is_marked(request: HttpRequest, alias: str) -> bool:
    # The mark of a whole view also holds for a guard on one of its methods.
    match = request.resolver_match
    marks = getattr(match and match.func, "_non_atomic_requests", ())
    return marks.was_given(alias) if isinstance(marks, EveryAlias) else alias in marks
