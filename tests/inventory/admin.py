"""Admin sites, guarded and not, with model admins, guarded and not."""

from django.contrib.admin import AdminSite, ModelAdmin, TabularInline
from django.contrib.auth.admin import GroupAdmin, UserAdmin
from django.contrib.auth.models import Group, Permission, User
from django.urls import path
from django.utils.decorators import method_decorator

from django_magiclink.decorators import approval_required
from django_magiclink.mixins import ApprovalAdminSiteMixin, ApprovalModelAdminMixin
from django_magiclink.models import ApiKey, Endpoint
from tests.models import Run


class Users(ApprovalModelAdminMixin, UserAdmin):
    approval_for = {"change": {"scope": "users"}}


class Groups(ApprovalModelAdminMixin, GroupAdmin):
    approval_for = {
        "add": {"scope": "add-group"},
        "delete": {"scope": "delete-group"},
        "delete_selected": {"scope": "delete-group"},
    }

    @method_decorator(approval_required(scope="history"))
    def history_view(self, *args, **kwargs):
        raise NotImplementedError


class Permissions(ApprovalModelAdminMixin, ModelAdmin):
    approval_for = {"change": {"scope": "permissions"}}
    list_display = ["pk", "name"]
    list_editable = ["name"]

    def get_urls(self):
        return [
            path("custom/", self.admin_site.admin_view(self.custom), name="custom"),
            path("bare/", self.custom, name="bare"),
            *super().get_urls(),
        ]

    def custom(self, request):
        raise NotImplementedError


class Guarded(ApprovalAdminSiteMixin, AdminSite):
    approval_scope = "site"


class GuardedOnce(Guarded):
    approval_max_age = 0


def site(kind=AdminSite, name="back", **admins):
    """Return an admin site with ``admins`` for the models of their names."""
    models = {
        "users": User,
        "groups": Group,
        "permissions": Permission,
        "endpoints": Endpoint,
        "keys": ApiKey,
        "runs": Run,
    }
    made = kind(name)
    for model, admin in admins.items():
        made.register(models[model], admin)
    return made


open_site = site(users=Users, groups=Groups, permissions=Permissions)
guarded_site = site(Guarded, "vault", permissions=Permissions, users=UserAdmin)


class Keys(ApprovalModelAdminMixin, ModelAdmin):
    approval_for = {"change": True}


class KeysInline(TabularInline):
    model = ApiKey


class Endpoints(ModelAdmin):
    inlines = [KeysInline]


class Unfinished(ModelAdmin):
    inlines = [TabularInline]


class GuardedEndpoints(ApprovalModelAdminMixin, Endpoints):
    approval_for = {"change": True}


class OwnActions(ApprovalModelAdminMixin, ModelAdmin):
    approval_for = {"delete": True, "dynamic": True}

    def get_actions(self, request, action_location=None):
        raise NotImplementedError


def rename(model_admin, request, queryset):
    raise NotImplementedError


class Actions(ApprovalModelAdminMixin, ModelAdmin):
    actions = [rename, "touch"]
    approval_for = {"rename": True, "touch": True, "delete_selected": True}

    def touch(self, request, queryset):
        raise NotImplementedError


class Unknown(Actions):
    approval_for = {"rename": True, "chnage": True}


class WithoutActions(ApprovalModelAdminMixin, ModelAdmin):
    actions = None
    approval_for = {"rename": True}


class Once(ApprovalModelAdminMixin, ModelAdmin):
    approval_for = {
        "change": {"max_age": 0, "scope": "change"},
        "delete_selected": {"max_age": 0, "scope": "delete"},
    }
    list_display = ["pk", "view"]
    list_editable = ["view"]
