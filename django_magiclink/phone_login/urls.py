"""Include these to let people log in with a phone alone, under any prefix."""

from django.urls import path

from . import views

app_name = "django_magiclink_login"

urlpatterns = [
    path("", views.ask, name="ask"),
    path("wait/", views.wait, name="wait"),
    path("status/", views.status, name="status"),
    path("cancel/", views.cancel, name="cancel"),
    path("finish/", views.finish, name="finish"),
]
