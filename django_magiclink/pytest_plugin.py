"""
Fixtures of :mod:`django_magiclink.testing`; pytest finds them by itself.

``pytest -p no:magiclink`` leaves them out.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from .testing import Mideye, Question

# The kit is imported by the tests that use it: pytest loads this module also where
# Django is not set up, and before coverage is measured.


@pytest.fixture
def approve_all() -> Iterator[list[Question]]:
    """Let each guard pass as if its user had tapped Accept; the questions it asked."""
    from .testing import approving

    with approving() as questions:
        yield questions


@pytest.fixture
def reject_all() -> Iterator[list[Question]]:
    """Let each guard refuse as after a tap on Reject; the questions it asked."""
    from .testing import rejecting

    with rejecting() as questions:
        yield questions


@pytest.fixture
def mideye(transactional_db: None, settings: Any) -> Iterator[Mideye]:
    """A Mideye Server that the site asks, with phones for its users."""
    from .testing.mideye import running

    with running() as mideye:
        # By pytest-django's own fixture, which takes back what a test changes in one
        # order only.
        for name, value in mideye.settings.items():
            setattr(settings, name, value)
        yield mideye
