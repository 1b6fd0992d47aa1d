"""Approvals that were not asked for through a phone, to be quick."""

from datetime import timedelta

from django.utils import timezone

from django_magiclink.models import Approval
from django_magiclink.requirements import Requirement
from django_magiclink.status import Status
from django_magiclink.wanted import Inquiry

GUARD = "django_magiclink.middleware.ApprovalMiddleware"
HTML = {"Accept": "text/html,*/*;q=0.8"}
NAVIGATION = HTML | {"Sec-Fetch-Dest": "document"}


def grant(response, *, ago=0, status=Status.ACCEPTED, **options):
    """
    Store the approval that the request of ``response`` wants.

    It is one of the request's own user and session, whatever the request was.
    """
    request = getattr(response, "wsgi_request", None) or response.asgi_request
    match = request.resolver_match
    requirement = Requirement.of(**options)
    wanted = Inquiry(request, requirement, match.kwargs, match.args).wanted()
    return Approval.objects.create(
        user=request.user,
        scope=wanted.scope,
        text=wanted.text,
        binding=wanted.binding,
        session_hash=wanted.session_hash,
        status=status,
        answered=timezone.now() - timedelta(seconds=ago),
    )
