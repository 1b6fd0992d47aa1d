"""What is stored: endpoints with their keys, phone numbers, approvals, counts."""

from .api_key import ApiKey
from .approval import Approval
from .bypass import Bypass
from .endpoint import Endpoint
from .phone_number import PhoneNumber
from .tally import Tally

__all__ = ["ApiKey", "Approval", "Bypass", "Endpoint", "PhoneNumber", "Tally"]
