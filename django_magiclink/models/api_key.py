"""The keys that open an endpoint."""

from __future__ import annotations

import uuid
from datetime import date
from typing import Any

from django.conf import settings
from django.db import models, router, transaction
from django.db.models import Q
from django.utils import timezone
from django.utils.crypto import salted_hmac
from django.utils.translation import gettext_lazy as _
from django.views.decorators.debug import sensitive_variables

from ..fields import Sealed, SealedField

#: The one key of an endpoint that opens it.
IN_USE = Q(retired=None, activated__isnull=False)


def today() -> date:
    """Return the day that it is here, by which keys expire."""
    return timezone.localdate() if settings.USE_TZ else date.today()


class ApiKey(models.Model):
    """
    A key for one endpoint, sealed for it and for the host it was entered for.

    The secret is write-only: :meth:`seal` takes it and only :meth:`Endpoint.client`
    reads it. A key is tried, then in use, then retired, and may be put to use again.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    endpoint = models.ForeignKey(
        "Endpoint",
        models.CASCADE,
        related_name="keys",
        verbose_name=_("endpoint"),
    )
    name = models.CharField(
        _("friendly name"),
        max_length=64,
        help_text=_("As in Mideye's own interface, so that both can be matched."),
    )
    sealed: models.Field[Sealed, Sealed] = SealedField()
    origin = models.CharField(_("host"), max_length=255, editable=False)
    last_four = models.CharField(_("last four"), max_length=4, editable=False)
    fingerprint = models.CharField(_("fingerprint"), max_length=16, editable=False)
    expires_on = models.DateField(_("expires on"), null=True, blank=True)
    made_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.SET_NULL,
        null=True,
        editable=False,
        related_name="+",
        verbose_name=_("made by"),
    )
    created = models.DateTimeField(_("created"), default=timezone.now, editable=False)
    #: Empty while the key is only tried.
    activated = models.DateTimeField(_("in use since"), null=True, editable=False)
    last_used = models.DateTimeField(_("last used"), null=True, editable=False)
    last_result = models.CharField(_("last result"), max_length=64, editable=False)
    retired = models.DateTimeField(_("retired"), null=True, editable=False)

    #: Whoever is about to delete it, if that is known.
    deleted_by: Any = None

    class Meta:
        verbose_name = _("API key")
        verbose_name_plural = _("API keys")
        permissions = [("regenerate_apikey", _("Can replace the key of an endpoint"))]
        constraints = [
            models.UniqueConstraint(
                fields=["endpoint"],
                condition=IN_USE,
                name="magiclink_one_active_key",
            ),
            models.UniqueConstraint(
                fields=["endpoint"],
                condition=Q(retired=None, activated=None),
                name="magiclink_one_staged_key",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.name} (…{self.last_four})"

    @property
    def is_usable(self) -> bool:
        """Tell whether the key is of the endpoint's present host and not expired."""
        here = bool(self.origin) and self.origin == self.endpoint.origin
        return here and not self.is_expired

    @property
    def is_in_use(self) -> bool:
        """Tell whether it opens its endpoint, as :data:`IN_USE` finds it."""
        return self.activated is not None and self.retired is None

    @property
    def is_expired(self) -> bool:
        """Tell whether the day it expires on has passed."""
        return self.expires_on is not None and self.expires_on < today()

    @property
    def _context(self) -> str:
        return f"{self._meta.label}:{self.pk}:{self.endpoint_id}:{self.origin}"

    @sensitive_variables()
    def seal(self, secret: str) -> None:
        """Take ``secret`` for the endpoint's present host; it is not in use yet."""
        self.origin = self.endpoint.origin
        # Of a short one that would be too much.
        self.last_four = secret[-4:] if len(secret) >= 12 else ""
        self.fingerprint = salted_hmac(
            "django_magiclink.ApiKey", secret, algorithm="sha256"
        ).hexdigest()[:16]
        self.sealed = Sealed.seal(secret, self._context)
        self.save()

    @sensitive_variables()
    def enter(self, secret: str) -> None:
        """Take ``secret`` for the endpoint's present host, and put it to use."""
        with transaction.atomic(using=router.db_for_write(ApiKey)):
            self._retire_others()
            self.seal(secret)

    def activate(self) -> None:
        """
        Put the key to use, and retire the one that was: at once, or not at all.

        Raise :exc:`ApiKey.DoesNotExist` if it has been deleted meanwhile.
        """
        with transaction.atomic(using=router.db_for_write(ApiKey)):
            self._retire_others()
            mine = self.endpoint.keys.filter(pk=self.pk)
            if not mine.update(activated=self.activated, retired=None):
                raise ApiKey.DoesNotExist

    def _retire_others(self) -> None:
        # Of two that do this at once, one waits for the other.
        self.endpoint.lock()
        self.activated, self.retired = timezone.now(), None
        in_use = self.endpoint.keys.filter(IN_USE).exclude(pk=self.pk)
        in_use.update(retired=self.activated)

    def note_use(self, result: str) -> None:
        """Note when the key was last used, and what came of it."""
        rows = ApiKey.objects.filter(pk=self.pk)
        rows.update(last_used=timezone.now(), last_result=result)

    @sensitive_variables()
    def rotate(self) -> None:
        """Encrypt the secret anew, with the first of the field keys."""
        self.sealed = Sealed.seal(self.reveal(), self._context)
        self.save(update_fields=["sealed"])

    def reveal(self) -> str:
        """Return the secret, for the one call that needs it."""
        return self.sealed.open(self._context)
