"""The app's configuration."""

from django.apps import AppConfig


class ExampleConfig(AppConfig):
    """A bank with pages worth an approval."""

    name = "example_project"
    verbose_name = "Harbour Bank"
    default_auto_field = "django.db.models.BigAutoField"
