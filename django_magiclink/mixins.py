"""Guards for class-based views, and for Django's admin."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import replace
from functools import wraps
from typing import TYPE_CHECKING, Any, ClassVar

from django.core.exceptions import ImproperlyConfigured
from django.http import HttpRequest, HttpResponseBase
from django.utils.decorators import method_decorator
from django.utils.functional import Promise, cached_property
from django.views import View
from django.views.decorators.debug import sensitive_post_parameters

from .decorators import guard
from .requirements import SITE_CODE, Requirement
from .stepup import get_refusal

if TYPE_CHECKING:
    from django.contrib.admin import AdminSite, ModelAdmin
else:
    AdminSite = ModelAdmin = object


class ApprovalOptions:
    """The options of a guard as attributes; they mean what they mean there."""

    approval_scope: str = "default"
    approval_max_age: int | str | None = None
    approval_methods: Collection[str] | None = None
    approval_when: Callable[..., bool] | None = None
    approval_text: str | Promise | Callable[..., str] = ""
    approval_params: Any = ()
    approval_endpoint: str | Callable[..., str] = ""
    approval_timeout: int | None = None
    approval_code: str | None = SITE_CODE


class ApprovalRequiredMixin(ApprovalOptions):
    """
    Let only a user who has approved the request reach a class-based view.

    It stands left of the view's class. What ``as_view()`` is given wins over the
    attributes. Functions among them take the request, and no ``self``.
    """

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        classes = cls.__mro__
        if View in classes[: classes.index(ApprovalRequiredMixin)]:
            # View.as_view() calls no other, so the guard would be left out silently.
            raise ImproperlyConfigured(
                f"{cls.__name__}: put ApprovalRequiredMixin left of the view's class."
            )

    @classmethod
    def as_view(cls, **initkwargs: Any) -> Callable[..., Any]:
        requirement = Requirement.of_attributes(cls, initkwargs)
        return guard(requirement, super().as_view(**initkwargs))  # type: ignore[misc]


class ApprovalModelAdminMixin(ModelAdmin):
    """
    Ask for an approval before a ``ModelAdmin`` changes anything.

    It stands left of ``ModelAdmin``. ``approval_for`` has the options of a guard, or
    :obj:`True` for none, for ``"add"``, ``"change"``, ``"delete"`` and the names of
    actions. Forms are validated after that, so an approval should last for a second
    try: not ``max_age=0``.
    """

    approval_for: ClassVar[Mapping[str, Mapping[str, Any] | bool]] = {}

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.approval_requirements = {
            name: Requirement.of(**{"methods": ["POST"]} | _options(given))
            for name, given in self.approval_for.items()
        }

    # As UserAdmin has it: an error in the guard must not report a password either.
    @method_decorator(sensitive_post_parameters())
    def add_view(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        refused = self._refused(request, "add")
        return refused or super().add_view(request, *args, **kwargs)

    def change_view(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        # Django adds what comes with this, whether save_as is on or not.
        name = "add" if "_saveasnew" in request.POST else "change"
        refused = self._refused(request, name)
        return refused or super().change_view(request, *args, **kwargs)

    @method_decorator(sensitive_post_parameters())
    def user_change_password(self, request: HttpRequest, *args: Any) -> Any:
        # Only a UserAdmin has an address for it.
        refused = self._refused(request, "change")
        return refused or super().user_change_password(request, *args)  # type: ignore[misc]

    def delete_view(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        refused = self._refused(request, "delete")
        return refused or super().delete_view(request, *args, **kwargs)

    def changelist_view(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        edits = "_save" in request.POST
        refused = self._refused(request, "change") if edits else None
        return refused or super().changelist_view(request, *args, **kwargs)

    def get_actions(self, request: HttpRequest, action_location: Any = None) -> Any:
        where = {"action_location": action_location} if action_location else {}
        actions = super().get_actions(request, **where)
        for name in actions.keys() & self.approval_requirements.keys():
            actions[name] = self._guarded(name, actions[name])
        return actions

    def _guarded(self, name: str, action: Any) -> Any:
        known = isinstance(action, tuple)  # until Django 6.1
        function = action[0] if known else action.func

        @wraps(function)
        def wrapper(model_admin: Any, request: HttpRequest, queryset: Any) -> Any:
            # The first POST of this one only shows what would be deleted.
            asks = name == "delete_selected" and not request.POST.get("post")
            refused = None if asks else self._refused(request, name)
            return refused or function(model_admin, request, queryset)

        return (wrapper, *action[1:]) if known else replace(action, func=wrapper)

    def _refused(self, request: HttpRequest, name: str) -> HttpResponseBase | None:
        requirement = self.approval_requirements.get(name)
        return None if requirement is None else get_refusal(request, requirement)


def _options(given: Mapping[str, Any] | bool) -> dict[str, Any]:
    if given is True:
        return {}
    if isinstance(given, Mapping):
        return dict(given)
    raise ImproperlyConfigured("What approval_for has for a name is a dict, or True.")


class ApprovalAdminSiteMixin(ApprovalOptions, AdminSite):
    """
    Put a whole admin site behind one approval, with attributes for its options.

    It stands left of ``AdminSite``. Logging in and out stays possible without one.
    """

    @cached_property
    def approval_requirement(self) -> Requirement:
        return Requirement.of_attributes(type(self), vars(self))

    def admin_view(self, view: Callable[..., Any], cacheable: bool = False) -> Any:
        # Within the site's own check: strangers log in first.
        if view not in (self.logout, self.i18n_javascript):
            view = guard(self.approval_requirement, view)
        return super().admin_view(view, cacheable)
