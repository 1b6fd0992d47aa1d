"""What is sent reaches the server as it is, and nowhere else."""

import re
from urllib.parse import unquote

import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from django_magiclink.client import MideyeClient, Texts
from django_magiclink.exceptions import NotSent

pytestmark = pytest.mark.covers("R42")

TEXT = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=60)
NUMBER = st.from_regex(r"\+[1-9][0-9]{7,14}", fullmatch=True)
often = settings(max_examples=200, deadline=None, database=None)


def ask(sandbox, number, texts=None, **options):
    """Return the one call that came of it."""
    sandbox.reset()
    sandbox.script("accept")
    client = MideyeClient(sandbox.url, sandbox.api_key, **options)
    client.authenticate(number, timeout=15, texts=texts or Texts())
    [call] = sandbox.calls
    return call


@often
@given(number=NUMBER, text=TEXT, button=TEXT)
@example(number="+46701740605", text="a&msisdn=%2B1#?", button="+ %00\r\n")
def test_numbers_and_texts_arrive_as_they_are(shared_sandbox, number, text, button):
    texts = Texts(authentication=text, accept_button=button)

    call = ask(shared_sandbox, number, texts)

    assert call.path == "/api/sfwa/auth"
    assert call.number == number
    assert call.params == {
        "msisdn": number,
        "touch-timeout": "15",
        "authentication-text": text,
        "button-accept-text": button,
    }


@pytest.mark.covers("A42")
@often
@given(name=TEXT)
@example(name="../../admin")
@example(name="a?msisdn=%2B1")
@example(name="a/b")
@example(name="%2e%2e")
@example(name="payments 2")
def test_an_endpoint_name_is_one_segment_or_is_refused(shared_sandbox, name):
    client = MideyeClient(shared_sandbox.url, "key", endpoint_name=name)
    try:
        client.check()
    except ValueError:
        shared_sandbox.reset()
        with pytest.raises(NotSent):
            client.authenticate("+46701740605", timeout=15)
        assert shared_sandbox.calls == []
    else:
        call = ask(shared_sandbox, "+46701740605", endpoint_name=name)
        before, _, segment = call.path.rpartition("/")
        assert before == "/api/sfwa/auth"
        assert unquote(segment) == name
        assert re.fullmatch(r"[\w.~%-]+", segment, re.ASCII)
        assert segment not in (".", "..")


@often
@given(number=st.one_of(TEXT, NUMBER.map(lambda number: f"{number} ")))
@example(number="46701740605")
@example(number="+46701740605\n")
@example(number="+٤٦٧٠١٧٤٠٦٠٥")
@example(number="+46701740605&msisdn=%2B1")
def test_what_is_no_number_is_never_sent(shared_sandbox, number):
    assume(not re.fullmatch(r"\+[1-9][0-9]{7,14}", number, re.ASCII))
    shared_sandbox.reset()
    client = MideyeClient(shared_sandbox.url, shared_sandbox.api_key)

    with pytest.raises(NotSent):
        client.authenticate(number, timeout=15)

    assert shared_sandbox.calls == []
