"""Admin sites and model admins behind an approval."""

from django.contrib.admin import AdminSite, ModelAdmin, action
from django.contrib.auth import get_user_model
from django.contrib.auth.admin import UserAdmin
from django.contrib.auth.models import Group
from django.http import HttpResponse
from django.urls import path

from django_magiclink.mixins import ApprovalAdminSiteMixin, ApprovalModelAdminMixin
from tests.models import Run

from .views import ran


class Noting(ModelAdmin):
    """Notes that its body ran."""

    def change_view(self, request, object_id, form_url="", extra_context=None):
        ran("Noting")
        return super().change_view(request, object_id, form_url, extra_context)


@action(description="Rename")
def rename(model_admin, request, queryset):
    queryset.update(view="renamed")


@action(description="Touch")
def touch(model_admin, request, queryset):
    queryset.update(view="touched")
    return HttpResponse("touched")


class Runs(ApprovalModelAdminMixin, Noting):
    approval_for = {
        "add": True,
        "change": {"text": "Change a run"},
        "delete": {"scope": "delete", "max_age": 60},
        "rename": {"scope": "rename", "max_age": 0},
        "delete_selected": {"scope": "bulk", "max_age": 0},
    }
    actions = [rename, touch]
    list_display = ["pk", "view"]
    list_editable = ["view"]


class Groups(ApprovalModelAdminMixin, ModelAdmin):
    approval_for = {"add": {"scope": "add"}}


class Users(ApprovalModelAdminMixin, UserAdmin):
    approval_for = {"add": True, "change": True}


class GuardedSite(ApprovalAdminSiteMixin, AdminSite):
    approval_text = "Open the admin"

    def index(self, request, extra_context=None):
        ran("GuardedSite")
        return super().index(request, extra_context)

    def get_urls(self):
        return [
            path("own/", self.admin_view(self.own), name="own"),
            *super().get_urls(),
        ]

    def own(self, request):
        return ran("own")


class Searched(ModelAdmin):
    ordering = search_fields = ["name"]


models_site = AdminSite(name="models")
models_site.register(Run, Runs)
models_site.register(Group, Groups)
models_site.register(get_user_model(), Users)

guarded_site = GuardedSite(name="guarded")
guarded_site.register(Group, Searched)
guarded_site.register(get_user_model(), UserAdmin)
