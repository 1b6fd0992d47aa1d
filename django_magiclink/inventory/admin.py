"""The guards of Django's admin: those of a site, and those of one model's views."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from django.contrib.admin import AdminSite, ModelAdmin

from ..mixins import ApprovalAdminSiteMixin, ApprovalModelAdminMixin
from ..requirements import Requirement
from .guard import Door, Guard
from .marks import requirements, unpacked

#: What approval_for may name beside actions, by the view that it guards.
VIEWS = {
    "add_view": "add",
    "change_view": "change",
    "delete_view": "delete",
    "user_change_password": "change",
}


def guards_of(view: Any) -> Iterator[Guard]:
    """Go through the guards that the admin puts before ``view``."""
    method = bound(view)
    model_admin = model_admin_of(view)
    site = model_admin.admin_site if model_admin else _site_of(view)
    requirement = site_requirement(site)
    if requirement and _is_behind(view, requirement) and not _is_open(method, site):
        yield Guard(door=Door.ADMIN_SITE, requirement=requirement)
    if model_admin is not None:
        asked = model_requirements(model_admin)
        for name in _names(model_admin, getattr(method, "__name__", "")):
            if name in asked:
                yield Guard(door=Door.MODEL_ADMIN, requirement=asked[name], name=name)


def bound(view: Any) -> Any:
    """Return the method of the admin that ``view`` leads to, or :obj:`None`."""
    layer = unpacked(view)
    # Not inspect.unwrap(), which goes on to the function under a decorated method.
    while layer is not None:
        if isinstance(getattr(layer, "__self__", None), (AdminSite, ModelAdmin)):
            return layer
        layer = getattr(layer, "__wrapped__", None)
    return None


def model_admin_of(view: Any) -> ModelAdmin[Any] | None:
    """Return the ``ModelAdmin`` whose view ``view`` is."""
    owner = getattr(bound(view), "__self__", None)
    owner = owner or getattr(view, "model_admin", None)
    return owner if isinstance(owner, ModelAdmin) else None


def site_requirement(site: Any) -> Requirement | None:
    """Return what a whole admin site wants approved, if it wants anything."""
    if isinstance(site, ApprovalAdminSiteMixin):
        return site.approval_requirement
    return None


def model_requirements(model_admin: ModelAdmin[Any]) -> dict[str, Requirement]:
    """Return what ``approval_for`` asks for, by name."""
    if isinstance(model_admin, ApprovalModelAdminMixin):
        return model_admin.approval_requirements
    return {}


def actions(model_admin: ModelAdmin[Any]) -> set[str]:
    """Return the names of the actions that ``model_admin`` lists."""
    if model_admin.actions is None:
        return set()
    own = {getattr(action, "__name__", action) for action in model_admin.actions}
    return {*map(str, own), *(name for name, _ in model_admin.admin_site.actions)}


def _site_of(view: Any) -> Any:
    owner = getattr(bound(view), "__self__", None)
    return owner or getattr(view, "admin_site", None)


def _is_behind(view: Any, requirement: Requirement) -> bool:
    # Django's own views go through admin_view() at each request, others when made.
    if hasattr(view, "model_admin") or hasattr(view, "admin_site"):
        return True
    return any(one is requirement for one in requirements(unpacked(view)))


def _is_open(method: Any, site: Any) -> bool:
    return method in (site.logout, site.i18n_javascript)


def _names(model_admin: ModelAdmin[Any], method: str) -> list[str]:
    if method != "changelist_view":
        return [VIEWS[method]] if method in VIEWS else []
    edits = ["change"] if model_admin.list_editable else []
    return edits + sorted(actions(model_admin))
