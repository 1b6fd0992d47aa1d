"""The URLconf of a project with nothing to complain of."""

from django.contrib import admin
from django.contrib.auth.views import LoginView
from django.urls import include, path

from . import views

urlpatterns = [
    path("admin/", admin.site.urls),
    path("login/", LoginView.as_view(), name="login"),
    path("magiclink/", include("django_magiclink.urls")),
    path("plain/", views.plain, name="plain"),
    path("payroll/", views.decorated, name="payroll"),
]
