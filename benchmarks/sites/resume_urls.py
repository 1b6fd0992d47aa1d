"""The guarded views, and the way to them, behind the guard that GUARD names."""

from django.conf import settings
from django.contrib.staticfiles.views import serve
from django.urls import include, path

from . import resume_views as views

urlpatterns = [path("static/<path:path>", serve, {"insecure": True})]


def site(guard):
    """Return the addresses of the views behind ``guard``."""
    return [
        path("form/", views.form),
        path("sync/", guard(views.carry_out), name="guarded-sync"),
        path("async/", guard(views.carry_out_async), name="guarded-async"),
    ]


if settings.GUARD == "allauth":
    from allauth.account.decorators import reauthentication_required

    urlpatterns += [
        path("register/", views.register),
        path("accounts/", include("allauth.urls")),
        *site(reauthentication_required),
    ]
else:
    from .planted import DEFECTS, required

    urlpatterns += [
        path("enter/", views.enter),
        path("magiclink/", include("django_magiclink.urls")),
    ]
    if settings.GUARD == "planted":
        urlpatterns += [
            path(f"{name}/", include(site(plant))) for name, plant in DEFECTS.items()
        ]
    else:
        by_rule = settings.GUARD == "middleware"
        urlpatterns += site((lambda view: view) if by_rule else required)
