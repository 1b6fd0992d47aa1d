"""Endpoints, keys, phones and approvals in Django's admin. Secrets are write-only."""

from .audit import ApprovalAdmin
from .bypass import BypassAdmin
from .endpoints import EndpointAdmin
from .keys import ApiKeyAdmin
from .phones import PhoneNumberAdmin

__all__ = [
    "ApiKeyAdmin",
    "ApprovalAdmin",
    "BypassAdmin",
    "EndpointAdmin",
    "PhoneNumberAdmin",
]
