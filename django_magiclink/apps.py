"""The app's configuration."""

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class MagicLinkConfig(AppConfig):
    """Connects the receivers and the system checks."""

    name = "django_magiclink"
    verbose_name = _("Magic Link approvals")
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        # Models must be loaded before these.
        from . import checks, events, receivers  # noqa: F401
