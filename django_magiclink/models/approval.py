"""The approval: one question to one phone."""

from __future__ import annotations

import uuid
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from ..purposes import STEP_UP
from ..status import UNDECIDED, Status
from .moves import ApprovalQuerySet

#: Seconds after which an approval that nobody has begun to send is not sent any more.
START_WITHIN = 30


def _start_by() -> datetime:
    return timezone.now() + timedelta(seconds=START_WITHIN)


def state_of(status: str, deadline: datetime) -> Status:
    """Return what ``status`` reads as now: undecided past its deadline is expired."""
    if status not in Status:
        # Written by another release, during a deployment: it grants nothing here.
        return Status.FAILED
    state = Status(status)
    if state in UNDECIDED and deadline < timezone.now():
        return Status.EXPIRED
    return state


def forget_user(collector: Any, field: Any, approvals: Any, using: str) -> None:
    """Keep the event when its user is deleted, and blank what is personal in it."""
    models.SET_NULL(collector, field, approvals, using)
    for name in Approval.PERSONAL:
        collector.add_field_update(Approval._meta.get_field(name), "", approvals)


class Approval(models.Model):
    """
    One question to one phone; an accepted row is the grant.

    It holds neither the number nor the key. ``binding`` is everything that must match
    for it to count; the same things stand in the row again only for the audit.
    """

    #: What the deletion of the user blanks.
    PERSONAL = ("user_name", "masked_number", "address", "user_agent", "text")

    id = models.UUIDField(_("id"), primary_key=True, default=uuid.uuid4, editable=False)
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        forget_user,
        null=True,
        related_name="magiclink_approvals",
        verbose_name=_("user"),
    )
    user_name = models.CharField(_("user name"), max_length=150, blank=True)
    endpoint = models.ForeignKey(
        "Endpoint",
        models.SET_NULL,
        null=True,
        related_name="+",
        verbose_name=_("endpoint"),
    )
    endpoint_name = models.CharField(_("endpoint"), max_length=64, blank=True)
    scope = models.CharField(_("scope"), max_length=64, default="default")
    purpose = models.CharField(_("purpose"), max_length=16, default=STEP_UP)
    text = models.CharField(_("text"), max_length=250, blank=True)
    code = models.CharField(_("code"), max_length=2, blank=True)
    #: ``"show"``, ``"type"``, or empty where there is no code.
    code_mode = models.CharField(_("code mode"), max_length=4, blank=True)
    timeout = models.PositiveSmallIntegerField(_("timeout"), default=60)
    language = models.CharField(_("language"), max_length=16, blank=True)
    masked_number = models.CharField(_("phone"), max_length=16, blank=True)
    number_hash = models.CharField(max_length=64, blank=True)
    session_hash = models.CharField(max_length=64, blank=True, db_index=True)
    binding = models.CharField(max_length=64, blank=True, db_index=True)
    address = models.CharField(_("address"), max_length=64, blank=True)
    user_agent = models.CharField(_("user agent"), max_length=200, blank=True)
    status = models.CharField(
        _("status"), max_length=16, choices=Status.choices, default=Status.PENDING
    )
    answer_code = models.CharField(_("answer"), max_length=64, blank=True)
    http_status = models.PositiveSmallIntegerField(_("HTTP status"), null=True)
    error_kind = models.CharField(_("error"), max_length=16, blank=True)
    created = models.DateTimeField(_("created"), default=timezone.now)
    start_by = models.DateTimeField(_("start by"), default=_start_by)
    sent = models.DateTimeField(_("sent"), null=True)
    answered = models.DateTimeField(_("answered"), null=True)
    consumed = models.DateTimeField(_("used"), null=True)
    reported = models.DateTimeField(_("reported as not asked for"), null=True)
    #: When the status changed last; nobody knows for rows of the first release.
    moved = models.DateTimeField(_("changed"), null=True)
    deadline = models.DateTimeField(_("deadline"), default=_start_by)
    live_until = models.DateTimeField(_("live until"), default=_start_by)
    # NULL, not "", is what a unique column may hold many times.
    live_slot = models.CharField(  # noqa: DJ001
        max_length=64, null=True, unique=True, editable=False
    )
    dispatcher = models.CharField(_("dispatcher"), max_length=100, blank=True)

    objects = ApprovalQuerySet.as_manager()

    class Meta:
        verbose_name = _("approval")
        verbose_name_plural = _("approvals")
        ordering = ["-created"]
        permissions = [
            ("revoke_approval", _("Can end the approvals of a user")),
            ("export_approval", _("Can export approvals")),
            ("view_dashboard", _("Can see the dashboard")),
        ]
        indexes = [
            models.Index(fields=["user", "-created"], name="magiclink_user_created"),
            models.Index(
                fields=["status", "deadline"], name="magiclink_status_deadline"
            ),
            models.Index(fields=["-created"], name="magiclink_created"),
            models.Index(
                fields=["status", "-created"], name="magiclink_status_created"
            ),
            models.Index(fields=["scope", "-created"], name="magiclink_scope_created"),
            models.Index(
                fields=["scope", "status", "-created"], name="magiclink_scope_status"
            ),
            models.Index(
                fields=["endpoint_name", "-created"], name="magiclink_endpoint_created"
            ),
            models.Index(
                fields=["number_hash", "-created"], name="magiclink_number_created"
            ),
            # Few rows are in it, so it costs the others nothing. With the status in it
            # SQLite prefers it to the index of all states.
            models.Index(
                fields=["status", "user", "created"],
                condition=Q(status=Status.REJECTED),
                name="magiclink_declined",
            ),
            models.Index(
                fields=["reported"],
                condition=Q(reported__isnull=False),
                name="magiclink_reported",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.scope}: {self.state.label}"

    @property
    def state(self) -> Status:
        """The status as it reads now."""
        return state_of(self.status, self.deadline)

    @property
    def expires_in(self) -> int:
        """Seconds for which the phone still waits for an answer, or the page for it."""
        if self.status == Status.CONFIRMING:
            ends = self.deadline
        else:
            ends = (self.sent or timezone.now()) + timedelta(seconds=self.timeout)
        return max(0, round((ends - timezone.now()).total_seconds()))

    @property
    def took(self) -> float | None:
        """Seconds until the phone had answered, if it has."""
        if self.sent is None or self.answered is None:
            return None
        # Two machines' clocks may differ.
        return max(0.0, (self.answered - self.sent).total_seconds())

    @property
    def shown_code(self) -> str:
        """The code that the page shows; one to be typed only the phone shows."""
        return self.code if self.code_mode == "show" else ""
