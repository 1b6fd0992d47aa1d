"""What ``manage.py check`` says about a project that uses this app."""

from . import project, settings  # noqa: F401
from .settings import RULES

__all__ = ["RULES"]

if not project.missing_apps():
    # These read the guards, which cannot be imported without the models of those apps.
    from . import keys, phone_login, rules, views  # noqa: F401
