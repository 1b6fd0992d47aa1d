from __future__ import annotations

import json
from argparse import ArgumentParser
from collections.abc import Iterable, Iterator, Sequence
from fnmatch import fnmatchcase
from typing import Any

from django.core.exceptions import ImproperlyConfigured
from django.core.management.base import BaseCommand, CommandError

from django_magiclink.inventory import Guard, ListedView, list_views

HEADINGS = ("ROUTE", "VIEW", "GUARD", "SCOPE", "MAX AGE", "METHODS")


class Command(BaseCommand):
    help = (
        "List every URL pattern with what guards it. Guards inside a view, made with "
        "require_approval(), cannot be seen from outside."
    )
    # It helps to put right what the checks complain of.
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--format",
            choices=["table", "json"],
            default="table",
            help="How to print it. The default is a table.",
        )
        parser.add_argument(
            "--urlconf",
            help="Module to read instead of ROOT_URLCONF.",
        )
        parser.add_argument(
            "--fail-unguarded",
            metavar="PATTERN",
            action="append",
            default=[],
            help="Exit with status 1 if a view of this name, * for any characters, is "
            "neither guarded nor exempt, or if no view has it. May be repeated.",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            views = list_views(options["urlconf"])
        except ImproperlyConfigured as error:
            raise CommandError(str(error)) from error
        if options["format"] == "json":
            self.stdout.write(json.dumps([_as_dict(view) for view in views], indent=2))
        else:
            self.stdout.write("\n".join(_aligned(views)))
        if problems := list(_problems(views, options["fail_unguarded"])):
            raise CommandError("\n".join(problems))


def _problems(views: Sequence[ListedView], patterns: Iterable[str]) -> Iterator[str]:
    for pattern in patterns:
        matching = [view for view in views if fnmatchcase(view.name, pattern)]
        if not matching:
            yield f'No view is called "{pattern}".'
        for view in matching:
            if not (view.guards or view.exempt):
                yield f"{view.name} ({view.route}) is neither guarded nor exempt."


def _as_dict(view: ListedView) -> dict[str, Any]:
    return {
        "route": view.route,
        "view": view.name,
        "callback": view.callback,
        "exempt": view.exempt,
        "guards": [
            {
                "door": str(guard.door),
                "name": guard.name,
                "scope": guard.requirement.scope,
                "max_age": guard.requirement.lifetime,
                "methods": guard.methods
                if guard.methods is None
                else sorted(guard.methods),
                "conditional": guard.conditional,
            }
            for guard in view.guards
        ],
    }


def _aligned(views: Sequence[ListedView]) -> Iterator[str]:
    rows = [HEADINGS, *(row for view in views for row in _rows(view))]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        cells = [cell.ljust(width) for cell, width in zip(row, widths, strict=True)]
        yield "  ".join(cells).rstrip()
    guarded = sum(bool(view.guards) for view in views)
    exempt = sum(view.exempt and not view.guards for view in views)
    open_ones = len(views) - guarded - exempt
    yield ""
    yield f"{guarded} guarded, {exempt} exempt, {open_ones} open: {len(views)} in all."


def _rows(view: ListedView) -> Iterator[tuple[str, ...]]:
    address = view.route or "/", view.name
    if not view.guards:
        yield (*address, "exempt" if view.exempt else "-", "", "", "")
    for guard in view.guards:
        yield (*address, *_cells(guard))
        # The next guard of the same view stands under it.
        address = "", ""


def _cells(guard: Guard) -> tuple[str, ...]:
    lifetime = guard.requirement.lifetime
    age = {0: "once", "session": "session"}.get(lifetime, f"{lifetime} s")
    methods = "all" if guard.methods is None else " ".join(sorted(guard.methods))
    when = " (when)" if guard.conditional else ""
    return guard.label, guard.requirement.scope, age, methods + when
