"""What a site for real users must not have: the system check says so."""

import pytest

from ..test_checks import IMMEDIATE, ids

# A deployment has its keys looked at.
pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def clean_project(settings):
    settings.ROOT_URLCONF = "tests.inventory.clean"


@pytest.mark.covers("R57", "A63")
def test_a_sandbox_in_production_is_an_error():
    assert ids(deploy=True) == ["E011"]


def test_no_sandbox_in_production_is_fine(settings):
    settings.MAGICLINK_SANDBOX = False

    assert ids(deploy=True) == []


@pytest.mark.covers("A52")
def test_a_dispatcher_that_blocks_is_an_error_in_production(settings):
    settings.MAGICLINK_DISPATCHER = IMMEDIATE

    assert ids() == ["E021"]
    settings.DEBUG = True
    assert ids() == []
