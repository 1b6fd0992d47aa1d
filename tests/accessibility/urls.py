"""All pages of ours in one site, beside pages of a host that ask by our script."""

from django.urls import include, path

from ..script import urls as host
from ..urls import urlpatterns as guarded

urlpatterns = [
    path("my-phone/", include("django_magiclink.phone_urls")),
    path("login/phone/", include("django_magiclink.phone_login.urls")),
    *host.urlpatterns,
    *guarded,
]
