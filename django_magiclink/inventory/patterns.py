"""Every URL pattern of a project, as requests resolve them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from django.urls import ResolverMatch, URLPattern, URLResolver, get_resolver


def walk(urlconf: str | None = None) -> Iterator[ResolverMatch]:
    """
    Go through all patterns of ``urlconf``, by default the project's.

    What comes is what a request for the pattern has as ``resolver_match``, but for the
    arguments, which only a request has.
    """
    return _within(get_resolver(urlconf), "", (), ())


def _within(
    resolver: URLResolver,
    route: str,
    app_names: tuple[str | None, ...],
    namespaces: tuple[str | None, ...],
) -> Iterator[ResolverMatch]:
    for pattern in resolver.url_patterns:
        piece = str(pattern.pattern)
        # As Django joins them.
        joined = route + piece.removeprefix("^") if route else piece
        if isinstance(pattern, URLPattern):
            yield _match(pattern, joined, app_names, namespaces)
        else:
            yield from _within(
                pattern,
                joined,
                (*app_names, pattern.app_name),
                (*namespaces, pattern.namespace),
            )


def _match(
    pattern: URLPattern,
    route: str,
    app_names: tuple[Any, ...],
    namespaces: tuple[Any, ...],
) -> ResolverMatch:
    return ResolverMatch(
        pattern.callback,
        (),
        {},
        url_name=pattern.name,
        app_names=list(app_names),
        namespaces=list(namespaces),
        route=route,
    )
