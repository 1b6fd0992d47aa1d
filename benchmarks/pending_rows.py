"""Approvals that are asked for, and that nobody has sent yet."""

import secrets
from datetime import timedelta

from django.contrib.auth import get_user_model
from django.db import connections
from django.utils import timezone

from django_magiclink.models import Approval, PhoneNumber
from django_magiclink.models.approval import START_WITHIN
from django_magiclink.phones import hash_number, mask

#: Seconds for which phones ring at most, so that none gives up meanwhile.
TIMEOUT = 300


def make_users(count):
    """Return new users with their phones."""
    model = get_user_model()
    users = model.objects.bulk_create(
        model(username=f"user{each}") for each in range(count)
    )
    now = timezone.now()
    phones = PhoneNumber.objects.bulk_create(
        PhoneNumber(user=user, number=f"+4670{each:07}", verified_at=now)
        for each, user in enumerate(users)
    )
    return list(zip(users, [phone.number for phone in phones], strict=True))


def ask(users):
    """Return the ids of new approvals, one for each of these users."""
    start_by = timezone.now() + timedelta(seconds=START_WITHIN)
    made = Approval.objects.bulk_create(
        Approval(
            user=user,
            user_name=user.username,
            endpoint_name="default",
            scope="benchmark",
            text="Confirm",
            timeout=TIMEOUT,
            masked_number=mask(number),
            number_hash=hash_number(number),
            live_slot=hash_number(number),
            session_hash="s" * 64,
            binding=secrets.token_hex(32),
            start_by=start_by,
            deadline=start_by,
            live_until=start_by,
        )
        for user, number in users
    )
    # So that those which are counted are the worker's.
    connections.close_all()
    return [approval.pk for approval in made]
