"""The ruled view below a language, and our own namespace as an instance's."""

from django.conf.urls.i18n import i18n_patterns
from django.contrib.auth.views import LoginView
from django.urls import include, path

from . import views

urlpatterns = [
    *i18n_patterns(
        path("ruled/", views.ruled, name="ruled"),
        path("login/", LoginView.as_view(template_name="admin/login.html")),
        path("signin/", views.unguarded, name="signin"),
    ),
    path("magiclink/", include("django_magiclink.urls")),
    path(
        "other/",
        include(("django_magiclink.urls", "django_magiclink"), namespace="other"),
    ),
]
