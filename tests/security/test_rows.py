"""What a row says that is not as this release would write it, or whose user is gone."""

import pytest

from django_magiclink import approvals
from django_magiclink.models import Approval
from django_magiclink.status import Status

from ..test_lifecycle import accepted, ask, wanted

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.mark.covers("A53")
def test_a_state_of_another_release_grants_nothing(user):
    approval = accepted(user)
    Approval.objects.update(status="approved_v2")

    approval.refresh_from_db()

    assert approval.state == Status.FAILED
    assert approvals.find(wanted()) is None


@pytest.mark.covers("A62")
def test_deleting_a_user_leaves_an_event_without_personal_data(user, endpoint):
    approval, _ = ask(user, text="Pay Bo")
    Approval.objects.update(address="192.0.2.1", user_agent="Firefox")

    user.delete()

    approval.refresh_from_db()
    assert approval.user is None
    assert approval.scope == "payroll"
    assert [getattr(approval, name) for name in Approval.PERSONAL] == [""] * 5
