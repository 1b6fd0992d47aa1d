"""One login without the phone, that staff have allowed a user."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db import models, router
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

#: Seconds for which it can be used.
LASTS = 900


def _until() -> datetime:
    return timezone.now() + timedelta(seconds=LASTS)


class BypassQuerySet(models.QuerySet["Bypass"]):
    """Knows which of them could still be used."""

    def open(self) -> BypassQuerySet:
        """Return those that can still be used, of the database that is written to."""
        rows = self.using(router.db_for_write(self.model))
        return rows.filter(used=None, ended=None, until__gt=timezone.now())


class Bypass(models.Model):
    """
    Leave for one user to log in once without the phone.

    It opens the rule for the login in one session, and nothing else.
    """

    user = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.CASCADE,
        related_name="magiclink_bypasses",
        verbose_name=_("user"),
    )
    by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.SET_NULL,
        null=True,
        editable=False,
        related_name="+",
        verbose_name=_("allowed by"),
    )
    reason = models.CharField(
        _("reason"),
        max_length=200,
        help_text=_("Why the user's phone cannot be asked. It is logged."),
    )
    created = models.DateTimeField(_("created"), default=timezone.now, editable=False)
    until = models.DateTimeField(_("until"), default=_until, editable=False)
    used = models.DateTimeField(_("used"), null=True, editable=False)
    ended = models.DateTimeField(_("ended"), null=True, editable=False)
    session_hash = models.CharField(max_length=64, blank=True, editable=False)

    objects = BypassQuerySet.as_manager()

    class Meta:
        verbose_name = _("login without the phone")
        verbose_name_plural = _("logins without the phone")
        ordering = ["-created"]
        default_permissions = ["view"]
        permissions = [("allow_bypass", _("Can let a user log in without the phone"))]

    def __str__(self) -> str:
        return str(self.state)

    @property
    def state(self) -> Any:
        """What became of it, in a word."""
        if self.used:
            return _("Used")
        if self.ended:
            return _("Ended")
        return _("Active") if self.until > timezone.now() else _("Expired")
