"""
What a project needs to test its guarded views, with or without pytest.

:class:`approving` and :class:`rejecting` answer for the phone, in any test::

    with approving("transfer") as questions:
        client.post("/transfer/", {"payee": "Boatyard", "amount": "250"})
    assert questions[0].text == "Pay 250.00 SEK to Boatyard"

:func:`sandboxed` runs a Mideye Server with phones that ring, for tests of the whole
way, and :func:`answer_phone` taps there in a browser that Playwright steers. pytest has
all of it as fixtures, from ``django_magiclink.pytest_plugin``.
"""

from .blocks import approving, rejecting
from .browser import answer_phone
from .mideye import Mideye, Phone, sandboxed
from .questions import Question

__all__ = [
    "Mideye",
    "Phone",
    "Question",
    "answer_phone",
    "approving",
    "rejecting",
    "sandboxed",
]
