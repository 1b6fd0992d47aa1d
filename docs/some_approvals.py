"""Approvals of a month, as a small bank may have them, for pictures of the admin."""

import random
from datetime import timedelta

from django.contrib.auth import get_user_model
from django.utils import timezone

from django_magiclink.models import Approval, Endpoint
from django_magiclink.status import Status

NAMES = {"anna": 9, "bo": 7, "carla": 5, "david": 4, "eva": 3, "farid": 2, "greta": 1}
SCOPES = {"transfer": 5, "payroll": 3, "orders": 2, "cards": 2, "delete-account": 1}
OUTCOMES = {
    Status.CONSUMED: 50,
    Status.ACCEPTED: 26,
    Status.NO_ANSWER: 9,
    Status.REJECTED: 7,
    Status.UNDELIVERED: 2,
    Status.FAILED: 2,
    Status.CANCELLED: 2,
    Status.EXPIRED: 2,
}
ANSWERED = {Status.CONSUMED, Status.ACCEPTED, Status.REJECTED}


def make(count=2600, seed=5):
    """Add ``count`` of them, most by day and lately."""
    source, endpoint = random.Random(seed), Endpoint.objects.first()
    model = get_user_model()
    users = [model.objects.get_or_create(username=name)[0] for name in NAMES]
    made = (_approval(source, users, endpoint) for _ in range(count))
    Approval.objects.bulk_create(each for each in made if each.created < timezone.now())


def _approval(source, users, endpoint):
    def one_of(weights):
        return source.choices([*weights], [*weights.values()])[0]

    ago = abs(source.gauss(0, 8)) if source.random() < 0.7 else source.random()
    created = timezone.now() - timedelta(days=ago)
    if source.random() < 0.5:
        created = created.replace(hour=source.choice([8, 9, 10, 11, 13, 14, 15, 16]))
    status = one_of(OUTCOMES)
    took = timedelta(seconds=max(2, source.lognormvariate(2.3, 0.6)))
    ends = created + timedelta(seconds=70)
    user = source.choices(users, [*NAMES.values()])[0]
    return Approval(
        user=user,
        user_name=user.username,
        endpoint=endpoint,
        endpoint_name=endpoint.name,
        scope=one_of(SCOPES),
        text=f"Pay {source.randrange(10, 9000)} SEK to Nordic Timber AB",
        masked_number="+46*******05",
        status=status,
        created=created,
        sent=created,
        answered=created + took if status in ANSWERED else None,
        deadline=ends,
        live_until=ends,
    )
