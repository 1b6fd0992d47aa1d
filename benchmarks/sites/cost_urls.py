"""One view, behind each of the guards that are compared."""

from allauth.account.decorators import reauthentication_required
from django.contrib.auth.decorators import login_required
from django.http import HttpResponse
from django.urls import include, path
from django_otp.decorators import otp_required
from elevate.decorators import elevate_required
from elevate.views import elevate

from django_magiclink.decorators import approval_required


def view(request):
    """Answer without any work."""
    return HttpResponse("done")


by_decorator = approval_required(scope="benchmark", max_age=300)(view)

urlpatterns = [
    path("accounts/", include("allauth.urls")),
    path("elevate/", elevate),
    path("magiclink/", include("django_magiclink.urls")),
    path("unguarded/", view),
    path("login_required/", login_required(view)),
    path("decorator/", login_required(by_decorator)),
    path("otp_required/", otp_required(view)),
    path("reauthentication_required/", reauthentication_required(view)),
    path("elevate_required/", login_required(elevate_required(view))),
    *(
        path(f"rule/{number}/", login_required(view), name=f"rule-{number}")
        for number in range(10)
    ),
]
