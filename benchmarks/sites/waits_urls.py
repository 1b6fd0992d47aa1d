"""An unrelated page, and a view that waits for a phone: a plain one, and ours."""

import requests
from django.conf import settings
from django.http import HttpResponse
from django.urls import include, path

from django_magiclink.decorators import approval_required
from tests.views import crowd


def page(request):
    """Answer without any work."""
    return HttpResponse("done")


def ask(request):
    """Ask the phone, and wait for its answer."""
    response = requests.get(
        f"{settings.MAGICLINK_SERVER_URL}/api/sfwa/auth",
        params={"msisdn": request.GET["number"]},
        headers={"api-key": settings.MAGICLINK_API_KEY},
        timeout=320,
    )
    return HttpResponse(response.json()["code"])


urlpatterns = [
    path("page/", page),
    path("ask/", ask),
    path("guarded/", approval_required(scope="benchmark", max_age=0)(page)),
    path("crowd/", crowd),
    path("magiclink/", include("django_magiclink.urls")),
]
