"""Mideye Servers and their Magic Link endpoints."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.core.exceptions import ValidationError
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models, router, transaction
from django.db.models import F, Q
from django.utils.translation import gettext, gettext_noop
from django.utils.translation import gettext_lazy as _
from django.views.decorators.debug import sensitive_variables

from ..addresses import origin, validate_base_url, validate_endpoint_name
from ..client import MideyeClient, Texts
from ..conf import app_settings
from ..exceptions import NoEndpoint
from ..purposes import STEP_UP, TEST
from .api_key import IN_USE, ApiKey

#: What administrators enter for the buttons, so that the catalogues have it.
BUTTONS = (
    gettext_noop("Approve"),
    gettext_noop("Accept"),
    gettext_noop("Decline"),
    gettext_noop("Reject"),
)


@contextmanager
def _said_at(field: str) -> Iterator[None]:
    try:
        yield
    except ValueError as error:
        raise ValidationError({field: str(error)}) from error


def check_base_url(url: str) -> None:
    """Raise a ``ValidationError`` that says how to mend a server's address."""
    try:
        validate_base_url(url)
    except ValueError as error:
        raise ValidationError(str(error), code="invalid_url") from error


class EndpointManager(models.Manager["Endpoint"]):
    """Finds the endpoint to call, also where the settings alone know of one."""

    def named(self, name: str = "") -> Endpoint:
        """
        Return the enabled endpoint of that name, or the default one for ``""``.

        With no endpoint in the database at all, the default one is made from
        ``MAGICLINK_SERVER_URL`` and ``MAGICLINK_API_KEY``, in memory only. Raise
        :exc:`~django_magiclink.exceptions.NoEndpoint` if there is none.
        """
        wanted = Q(name=name) if name else Q(is_default=True)
        endpoint = self.filter(wanted, enabled=True).first()
        if endpoint is None and not name:
            endpoint = self._from_settings()
        if endpoint is None:
            raise NoEndpoint
        return endpoint

    def of_approval(self, endpoint_id: int | None) -> Endpoint:
        """Return the endpoint that an approval was asked for, if it may still call."""
        if endpoint_id is None:
            endpoint = self._from_settings()
        else:
            endpoint = self.filter(pk=endpoint_id, enabled=True).first()
        if endpoint is None:
            raise NoEndpoint
        return endpoint

    def _from_settings(self) -> Endpoint | None:
        if not app_settings.SERVER_URL or self.exists():
            return None
        return Endpoint(
            name="MAGICLINK_SERVER_URL",
            base_url=app_settings.SERVER_URL,
            endpoint_name=app_settings.ENDPOINT_NAME,
        )


class Endpoint(models.Model):
    """A Magic Link endpoint on a Mideye Server, and what its prompts look like."""

    name = models.CharField(_("name"), max_length=64, unique=True)
    base_url = models.CharField(
        _("server address"),
        max_length=255,
        validators=[check_base_url],
        help_text=_("HTTPS, usually port 8443: https://mideye.example.com:8443"),
    )
    endpoint_name = models.CharField(
        _("endpoint name on the server"),
        max_length=255,
        blank=True,
        help_text=_("Leave empty for the server's default endpoint."),
    )
    timeout = models.PositiveSmallIntegerField(
        _("timeout"),
        null=True,
        blank=True,
        validators=[MinValueValidator(15), MaxValueValidator(300)],
        help_text=_(
            "Seconds the phone waits for an answer, 15 to 300; "
            "empty for MAGICLINK_TIMEOUT."
        ),
    )
    title_text = models.CharField(_("title"), max_length=64, blank=True)
    accept_button_text = models.CharField(_("accept button"), max_length=32, blank=True)
    reject_button_text = models.CharField(_("reject button"), max_length=32, blank=True)
    accepted_text = models.CharField(
        _("text after accepting"), max_length=160, blank=True
    )
    rejected_text = models.CharField(
        _("text after declining"), max_length=160, blank=True
    )
    ca_certificate = models.TextField(
        _("CA certificate"),
        blank=True,
        help_text=_(
            "PEM text of the only authority to trust, for servers with a private one."
        ),
    )
    is_default = models.BooleanField(_("default"), default=False)
    enabled = models.BooleanField(_("enabled"), default=True)

    objects = EndpointManager()

    class Meta:
        verbose_name = _("endpoint")
        verbose_name_plural = _("endpoints")
        constraints = [
            models.UniqueConstraint(
                fields=["is_default"],
                condition=Q(is_default=True),
                name="magiclink_one_default_endpoint",
                violation_error_message=_("Another endpoint is the default already."),
            )
        ]

    def __str__(self) -> str:
        return self.name

    def save(self, *args: Any, **kwargs: Any) -> None:
        others = Endpoint.objects.filter(is_default=True).exclude(pk=self.pk)
        with transaction.atomic(using=router.db_for_write(Endpoint)):
            if self.is_default:
                others.update(is_default=False)
            elif not others.exists():
                # The first one is the default, whether its box was ticked or not.
                self.is_default = True
            super().save(*args, **kwargs)

    def clean(self) -> None:
        try:
            validate_base_url(self.base_url)
        except ValueError:
            # Its own validator says so.
            return
        with _said_at("endpoint_name"):
            validate_endpoint_name(self.endpoint_name or "-")
        with _said_at("ca_certificate"):
            MideyeClient(self.base_url, "", ca_pem=self.ca_certificate).check()

    def validate_constraints(self, exclude: Any = None) -> None:
        # Saving a new default takes the mark from the old one.
        super().validate_constraints({*(exclude or ()), "is_default"})

    @property
    def origin(self) -> str:
        """Scheme, host and port of the server; empty for what is no address."""
        try:
            return origin(self.base_url)
        except ValueError:
            return ""

    def lock(self) -> None:
        """Let whoever else wants to change the keys wait for this transaction."""
        # Evaluated for its lock only.
        list(Endpoint.objects.select_for_update().filter(pk=self.pk).values_list("pk"))

    def key(self, purpose: str = STEP_UP) -> ApiKey | None:
        """
        Return the key to call with, ``None`` where ``MAGICLINK_API_KEY`` is it.

        A ``test`` is of the one that is not in use yet, if there is one. Raise
        :exc:`~django_magiclink.exceptions.NoEndpoint` without a usable key.
        """
        if self._state.adding:
            return None
        keys = self.keys.filter(retired=None)
        if purpose == TEST:
            key = keys.order_by(F("activated").desc(nulls_first=True)).first()
        else:
            key = keys.filter(IN_USE).first()
        if key is None or not key.is_usable:
            raise NoEndpoint
        return key

    @sensitive_variables()
    def client(self, key: ApiKey | None = None) -> MideyeClient:
        """
        Return a client with ``key``, or with the one in use.

        Raise :exc:`~django_magiclink.exceptions.NoEndpoint` without a usable key, and
        :exc:`~django_magiclink.exceptions.DecryptionError` if it cannot be read.
        """
        key = key or self.key()
        if key is None:
            secret, authorities = (
                app_settings.API_KEY,
                {"ca_file": app_settings.CA_FILE},
            )
        else:
            secret, authorities = key.reveal(), {"ca_pem": self.ca_certificate}
        if not secret:
            raise NoEndpoint
        return MideyeClient(
            self.base_url, secret, endpoint_name=self.endpoint_name, **authorities
        )

    def texts(self, text: str, code: str, code_mode: str) -> Texts:
        """
        Return what the phone shows when it is asked to approve ``text``.

        What an administrator entered is looked up in the project's translations too. A
        code that is to be typed stands on the page after Accept as well: the app may
        show no other text.
        """
        title = _translated(self.title_text) or str(app_settings.SITE_NAME)
        coded = f"{_('Code:')} {code}" if code else ""
        shown = f"{text} {coded}".strip()
        accepted = _translated(self.accepted_text)
        return Texts(
            title=title,
            authentication=shown,
            sms=f"{title}: {shown}" if title else shown,
            accept_button=_translated(self.accept_button_text),
            reject_button=_translated(self.reject_button_text),
            accepted=f"{accepted} {coded}".strip() if code_mode == "type" else accepted,
            rejected=_translated(self.rejected_text),
        )


def _translated(text: str) -> str:
    # gettext("") is the header of the catalogue.
    return gettext(text) if text else ""
