"""Include these to let people log in with a phone alone, under any prefix."""

from django.urls import path

from ..decorators import approval_exempt
from . import views

app_name = "django_magiclink_login"

# Nobody could log in who had to approve that before.
urlpatterns = [
    path("", approval_exempt(views.ask), name="ask"),
    path("wait/", approval_exempt(views.wait), name="wait"),
    path("status/", approval_exempt(views.status), name="status"),
    path("cancel/", approval_exempt(views.cancel), name="cancel"),
    path("finish/", approval_exempt(views.finish), name="finish"),
]
