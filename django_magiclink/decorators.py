"""Guards for view functions and methods."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial, wraps
from inspect import isclass
from typing import Any

from asgiref.sync import iscoroutinefunction, sync_to_async
from django.core.exceptions import ImproperlyConfigured
from django.db import connections, transaction
from django.http import HttpRequest, HttpResponseBase
from django.utils.cache import patch_cache_control

from .requirements import Requirement
from .stepup import get_challenge, was_guarded


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
        return partial(_guard, requirement)
    return _guard(requirement, view)


def _guard(requirement: Requirement, view: Callable[..., Any]) -> Callable[..., Any]:
    if isclass(view) or not callable(view):
        raise ImproperlyConfigured(
            "approval_required decorates a view function. On a class use "
            "@method_decorator(approval_required, name='dispatch'), or, if its "
            "methods are async, guard what as_view() returns."
        )

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
            return _uncached(request, await view(request, *args, **kwargs))

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
        return _uncached(request, run(request, *args, **kwargs))

    wrapper._non_atomic_requests = own  # type: ignore[attr-defined]
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


def _uncached(request: HttpRequest, response: HttpResponseBase) -> HttpResponseBase:
    # Only what an approval opened: the browser may keep the form of a guarded POST, and
    # so what was typed in it.
    if was_guarded(request):
        patch_cache_control(response, private=True, no_store=True)
    return response
