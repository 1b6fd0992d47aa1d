"""The life of an API key: taken, tried, put to use, retired, put back."""

from __future__ import annotations

import logging
from datetime import date
from functools import partial
from typing import Any

from django.core.exceptions import ImproperlyConfigured, ValidationError
from django.db import router, transaction
from django.utils.module_loading import import_string
from django.utils.translation import gettext as _
from django.views.decorators.debug import sensitive_variables

from .conf import app_settings
from .fields import Sealed
from .models import ApiKey, Endpoint
from .models.api_key import today
from .signals import key_changed

logger = logging.getLogger("django_magiclink")

#: What a key may be at most; Mideye's look like UUIDs.
LONGEST = 255


@sensitive_variables()
def validate(secret: str) -> None:
    """Raise a ``ValidationError`` unless ``secret`` can be an API key, and be kept."""
    plain = secret.isascii() and secret.isprintable() and " " not in secret
    if not (plain and 0 < len(secret) <= LONGEST):
        raise ValidationError(_("A key is plain characters without spaces."))
    try:
        Sealed.seal(secret, "")
    except ImproperlyConfigured as error:
        raise ValidationError(str(error)) from error


@sensitive_variables("secret")
def stage(
    endpoint: Endpoint, secret: str, *, name: str, expires_on: date | None, user: Any
) -> ApiKey:
    """Keep a new key beside the one in use, to be tried; an earlier such one goes."""
    with transaction.atomic(using=router.db_for_write(ApiKey)):
        endpoint.lock()
        for earlier in endpoint.keys.filter(activated=None):
            discard(earlier, user)
        key = ApiKey(endpoint=endpoint, name=name, expires_on=expires_on, made_by=user)
        key.seal(secret)
        tell(key, "entered", user)
    return key


def use(key: ApiKey, user: Any) -> None:
    """
    Put ``key`` to use; the one that was is kept for a way back.

    Raise :exc:`.ApiKey.DoesNotExist` if it has been deleted meanwhile.
    """
    back = key.retired is not None
    with transaction.atomic(using=router.db_for_write(ApiKey)):
        key.activate()
        tell(key, "put back" if back else "put to use", user)


def discard(key: ApiKey, user: Any) -> None:
    """Delete a key, and tell who did it."""
    key.deleted_by = user
    key.delete()


def previous(endpoint: Endpoint) -> ApiKey | None:
    """Return the key that was in use before, if it could be used again."""
    keys = endpoint.keys.exclude(activated=None).exclude(retired=None)
    last = keys.order_by("-retired").first()
    return last if last is not None and last.is_usable else None


def staged(endpoint: Endpoint) -> ApiKey | None:
    """Return the key that is only tried yet."""
    return endpoint.keys.filter(activated=None).first()


@sensitive_variables()
def issue(endpoint: Endpoint) -> tuple[str, date | None]:
    """
    Return a new secret of ``MAGICLINK_KEY_ISSUER`` and its expiry date.

    Raise a ``ValidationError`` if there is none to be had.
    """
    issuer = app_settings.KEY_ISSUER
    try:
        if isinstance(issuer, str):
            issuer = import_string(issuer)
        if issuer is None:
            raise ImproperlyConfigured("There is no MAGICLINK_KEY_ISSUER.")
        secret, expires_on = issuer(endpoint)
        validate(secret)
        if expires_on is not None and expires_on < today():
            raise ValueError("It has expired.")
    except Exception as error:
        # Only the type: the text may hold whatever the issuer was told.
        logger.error("No key was issued: %s", type(error).__name__)
        problem = _("No key could be made there. Make one by hand, and enter it.")
        raise ValidationError(problem) from None
    return secret, expires_on


def tell(key: ApiKey, action: str, user: Any) -> None:
    """Log and signal what was done to ``key``, once that is committed."""
    # The endpoint now, as it may be about to go with its keys.
    told = partial(_tell, key, key.endpoint, action, user)
    transaction.on_commit(told, using=router.db_for_write(ApiKey))


def _tell(key: ApiKey, endpoint: Endpoint, action: str, user: Any) -> None:
    logger.warning(
        "Key %s of endpoint %s was %s by user %s.",
        key.pk,
        endpoint.pk,
        action,
        getattr(user, "pk", None),
    )
    key_changed.send_robust(
        ApiKey, endpoint=endpoint, key=key, action=action, user=user
    )
