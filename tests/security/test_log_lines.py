"""What others write cannot add a line to the log, or colour it."""

import logging

import pytest
from django.contrib.auth import get_user_model

from django_magiclink.models import Approval, Endpoint

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.covers("R54", "A60"),
]

HOSTILE = "anna\r\nERROR Approval is accepted\x1b[2J\u202e"


@pytest.fixture
def lines(caplog):
    caplog.set_level(logging.DEBUG)
    return lambda: [
        record.getMessage()
        for record in caplog.records
        if record.name.startswith("django_magiclink")
    ]


def test_the_search_finds_a_line_that_was_added(lines):
    logging.getLogger("django_magiclink").info("User %s", HOSTILE)

    assert not lines()[0].isprintable()


def test_a_user_agent_and_a_name_leave_the_log_its_lines(
    browser, endpoint, sandbox, lines
):
    get_user_model().objects.update(username=HOSTILE)
    headers = {"User-Agent": HOSTILE, "X-Forwarded-For": HOSTILE}
    challenge = {"challenge": browser.get("/payroll/").json()["challenge"]}
    other = {"challenge": browser.get("/session/").json()["challenge"]}
    sandbox.script("manual")

    started = browser.post("/magiclink/start/", challenge, headers=headers)
    refused = browser.post("/magiclink/start/", other, headers=headers)
    sandbox.accept()
    browser.finish(started)

    assert refused.status_code == 429
    assert len(lines()) >= 3
    assert [line for line in lines() if not line.isprintable()] == []
    assert Approval.objects.get().status == "accepted"


def test_an_endpoints_name_leaves_the_log_its_lines(browser, endpoint, lines, settings):
    Endpoint.objects.update(name=HOSTILE)
    settings.MAGICLINK_FIELD_KEYS = []

    assert browser.get("/payroll/").json()["reason"] == "no_endpoint"

    assert "cannot be used" in lines()[0]
    assert [line for line in lines() if not line.isprintable()] == []
