"""The pages of the bank, with ours of ``django_magiclink`` under ``/magiclink/``."""

from django.conf import settings
from django.contrib import admin
from django.contrib.auth.views import LoginView, LogoutView
from django.urls import include, path

from . import api, views
from .admin import vault

urlpatterns = [
    path("", views.overview, name="overview"),
    path("payroll/", views.payroll, name="payroll"),
    path("transfer/", views.transfer, name="transfer"),
    path("statement/", views.statement, name="statement"),
    path("accounts/<int:pk>/close/", views.close_account, name="close-account"),
    path("contact/", views.ContactDetails.as_view(), name="contact"),
    path("phone/", views.phone, name="phone"),
    path("payment-file/", views.payment_file, name="payment-file"),
    path("orders/", views.orders, name="orders"),
    path("api/", include(api.router.urls)),
    path("invoices/", views.invoices, name="invoices"),
    path("invoices/<int:pk>/pay/", views.pay_invoice, name="pay-invoice"),
    path("cards/", include("example_project.cards")),
    path(
        "login/",
        LoginView.as_view(template_name="example_project/login.html"),
        name="login",
    ),
    path("logout/", LogoutView.as_view(), name="logout"),
    path("admin/", admin.site.urls),
    path("vault/", vault.urls),
    path("magiclink/", include("django_magiclink.urls")),
]
if not settings.SECOND_FACTOR:
    urlpatterns += [
        path("login/phone/", include("django_magiclink.phone_login.urls")),
    ]
