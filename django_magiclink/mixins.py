"""Guards for class-based views, and for Django's admin."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import replace
from functools import wraps
from typing import TYPE_CHECKING, Any, ClassVar

from django.contrib.admin import AdminSite, ModelAdmin
from django.contrib.admin.actions import delete_selected
from django.contrib.admin.utils import unquote
from django.core.exceptions import ImproperlyConfigured, PermissionDenied
from django.http import HttpRequest, HttpResponseBase
from django.utils.decorators import method_decorator
from django.utils.functional import Promise, cached_property
from django.views import View
from django.views.decorators.debug import sensitive_post_parameters

from .decorators import guard
from .requirements import SITE_CODE, Requirement
from .stepup import get_refusal

if TYPE_CHECKING:
    from django.contrib.admin import AdminSite as _AdminSite
    from django.contrib.admin import ModelAdmin as _ModelAdmin
else:
    _AdminSite = _ModelAdmin = object


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


def _refuse_right_of(base: type, cls: type, mixin: type) -> None:
    """Refuse a class in which another's methods are called instead of the mixin's."""
    ours = {name for name in vars(mixin) if not name.startswith("_")}
    for one in cls.__mro__[: cls.__mro__.index(mixin)]:
        foreign = issubclass(one, base) and not issubclass(one, mixin)
        if foreign and not ours.isdisjoint(vars(one)):
            what = "view's class" if base is View else base.__name__
            raise ImproperlyConfigured(
                f"{cls.__name__}: put {mixin.__name__} left of the {what}."
            )


class ApprovalRequiredMixin(ApprovalOptions):
    """
    Let only a user who has approved the request reach a class-based view.

    It stands left of the view's class. What ``as_view()`` is given wins over the
    attributes. Functions among them take the request, and no ``self``.
    """

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        _refuse_right_of(View, cls, ApprovalRequiredMixin)

    @classmethod
    def as_view(cls, **initkwargs: Any) -> Callable[..., Any]:
        requirement = Requirement.of_attributes(cls, initkwargs)
        return guard(requirement, super().as_view(**initkwargs))  # type: ignore[misc]


class ApprovalModelAdminMixin(_ModelAdmin):
    """
    Ask for an approval before a ``ModelAdmin`` changes anything.

    It stands left of ``ModelAdmin``. ``approval_for`` has the options of a guard, or
    :obj:`True` for none, for ``"add"``, ``"change"``, ``"delete"`` and the names of
    actions; ``"delete"`` holds for ``"delete_selected"`` too, unless that is named.
    Forms are validated after that: give them a window, not ``max_age=0``.
    """

    approval_for: ClassVar[Mapping[str, Mapping[str, Any] | bool]] = {}

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        _refuse_right_of(ModelAdmin, cls, ApprovalModelAdminMixin)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.approval_requirements = _requirements(self.approval_for)
        # Here, so that it holds for what an override of get_actions() adds, too.
        self.get_actions = _guard_actions(self, self.get_actions)  # type: ignore[method-assign]

    # As UserAdmin has it: an error in the guard must not report a password either.
    @method_decorator(sensitive_post_parameters())
    def add_view(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        refused = _refusal(self, request, "add")
        return refused or super().add_view(request, *args, **kwargs)

    def change_view(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        refused = _refusal(self, request, *_changes(request))
        return refused or super().change_view(request, *args, **kwargs)

    def changeform_view(
        self, request: HttpRequest, object_id: Any = None, *args: Any, **kwargs: Any
    ) -> Any:
        # Other people's admins come straight here.
        names = ["add"] if object_id is None else _changes(request)
        refused = _refusal(self, request, *names)
        return refused or super().changeform_view(request, object_id, *args, **kwargs)

    @method_decorator(sensitive_post_parameters())
    def user_change_password(
        self, request: HttpRequest, *args: Any, **kwargs: Any
    ) -> Any:
        # Only a UserAdmin has an address for it.
        refused = _refusal(self, request, "change")
        return refused or super().user_change_password(request, *args, **kwargs)  # type: ignore[misc]

    def delete_view(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        refused = _refusal(self, request, "delete")
        return refused or super().delete_view(request, *args, **kwargs)

    def changelist_view(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        refused = "_save" in request.POST and _refusal(self, request, "change")
        return refused or super().changelist_view(request, *args, **kwargs)


def _refusal(
    model_admin: Any, request: HttpRequest, *names: str
) -> HttpResponseBase | None:
    for name in names:
        requirement = model_admin.approval_requirements.get(name)
        if requirement is None:
            continue
        if request.method == "POST" and not _may(model_admin, request, name):
            # Who is turned away is not asked first.
            raise PermissionDenied
        if refusal := get_refusal(request, requirement):
            return refusal
    return None


def _changes(request: HttpRequest) -> list[str]:
    """Return the names of what the form of one object does."""
    # Django adds what comes with this, whether save_as is on or not.
    saves = "add" if "_saveasnew" in request.POST else "change"
    # Django 6.1 runs the actions of this form in a transaction: too late to ask.
    return [saves, request.POST.get("CHANGE_FORM-action", "")]


def _requirements(approval_for: Mapping[str, Any]) -> dict[str, Requirement]:
    asked = dict(approval_for)
    if "delete" in asked:
        # The other way to the same end.
        asked.setdefault("delete_selected", asked["delete"])
    for name, given in asked.items():
        if given is not True and not isinstance(given, Mapping):
            raise ImproperlyConfigured(f"approval_for[{name!r}] is a dict, or True.")
    return {
        name: Requirement.of(**{"methods": ["POST"]} | ({} if given is True else given))
        for name, given in asked.items()
    }


def _may(model_admin: Any, request: HttpRequest, name: str) -> bool:
    if name == "add":
        return bool(model_admin.has_add_permission(request))
    if name not in ("change", "delete"):
        # The admin offers only the actions that a user may take.
        return True
    match = request.resolver_match
    kwargs = match.kwargs if match else {}
    object_id = kwargs.get("object_id") or kwargs.get("id")
    obj = object_id and model_admin.get_object(request, unquote(object_id))
    return bool(getattr(model_admin, f"has_{name}_permission")(request, obj or None))


def _guard_actions(
    guarding: Any, get_actions: Callable[..., Any]
) -> Callable[..., Any]:
    def guarded(name: str, action: Any) -> Any:
        known = isinstance(action, tuple)  # until Django 6.1
        function = action[0] if known else action.func

        @wraps(function)
        def wrapper(model_admin: Any, request: HttpRequest, queryset: Any) -> Any:
            # The first POST of Django's own only shows what would be deleted.
            asks = function is delete_selected and not request.POST.get("post")
            answer = None if asks else _refusal(guarding, request, name)
            return answer or function(model_admin, request, queryset)

        return (wrapper, *action[1:]) if known else replace(action, func=wrapper)

    @wraps(get_actions)
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        actions = get_actions(*args, **kwargs)
        return {name: guarded(name, action) for name, action in actions.items()}

    return wrapper


class ApprovalAdminSiteMixin(ApprovalOptions, _AdminSite):
    """
    Put a whole admin site behind one approval, with attributes for its options.

    It stands left of ``AdminSite``. Logging in and out stays possible without one.
    """

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        _refuse_right_of(AdminSite, cls, ApprovalAdminSiteMixin)

    @cached_property
    def approval_requirement(self) -> Requirement:
        return Requirement.of_attributes(type(self), vars(self))

    def admin_view(self, view: Callable[..., Any], cacheable: bool = False) -> Any:
        # Within the site's own check: strangers log in first.
        if view not in (self.logout, self.i18n_javascript):
            view = guard(self.approval_requirement, view)
        return super().admin_view(view, cacheable)
