"""The process that decides what pages wait for, as workers do elsewhere."""

import copy
import json
import random
import sys
import time
import uuid
from datetime import timedelta

import django

#: Seconds over which the answers come.
SPAN = 10


def main():
    """Make what is to be waited for, say where, and answer some of it when told to."""
    django.setup()

    from django_magiclink.models import Approval
    from django_magiclink.status import Status

    asked = json.loads(sys.stdin.readline())
    pks = [uuid.UUID(pk) for pk in asked["pks"]]
    if asked["more"]:
        pks, urls = _make(Approval, pks[0], asked["more"])
        print(json.dumps(urls), flush=True)
    sys.stdin.readline()
    chosen = random.sample(pks, asked["answers"])
    start, when = time.time(), sorted(random.random() for _ in chosen)
    answered = {}
    for pk, part in zip(chosen, when, strict=True):
        time.sleep(max(0, start + part * SPAN - time.time()))
        answered[pk.hex] = time.time()
        if not Approval.objects.advance(pk, Status.ACCEPTED):
            raise RuntimeError("An approval could not be answered.")
    print(json.dumps(answered), flush=True)


def _make(model, pk, count):
    """Return the ids of so many copies of ``pk``, and where their streams are."""
    from django.test import AsyncRequestFactory

    from django_magiclink.live import live_url

    first = model.objects.get(pk=pk)
    later = timedelta(minutes=10)
    first.live_slot, first.status = None, "sent"
    first.deadline, first.live_until = first.deadline + later, first.live_until + later
    copies = []
    for _ in range(count):
        copies.append(copy.copy(first))
        copies[-1].pk = uuid.uuid4()
    model.objects.bulk_create(copies, batch_size=500)
    request = AsyncRequestFactory().get("/")
    return [each.pk for each in copies], {
        each.pk.hex: live_url(request, each) for each in copies
    }


if __name__ == "__main__":
    main()
