from django.urls import include, path

from ..urls import urlpatterns

urlpatterns = [
    path("login/phone/", include("django_magiclink.phone_login.urls")),
    *urlpatterns,
]
