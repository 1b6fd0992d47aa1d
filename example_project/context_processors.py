"""What the templates of every page may ask for."""

from functools import partial

from django.conf import settings

from django_magiclink.exceptions import Refused
from django_magiclink.models import Endpoint, PhoneNumber


def bank(request):
    """Give the name of the site, and in development the user's phone in the sandbox."""
    context = {"bank_name": settings.MAGICLINK_SITE_NAME}
    if settings.MAGICLINK_SANDBOX:
        # Called only by templates that show it, since it asks the database.
        context |= {
            "sandbox": True,
            "phone_url": partial(_phone_url, request.user),
            "new_phone_url": partial(_phone_url, request.user, "enrol"),
        }
    return context


def _phone_url(user, purpose="step-up"):
    try:
        server = Endpoint.objects.named().base_url
        number = PhoneNumber.objects.of(user, purpose)
    except Refused:
        return ""
    # Only a sandbox can be reached without TLS.
    return f"{server}/phone/{number}" if server.startswith("http:") else ""
