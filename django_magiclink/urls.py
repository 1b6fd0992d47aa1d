"""Include these under any prefix; every address is made by ``reverse``."""

from django.urls import path

from . import leaving, recovery, views

app_name = "django_magiclink"

urlpatterns = [
    path("ask/", views.ask, name="ask"),
    path("start/", views.start, name="start"),
    path("bypass/", recovery.bypass, name="bypass"),
    path("leave/", leaving.leave, name="leave"),
    path("live/<str:token>/", views.live, name="live"),
    path("<uuid:pk>/", views.status, name="status"),
    path("<uuid:pk>/cancel/", views.cancel, name="cancel"),
    path("<uuid:pk>/report/", views.report, name="report"),
]
