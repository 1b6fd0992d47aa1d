"""A phone is asked for what is committed, and for nothing else."""

import pytest
from django.db import transaction

from django_magiclink.models import Approval

from ..test_lifecycle import ask

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.mark.covers("R44")
def test_a_request_is_dispatched_once_it_is_committed(user, endpoint):
    dispatched = []

    with transaction.atomic():
        approval, joined = ask(user, dispatched.append)
        assert dispatched == []

    assert dispatched == [approval.pk]
    assert not joined


@pytest.mark.covers("R44", "A45")
def test_a_request_that_is_rolled_back_rings_no_phone(user, endpoint):
    dispatched = []

    with pytest.raises(ZeroDivisionError), transaction.atomic():
        ask(user, dispatched.append)
        raise ZeroDivisionError

    assert dispatched == []
    assert not Approval.objects.exists()
