"""The pages of the bank, with ours of ``django_magiclink`` under ``/magiclink/``."""

from django.contrib import admin
from django.contrib.auth.views import LoginView, LogoutView
from django.urls import include, path

from . import views

urlpatterns = [
    path("", views.overview, name="overview"),
    path("payroll/", views.payroll, name="payroll"),
    path("transfer/", views.transfer, name="transfer"),
    path("statement/", views.statement, name="statement"),
    path("accounts/<int:pk>/close/", views.close_account, name="close-account"),
    path(
        "login/",
        LoginView.as_view(template_name="example_project/login.html"),
        name="login",
    ),
    path("logout/", LogoutView.as_view(), name="logout"),
    path("admin/", admin.site.urls),
    path("magiclink/", include("django_magiclink.urls")),
]
