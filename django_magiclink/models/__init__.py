"""What is stored: endpoints with their keys, phone numbers, approvals."""

from .api_key import ApiKey
from .approval import Approval
from .endpoint import Endpoint
from .phone_number import PhoneNumber

__all__ = ["ApiKey", "Approval", "Endpoint", "PhoneNumber"]
