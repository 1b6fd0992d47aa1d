"""Checks of what ``approval_for`` names in vain, and of the ways past it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from django.contrib.admin import ModelAdmin
from django.core.checks import CheckMessage, Error, Warning

from ..inventory import ListedView
from ..inventory.admin import (
    VIEWS,
    actions,
    model_admin_of,
    model_requirements,
    site_requirement,
)
from ..mixins import ApprovalModelAdminMixin


def check(views: Sequence[ListedView]) -> Iterator[CheckMessage]:
    """Say what ``approval_for`` names in vain, and which ways lead past it."""
    found = (model_admin_of(view.match.func) for view in views)
    # In the order of their addresses, each once.
    model_admins = list(dict.fromkeys(one for one in found if one is not None))
    guarded = {
        model_admin.model._meta.concrete_model
        for model_admin in model_admins
        if model_requirements(model_admin).keys() & {*VIEWS.values()}
    }
    for model_admin in model_admins:
        yield from _unknown_names(model_admin)
        if site_requirement(model_admin.admin_site) is None:
            yield from _open_inlines(model_admin, guarded)


def _unknown_names(model_admin: ModelAdmin[Any]) -> Iterator[CheckMessage]:
    if _makes_actions(model_admin):
        return
    known = {*VIEWS.values(), *actions(model_admin)}
    for name in getattr(model_admin, "approval_for", {}).keys() - known:
        yield Error(
            f'approval_for of {_name(model_admin)} names "{name}", which is neither '
            "a view nor an action of it.",
            hint=f"It has {', '.join(sorted(known))}.",
            id="django_magiclink.E012",
        )


def _open_inlines(
    model_admin: ModelAdmin[Any], guarded: set[Any]
) -> Iterator[CheckMessage]:
    if model_requirements(model_admin).keys() >= {"change"}:
        return
    for inline in model_admin.inlines:
        # Django's own check says of an inline that it has no model.
        model = getattr(inline, "model", None)
        if model and model._meta.concrete_model in guarded:
            yield Warning(
                f"{_name(model_admin)} edits {model.__name__} in an inline and "
                "asks for no approval, as that model's own admin does.",
                hint='Give it ApprovalModelAdminMixin with "add" and "change" in '
                "approval_for, or let the inline change nothing.",
                id="django_magiclink.W008",
            )


def _makes_actions(model_admin: ModelAdmin[Any]) -> bool:
    # Which ones is known at a request only.
    ours = (ApprovalModelAdminMixin, ModelAdmin)
    return any(
        "get_actions" in vars(cls)
        for cls in type(model_admin).__mro__
        if cls not in ours
    )


def _name(model_admin: ModelAdmin[Any]) -> str:
    return f"{type(model_admin).__module__}.{type(model_admin).__qualname__}"
