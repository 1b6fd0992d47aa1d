"""A view whose options are found wrong at its first request only."""

from django.urls import include, path

from . import views

urlpatterns = [
    path("misspelt/", views.Misspelt.as_view(), name="misspelt"),
    path("magiclink/", include("django_magiclink.urls")),
]
