"""What ends approvals from outside: logout, deactivation, another phone, …"""

from __future__ import annotations

import logging
from typing import Any

from django.apps import apps
from django.conf import settings
from django.contrib.auth import SESSION_KEY, get_user_model
from django.contrib.auth.signals import user_logged_in, user_logged_out
from django.contrib.sessions.backends.base import SessionBase
from django.db import DatabaseError
from django.db.models import Q
from django.db.models.signals import post_delete, post_save, pre_delete
from django.dispatch import receiver
from django.http import HttpRequest

from . import approvals, bypasses, keys
from .binding import has_nonce, renew_nonce, session_hash
from .conf import app_settings
from .models import ApiKey, Approval, Bypass, Endpoint, PhoneNumber
from .purposes import LOGIN
from .status import Status

logger = logging.getLogger("django_magiclink")


@receiver(user_logged_in)
def give_nonce(request: HttpRequest | None, user: Any, **kwargs: Any) -> None:
    """Start a login with a nonce of its own, unless the session was approved before."""
    session = _session(request)
    if request is None or session is None:
        return
    if has_nonce(session) and _is_approved(user, session):
        return
    # Django keeps the session of the same user. Somebody else may know its key, who had
    # the password and planted it here to have it approved.
    if request.COOKIES.get(settings.SESSION_COOKIE_NAME) == session.session_key:
        session.cycle_key()
    renew_nonce(session)


@receiver(user_logged_out)
def end_session(request: HttpRequest | None, user: Any, **kwargs: Any) -> None:
    """End what was approved in the session, and what is still on the phone."""
    # Django sends this before it flushes the session.
    session = _session(request)
    if session is None:
        return
    try:
        approvals.revoke(user, session_hash(session))
    except DatabaseError as error:
        # Nobody may be kept from logging out; without the nonce no grant counts.
        logger.error("Approvals were not ended: %s", type(error).__name__)


@receiver(post_save)
def end_deactivated(sender: type, instance: Any, raw: bool = False, **kw: Any) -> None:
    """End what a user was granted who is active no more, and what is still asked."""
    if raw or not isinstance(instance, get_user_model()):
        return
    # Only what was loaded: a save of something else must not cost a query more.
    if not instance.__dict__.get("is_active", True):
        approvals.revoke(instance.pk)
        bypasses.end(Bypass.objects.filter(Q(user=instance.pk) | Q(by=instance.pk)))


def end_deleted_user(instance: Any, **kwargs: Any) -> None:
    """End what a user was granted who is about to go, and what is still asked."""
    approvals.revoke(instance.pk)


# Each by name, with its proxies: a receiver for all models would make every deletion
# read its rows. By label, as a check says it where there is no such model.
for _model in apps.get_models():
    _real: Any = _model._meta.concrete_model
    if _real._meta.label_lower == settings.AUTH_USER_MODEL.lower():
        pre_delete.connect(end_deleted_user, sender=_model)


@receiver(post_save, sender=PhoneNumber)
def end_of_other_phone(
    instance: PhoneNumber, created: bool, update_fields: Any = None, **kwargs: Any
) -> None:
    """End what another number has approved."""
    if created and instance.verified_at is None:
        # No number counts, as before: the user has only proposed their first.
        return
    if update_fields is None or not {"number", "verified_at"}.isdisjoint(update_fields):
        approvals.revoke(instance.user_id)
        if instance.verified_at is not None:
            bypasses.end(Bypass.objects.filter(user=instance.user_id))


@receiver(post_delete, sender=PhoneNumber)
def end_of_phone(instance: PhoneNumber, **kwargs: Any) -> None:
    """End what a number has approved that is there no more."""
    approvals.revoke(instance.user_id)


@receiver(post_save, sender=Endpoint)
def end_disabled(instance: Endpoint, **kwargs: Any) -> None:
    """End what came by an endpoint that is not to be used any more."""
    if not instance.enabled:
        approvals.revoke_endpoint(instance)


@receiver(pre_delete, sender=Endpoint)
def end_deleted(instance: Endpoint, **kwargs: Any) -> None:
    """End what came by an endpoint that is about to go."""
    approvals.revoke_endpoint(instance)


@receiver(post_delete, sender=ApiKey)
def tell_of_deleted_key(instance: ApiKey, **kwargs: Any) -> None:
    """Tell of a key that is gone, also with its endpoint."""
    keys.tell(instance, "deleted", instance.deleted_by)


def _is_approved(user: Any, session: SessionBase) -> bool:
    # Where a login has two steps, one for something else is no sign of its owner.
    # Not by Rule.for_login, whose module cannot be imported where Django's own apps are
    # missing: a check is to say so.
    second_step = any(rule.get("scope") == LOGIN for rule in app_settings.RULES)
    purpose = {"purpose": LOGIN} if second_step else {}
    rows = Approval.objects.primary().filter(user=user.pk, status=Status.ACCEPTED)
    return rows.filter(session_hash=session_hash(session), **purpose).exists()


def _session(request: HttpRequest | None) -> SessionBase | None:
    """Return the session that is logged in; a login by token has none."""
    session = getattr(request, "session", None)
    return session if session is not None and SESSION_KEY in session else None
