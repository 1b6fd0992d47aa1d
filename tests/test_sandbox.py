import base64
import gzip
import hashlib
import http.client
import io
import json
import os
import re
import signal
import socket
import struct
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import UTC, datetime, timedelta
from urllib.parse import quote, urlencode

import pytest
import requests
from django.core.management import CommandError, call_command

from django_magiclink.management.commands import magiclink_sandbox
from django_magiclink.sandbox import FAULTS, NoPrompt, Sandbox, faults, issuer, keys
from django_magiclink.sandbox.state import State

NUMBER = "+46701234567"
OTHER = "+46701234568"
#: These send or wait until the caller leaves; all other faults end by themselves.
ENDLESS = {"drip_body", "drip_headers", "endless", "stall"}


@pytest.fixture
def sandbox():
    with Sandbox() as sandbox:
        yield sandbox


@pytest.fixture
def hasty():
    with Sandbox(touch_timeout_scale=0.01) as sandbox:
        yield sandbox


@pytest.fixture
def pool():
    with ThreadPoolExecutor(200) as pool:
        yield pool


def connect(sandbox):
    host = sandbox.url.removeprefix("http://")
    return closing(http.client.HTTPConnection(host, timeout=30))


def fetch(sandbox, method, path, body=None, **headers):
    with connect(sandbox) as connection:
        connection.request(method, path, body, headers)
        response = connection.getresponse()
        return response, response.read().decode()


def ask(sandbox, number=NUMBER, *, path="/api/sfwa/auth", key=None, **params):
    named = {name.replace("_", "-"): value for name, value in params.items()}
    return query(sandbox, urlencode({"msisdn": number, **named}), path=path, key=key)


def query(sandbox, encoded, *, path="/api/sfwa/auth", key=None):
    headers = {"api-key": sandbox.api_key if key is None else key}
    response, body = fetch(sandbox, "GET", f"{path}?{encoded}", **headers)
    assert response.headers["Content-Type"] == "application/json"
    return response.status, json.loads(body)["code"]


def tap(sandbox, path, answer="accept", prompt="", **headers):
    form = urlencode({"answer": answer, "prompt": prompt})
    return fetch(sandbox, "POST", path, form, **headers or {"Origin": sandbox.url})


def send_only(sandbox, number=NUMBER):
    """Send a call and return its socket, on which nothing has been read."""
    caller = socket.create_connection(("127.0.0.1", int(sandbox.url.split(":")[2])))
    caller.settimeout(30)
    path = f"/api/sfwa/auth?msisdn={quote(number)}"
    caller.sendall(
        f"GET {path} HTTP/1.1\r\nHost: x\r\napi-key: {sandbox.api_key}\r\n"
        "Accept-Encoding: identity\r\n\r\n".encode()
    )
    return caller


def hang_up(caller):
    caller.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    caller.close()


def ringing(sandbox, count=1, number=None):
    deadline = time.monotonic() + 10
    while len(sandbox.prompts(number)) < count:
        assert time.monotonic() < deadline, "no phone rang"
        time.sleep(0.005)
    return sandbox.prompts(number)


_others = set()


@pytest.fixture(autouse=True)
def count_own_threads_only():
    # The other tests share a sandbox that may be running meanwhile.
    _others.clear()
    _others.update(threading.enumerate())


def threads_of_sandboxes():
    own = set(threading.enumerate()) - _others
    return [each for each in own if "sandbox" in each.name]


def connections_ended():
    for thread in threads_of_sandboxes():
        if thread.name.endswith("connection"):
            thread.join(10)
            assert not thread.is_alive()


# The API


@pytest.mark.parametrize(
    ("order", "answer"),
    [
        ("accept", (200, "TOUCH_ACCEPTED")),
        ("reject", (200, "TOUCH_REJECTED")),
        ("ignore", (200, "USER_NOT_RESPONDED")),
        ("manual", (200, "USER_NOT_RESPONDED")),
        ("undeliverable", (200, "FAILED_DELIVERY")),
        ("bad_request", (400, "BAD_REQUEST")),
    ],
)
def test_a_standing_order_decides_the_answer(hasty, order, answer):
    hasty.script(order)

    assert ask(hasty, touch_timeout=15) == answer
    assert [(call.status, call.code) for call in hasty.calls] == [answer]


@pytest.mark.parametrize(
    ("method", "code"), [("accept", "TOUCH_ACCEPTED"), ("reject", "TOUCH_REJECTED")]
)
def test_a_call_blocks_until_the_phone_is_tapped(sandbox, pool, method, code):
    waiting = pool.submit(ask, sandbox)
    (call,) = sandbox.wait_for_calls(1)
    assert (call.code, call.status, waiting.done()) == ("", 0, False)

    tapped = getattr(sandbox, method)()

    assert tapped.number == NUMBER
    assert waiting.result(10) == (200, code)
    assert [(call.code, call.status) for call in sandbox.calls] == [(code, 200)]


@pytest.mark.parametrize(
    ("params", "seconds"),
    [({}, 60), ({"touch_timeout": "15"}, 15), ({"touch_timeout": "300"}, 300)],
)
def test_a_prompt_rings_for_the_touch_timeout(sandbox, pool, params, seconds):
    before = datetime.now(UTC)
    pool.submit(ask, sandbox, **params)

    (prompt,) = ringing(sandbox)

    rest = prompt.rings_until - before - timedelta(seconds=seconds)
    assert timedelta() <= rest < timedelta(seconds=10)
    sandbox.accept()


def test_the_touch_timeout_can_be_scaled(hasty):
    started = time.monotonic()

    assert ask(hasty, touch_timeout=20) == (200, "USER_NOT_RESPONDED")

    assert 0.2 <= time.monotonic() - started < 10


@pytest.mark.parametrize(
    "encoded",
    [
        "",
        "&",
        "msisdn",
        "msisdn=",
        "msisdn=+46701234567",  # an unescaped plus is a space
        "msisdn=46701234567",
        "msisdn=0701234567",
        "msisdn=0046701234567",
        "msisdn=%2B4670123456%20",
        "msisdn=%2B46-701234567",
        "msisdn=%2B06701234567",
        "msisdn=%2B4670123",
        "msisdn=%2B4670123456789012",
        "msisdn=%2B4670123456%0A7",
        "msisdn=%2B46701234567%0A",
        "msisdn=%2B4670123456%D9%A7",
        "msisdn=%2B46701234567&msisdn=%2B46701234568",
        "msisdn=%2B46701234567&touch-timeout=14",
        "msisdn=%2B46701234567&touch-timeout=301",
        "msisdn=%2B46701234567&touch-timeout=-60",
        "msisdn=%2B46701234567&touch-timeout=60.0",
        "msisdn=%2B46701234567&touch-timeout=%2060",
        "msisdn=%2B46701234567&touch-timeout=%D9%A6%D9%A0",
        "msisdn=%2B46701234567&touch-timeout=",
        "msisdn=%2B46701234567&touch-timeout=60&touch-timeout=60",
        "msisdn=%2B46701234567&touch_timeout=60",
        "msisdn=%2B46701234567&SMS-text=x",
        "msisdn=%2B46701234567&code=TOUCH_ACCEPTED",
        "msisdn=%2B46701234567&title-text=%FF",
    ],
)
def test_wrong_parameters_are_refused_and_ring_nowhere(sandbox, encoded):
    sandbox.script("accept")

    assert query(sandbox, encoded) == (400, "BAD_REQUEST")
    assert sandbox.prompts() == []
    assert [call.code for call in sandbox.calls] == ["BAD_REQUEST"]


def test_a_call_keeps_what_was_sent(sandbox):
    sandbox.add_endpoint("payments")
    key = sandbox.issue_key("payments")
    sandbox.script("accept")

    path = "/api/sfwa/auth/payments"
    ask(sandbox, path=path, key=key, touch_timeout=15, title_text="å")
    ask(sandbox, path=path, number="070", key="wrong")

    first, second = sandbox.calls
    params = {"msisdn": NUMBER, "touch-timeout": "15", "title-text": "å"}
    assert (first.number, first.params) == (NUMBER, params)
    assert (first.endpoint, first.path, first.key_valid) == ("payments", path, True)
    assert first.headers["api-key"] == key
    assert key not in repr(first)
    assert (second.number, second.key_valid) == ("070", False)
    assert first.time <= second.time <= datetime.now(UTC)


def test_calls_are_a_copy(sandbox):
    sandbox.script("accept")
    ask(sandbox)

    sandbox.calls.clear()

    assert len(sandbox.calls) == 1


def test_waiting_for_calls_that_do_not_come_raises(sandbox):
    with pytest.raises(TimeoutError, match="0 of 1 calls"):
        sandbox.wait_for_calls(1, within=0.01)


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/api/sfwa/auth/", 404),
        ("GET", "/api/sfwa/auth/a/b", 404),
        ("GET", "/api/sfwa/authenticate", 404),
        ("GET", "/api/admin", 404),
        ("GET", "/api/sfwa/auth/%2e%2e", 400),
        ("GET", "/api/sfwa/auth/unknown", 400),
        ("POST", "/api/sfwa/auth", 405),
    ],
)
def test_other_addresses_and_methods_are_refused_and_noted(
    sandbox, method, path, status
):
    sandbox.script("accept")
    target = f"{path}?msisdn={quote(NUMBER)}"

    response, body = fetch(sandbox, method, target, **{"api-key": sandbox.api_key})

    assert (response.status, json.loads(body)) == (status, {"code": "BAD_REQUEST"})
    assert [(call.path, call.status) for call in sandbox.calls] == [(path, status)]


def test_the_statuses_that_are_not_documented_can_be_set(sandbox):
    sandbox.bad_request_status = 200
    sandbox.failed_delivery_status = 599
    sandbox.script("undeliverable")

    assert ask(sandbox, key="wrong") == (200, "BAD_REQUEST")
    assert ask(sandbox) == (599, "FAILED_DELIVERY")


def test_one_connection_serves_several_calls(sandbox):
    sandbox.script("accept")

    with requests.Session() as session:
        for _ in range(2):
            response = session.get(
                f"{sandbox.url}/api/sfwa/auth",
                params={"msisdn": NUMBER},
                headers={"api-key": sandbox.api_key},
            )
            assert response.json() == {"code": "TOUCH_ACCEPTED"}


def test_many_callers_wait_at_once(sandbox, pool):
    waiting = [pool.submit(ask, sandbox, f"+467000{n:05}") for n in range(200)]

    for prompt in ringing(sandbox, 200):
        sandbox.accept(prompt.number)

    answers = {each.result(30) for each in waiting}
    assert answers == {(200, "TOUCH_ACCEPTED")}
    assert sandbox.prompts() == []


# Endpoints and keys


def test_a_key_is_made_or_given():
    given = "11111111-1111-4111-8111-111111111111"

    assert Sandbox(api_key=given).api_key == given
    assert re.fullmatch(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", Sandbox().api_key)


def test_a_key_opens_its_own_endpoint_only(sandbox):
    sandbox.add_endpoint("a b/ö")
    sandbox.script("accept")
    key = sandbox.issue_key("a b/ö", name="shop")
    named = "/api/sfwa/auth/" + quote("a b/ö", safe="")

    assert ask(sandbox, path=named, key=key) == (200, "TOUCH_ACCEPTED")
    assert ask(sandbox, path=named) == (400, "BAD_REQUEST")
    assert ask(sandbox, key=key) == (400, "BAD_REQUEST")
    assert [call.key_valid for call in sandbox.calls] == [True, False, False]


def test_several_keys_are_valid_until_they_are_revoked(sandbox):
    sandbox.script("accept")
    second = sandbox.issue_key()
    assert ask(sandbox)[0] == ask(sandbox, key=second)[0] == 200

    sandbox.revoke_key(sandbox.api_key)

    assert ask(sandbox) == (400, "BAD_REQUEST")
    assert ask(sandbox, key=second) == (200, "TOUCH_ACCEPTED")


@pytest.mark.parametrize(("minutes", "status"), [(-1, 400), (5, 200)])
def test_a_key_ends_at_its_expiry(sandbox, minutes, status):
    sandbox.script("accept")
    key = sandbox.issue_key(expires=datetime.now(UTC) + timedelta(minutes=minutes))

    assert ask(sandbox, key=key)[0] == status


def test_a_missing_or_second_key_is_refused(sandbox):
    sandbox.script("accept")
    target = f"/api/sfwa/auth?msisdn={quote(NUMBER)}"

    missing, _ = fetch(sandbox, "GET", target)
    with connect(sandbox) as connection:
        connection.putrequest("GET", target)
        connection.putheader("api-key", sandbox.api_key)
        connection.putheader("API-Key", sandbox.api_key)
        connection.endheaders()
        repeated = connection.getresponse()

        assert (missing.status, repeated.status) == (400, 400)


def test_wrong_use_of_keys_and_endpoints_is_told():
    sandbox = Sandbox()

    with pytest.raises(LookupError):
        sandbox.issue_key("unknown")
    with pytest.raises(LookupError):
        sandbox.revoke_key("unknown")
    with pytest.raises(ValueError, match="time zone"):
        sandbox.issue_key(expires=datetime(2030, 1, 1))
    with pytest.raises(ValueError, match="255"):
        sandbox.add_endpoint("x" * 256)


def test_a_key_of_an_unknown_endpoint_is_not_made(sandbox):
    form = urlencode({"endpoint": "unknown", "name": "shop"})

    response, body = fetch(sandbox, "POST", issuer.PATH, form, Origin=sandbox.url)

    assert response.status == 404
    assert "add_endpoint()" in json.loads(body)["error"]


def test_the_rate_limit_counts_each_key_by_itself(sandbox, monkeypatch):
    sandbox.script("accept")
    second = sandbox.issue_key()
    sandbox.rate_limit = 2

    answers = [ask(sandbox)[0], ask(sandbox)[0], ask(sandbox)[0]]
    assert answers == [200, 200, 400]
    assert ask(sandbox, key=second)[0] == 200

    monkeypatch.setattr(keys, "monotonic", lambda: time.monotonic() + 60)
    assert ask(sandbox)[0] == 200


# Delivery, orders and taps


@pytest.mark.parametrize(
    ("endpoint", "phone", "channel"),
    [
        ({}, {}, "push"),
        ({}, {"app": False}, "sms"),
        ({}, {"reachable": False}, "sms"),
        ({}, {"sms": False}, "push"),
        ({}, {"app": False, "sms": False}, ""),
        ({}, {"reachable": False, "sms": False}, ""),
        ({"push": False}, {}, "sms"),
        ({"push": False}, {"sms": False}, ""),
        ({"links": False}, {}, "push"),
        ({"links": False}, {"app": False}, ""),
        ({"push": False, "links": False}, {}, ""),
    ],
)
def test_switch_prefers_a_push_and_falls_back_to_sms(
    sandbox, pool, endpoint, phone, channel
):
    sandbox.add_endpoint("", **endpoint)
    sandbox.set_phone(NUMBER, **phone)

    waiting = pool.submit(ask, sandbox)

    if channel:
        assert sandbox.accept().channel == channel
    code = "TOUCH_ACCEPTED" if channel else "FAILED_DELIVERY"
    assert waiting.result(10) == (200, code)


def test_a_prompt_has_the_texts_of_its_caller(sandbox, pool):
    sandbox.set_phone(NUMBER, app=False)
    texts = {
        "title_text": "Title",
        "authentication_text": "Text",
        "sms_text": "Message",
        "button_accept_text": "Yes",
        "button_reject_text": "No",
    }
    pool.submit(ask, sandbox, **texts)

    prompt = sandbox.accept()

    assert (prompt.title, prompt.text, prompt.sms_text) == ("Title", "Text", "Message")
    assert (prompt.button_accept, prompt.button_reject) == ("Yes", "No")
    assert prompt.link == f"{sandbox.url}/link/{prompt.id}"


@pytest.mark.parametrize(("app", "reject"), [(True, "Reject"), (False, "Decline")])
def test_a_prompt_has_words_of_its_own_otherwise(sandbox, pool, app, reject):
    sandbox.set_phone(NUMBER, app=app)
    pool.submit(ask, sandbox)

    prompt = sandbox.accept()

    assert (prompt.button_accept, prompt.button_reject) == ("Accept", reject)
    assert prompt.title and prompt.text and prompt.sms_text
    assert bool(prompt.link) is not app


def test_the_latest_order_holds(sandbox):
    sandbox.script("reject", NUMBER)
    sandbox.script("undeliverable", OTHER)
    assert ask(sandbox)[1] == "TOUCH_REJECTED"
    assert ask(sandbox, OTHER)[1] == "FAILED_DELIVERY"

    sandbox.script("accept")

    assert ask(sandbox)[1] == ask(sandbox, OTHER)[1] == "TOUCH_ACCEPTED"


def test_an_unknown_order_is_told(sandbox):
    with pytest.raises(ValueError, match="'agree' is none of"):
        sandbox.script("agree")


@pytest.mark.parametrize("order", ["accept", "undeliverable", "server_error"])
def test_an_order_is_carried_out_after_its_delay(sandbox, order):
    sandbox.script(order, delay=0.2)
    started = time.monotonic()

    with send_only(sandbox) as caller:
        assert caller.recv(1)

    assert time.monotonic() - started >= 0.2


def test_an_order_that_comes_too_late_changes_nothing(hasty):
    hasty.script("accept", delay=30)

    assert ask(hasty, touch_timeout=15) == (200, "USER_NOT_RESPONDED")


def test_a_tap_comes_before_a_delayed_order(sandbox, pool):
    sandbox.script("accept", delay=30)
    waiting = pool.submit(ask, sandbox)

    sandbox.reject()

    assert waiting.result(10) == (200, "TOUCH_REJECTED")


def test_a_tap_needs_a_phone_that_rings(sandbox, pool):
    with pytest.raises(NoPrompt):
        sandbox.accept(within=0)
    waiting = pool.submit(ask, sandbox)
    with pytest.raises(NoPrompt):
        sandbox.accept(OTHER, within=0.01)

    sandbox.accept(NUMBER)

    assert waiting.result(10) == (200, "TOUCH_ACCEPTED")
    with pytest.raises(NoPrompt):
        sandbox.reject(NUMBER, within=0)


def test_of_parallel_prompts_on_one_phone_the_newest_is_tapped(sandbox, pool):
    first = pool.submit(ask, sandbox, title_text="first")
    ringing(sandbox, 1)
    second = pool.submit(ask, sandbox, title_text="second")
    ringing(sandbox, 2)
    assert [prompt.title for prompt in sandbox.prompts()] == ["first", "second"]

    assert sandbox.accept().title == "second"
    assert second.result(10) == (200, "TOUCH_ACCEPTED")
    assert sandbox.reject().title == "first"
    assert first.result(10) == (200, "TOUCH_REJECTED")


def test_a_prompt_stays_on_the_phone_when_the_caller_hangs_up(sandbox, capsys):
    hang_up(send_only(sandbox))

    assert sandbox.accept(NUMBER).number == NUMBER

    connections_ended()
    assert [call.code for call in sandbox.calls] == ["TOUCH_ACCEPTED"]
    assert capsys.readouterr() == ("", "")


def test_a_reset_forgets_everything_but_endpoints_and_keys(sandbox, pool):
    sandbox.rate_limit = 1
    sandbox.bad_request_status = sandbox.failed_delivery_status = 500
    sandbox.set_phone(NUMBER, app=False, sms=False)
    sandbox.script("reject", NUMBER)
    waiting = pool.submit(ask, sandbox, OTHER)
    ringing(sandbox)

    sandbox.reset()

    assert waiting.result(10) == (200, "USER_NOT_RESPONDED")
    assert (sandbox.calls, sandbox.prompts()) == ([], [])
    assert ask(sandbox, key="wrong")[0] == 400
    waiting = pool.submit(ask, sandbox)
    assert sandbox.accept().channel == "push"
    assert waiting.result(10) == (200, "TOUCH_ACCEPTED")


# Starting and stopping


def test_a_stop_ends_every_connection_at_once(sandbox, pool):
    def lost():
        with pytest.raises(http.client.RemoteDisconnected):
            ask(sandbox)

    waiting = [pool.submit(lost) for _ in range(20)]
    ringing(sandbox, 20)
    with connect(sandbox) as idle:
        idle.request("GET", "/")
        idle.getresponse().read()
        started = time.monotonic()

        sandbox.stop()

        assert time.monotonic() - started < 5
    for each in waiting:
        each.result(10)
    assert threads_of_sandboxes() == []
    assert {call.code for call in sandbox.calls} == {""}
    with pytest.raises(ConnectionRefusedError):
        ask(sandbox)


def test_a_sandbox_comes_back_on_its_port_with_what_it_knew(sandbox):
    sandbox.script("accept")
    sandbox.start()  # which is no news
    url = sandbox.url
    sandbox.stop()
    sandbox.stop()

    sandbox.start()

    assert sandbox.url == url
    assert ask(sandbox) == (200, "TOUCH_ACCEPTED")


def test_a_call_that_arrives_during_the_stop_rings_nowhere(sandbox):
    sandbox.sessions.stop()

    with pytest.raises(http.client.RemoteDisconnected):
        ask(sandbox)
    assert sandbox.prompts() == []


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "", "192.0.2.1", "example.com"])
def test_only_loopback_is_listened_on(host):
    with pytest.raises(ValueError, match="loopback"):
        Sandbox(host=host)


def test_a_port_has_to_exist():
    with pytest.raises(ValueError, match="65535"):
        Sandbox(port=65536)
    with pytest.raises(RuntimeError, match="Start the sandbox"):
        _ = Sandbox().url


def test_a_taken_port_is_told(sandbox):
    port = int(sandbox.url.split(":")[2])

    with pytest.raises(OSError, match="in use"):
        Sandbox(port).start()


def test_a_bug_of_the_sandbox_is_not_silent(sandbox, monkeypatch, capsys):
    def break_down(*args):
        raise RuntimeError("broken")

    monkeypatch.setattr(State, "answer", break_down)

    with pytest.raises(http.client.RemoteDisconnected):
        ask(sandbox)
    assert "RuntimeError: broken" in capsys.readouterr().err


# Faults


def received(caller, limit=2**20):
    """Read until the server closes the connection, or ``limit`` is reached."""
    data = b""
    with caller:
        try:
            while len(data) < limit and (part := caller.recv(65536)):
                data += part
        except ConnectionResetError:
            pass
    return data


def refuse_duplicates(pairs):
    assert len(dict(pairs)) == len(pairs)
    return dict(pairs)


class Received:
    """Bytes that were received, as :class:`http.client.HTTPResponse` wants them."""

    def __init__(self, data):
        self.data = data

    def makefile(self, mode):
        return io.BytesIO(self.data)


def approves(data):
    """Tell whether the bytes are an approval to a client that reads strictly."""
    with closing(http.client.HTTPResponse(Received(data))) as response:
        try:
            response.begin()
            body = response.read()
            answer = json.loads(body, object_pairs_hook=refuse_duplicates)
        except (http.client.HTTPException, ValueError, AssertionError):
            return False
        return (
            response.status == 200
            and len(body) <= 64 * 1024
            and isinstance(answer, dict)
            and answer.get("code") == "TOUCH_ACCEPTED"
        )


def test_the_check_below_knows_an_approval(sandbox):
    sandbox.script("accept")
    caller = send_only(sandbox)
    caller.shutdown(socket.SHUT_WR)

    assert approves(received(caller))


@pytest.mark.parametrize("fault", sorted(set(FAULTS) - ENDLESS - {"bad_request"}))
def test_a_fault_ends_approves_nothing_and_leaves_the_phone_ringing(sandbox, fault):
    sandbox.script(fault)

    data = received(send_only(sandbox))

    assert not approves(data)
    (call,) = sandbox.calls
    assert (call.fault, call.code, call.status) == (fault, "", 0)
    assert sandbox.accept(within=0).number == NUMBER


@pytest.mark.parametrize("fault", sorted(ENDLESS))
@pytest.mark.parametrize("ended_by", ["stop", "caller"])
def test_an_endless_fault_ends_with_the_caller_or_the_sandbox(
    sandbox, pool, fault, ended_by
):
    sandbox.script(fault)
    caller = send_only(sandbox)
    ringing(sandbox)

    if ended_by == "stop":
        reader = pool.submit(received, caller)
        sandbox.stop()
        assert not approves(reader.result(10))
        assert threads_of_sandboxes() == []
    else:
        hang_up(caller)
        connections_ended()


@pytest.mark.parametrize(
    ("fault", "status", "body"),
    [
        ("accepted_202", 202, '{"code": "TOUCH_ACCEPTED"}'),
        ("accepted_403", 403, '{"code": "TOUCH_ACCEPTED"}'),
        ("accepted_500", 500, '{"code": "TOUCH_ACCEPTED"}'),
        ("code_list", 200, '{"code": ["TOUCH_ACCEPTED"]}'),
        ("duplicate_key", 200, '{"code":"TOUCH_REJECTED","code":"TOUCH_ACCEPTED"}'),
        ("empty", 200, ""),
        ("lower_case", 200, '{"code": "touch_accepted"}'),
        ("nested", 200, '{"result": {"code": "TOUCH_ACCEPTED"}}'),
        ("not_object", 200, '["TOUCH_ACCEPTED"]'),
        ("null_code", 200, '{"code": null}'),
        ("padded_code", 200, '{"code": " TOUCH_ACCEPTED "}'),
        ("two_objects", 200, '{"code": "TOUCH_ACCEPTED"}' * 2),
        ("unknown_code", 200, '{"code": "TOUCH_APPROVED_V2"}'),
    ],
)
def test_a_fault_in_json_says_what_its_name_says(sandbox, fault, status, body):
    sandbox.script(fault)
    target = f"/api/sfwa/auth?msisdn={quote(NUMBER)}"

    response, answer = fetch(sandbox, "GET", target, **{"api-key": sandbox.api_key})

    assert (response.status, answer) == (status, body)
    assert response.headers["Content-Type"] == "application/json"


@pytest.mark.parametrize(
    ("fault", "status"),
    [("garbage", 200), ("gateway_timeout", 504), ("server_error", 500)],
)
def test_a_fault_in_html_says_what_its_name_says(sandbox, fault, status):
    sandbox.script(fault)
    target = f"/api/sfwa/auth?msisdn={quote(NUMBER)}"

    response, body = fetch(sandbox, "GET", target, **{"api-key": sandbox.api_key})

    assert response.status == status
    assert response.headers["Content-Type"].startswith("text/html")
    assert "TOUCH_ACCEPTED" in body


def test_who_follows_the_redirect_finds_an_approval(sandbox):
    sandbox.script("redirect")
    options = {"params": {"msisdn": NUMBER}, "headers": {"api-key": sandbox.api_key}}

    with requests.get(f"{sandbox.url}/api/sfwa/auth", **options) as response:
        assert response.json() == {"code": "TOUCH_ACCEPTED"}

    first, second = sandbox.calls
    assert (first.fault, second.path) == ("redirect", faults.REDIRECTED)


def test_a_dropped_call_is_closed_and_a_reset_one_is_reset(sandbox):
    sandbox.script("drop")
    with send_only(sandbox) as caller:
        assert caller.recv(1) == b""

    sandbox.script("reset")
    with send_only(sandbox) as caller, pytest.raises(ConnectionResetError):
        caller.recv(1)


def test_a_body_of_the_wrong_length_is_a_whole_approval_so_far(sandbox):
    sandbox.script("bad_length")
    head, _, body = received(send_only(sandbox)).partition(b"\r\n\r\n")

    assert json.loads(body) == {"code": "TOUCH_ACCEPTED"}
    assert f"Content-Length: {len(body)}\r\n".encode() not in head


def test_a_large_body_approves_if_it_is_cut_at_the_limit(sandbox):
    sandbox.script("too_large")
    _, _, body = received(send_only(sandbox)).partition(b"\r\n\r\n")

    assert len(body) > 64 * 1024
    assert json.loads(body[: 64 * 1024]) == {"code": "TOUCH_ACCEPTED"}


@pytest.mark.parametrize(("fault", "least"), [("gzip", 20), ("gzip_bomb", 2**26)])
def test_a_compressed_body_approves_once_unpacked(sandbox, fault, least):
    sandbox.script(fault)
    head, _, body = received(send_only(sandbox)).partition(b"\r\n\r\n")

    assert b"\r\nContent-Encoding: gzip" in head
    unpacked = gzip.decompress(body)
    assert json.loads(unpacked) == {"code": "TOUCH_ACCEPTED"}
    assert len(unpacked) > least
    assert len(body) < 2**17


@pytest.mark.parametrize("fault", ["drip_body", "drip_headers"])
def test_a_drip_comes_byte_by_byte(sandbox, monkeypatch, fault):
    monkeypatch.setattr(faults, "_DRIP_SECONDS", 0.001)
    sandbox.script(fault)

    with send_only(sandbox) as caller:
        data = b""
        while not data.endswith(b" " * 10):
            data += caller.recv(1)

    assert (b'\r\n\r\n{"code": "TOUCH_ACCEPTED" ' in data) == (fault == "drip_body")
    assert (b"\r\nX-Drip:  " in data) == (fault == "drip_headers")


def test_an_endless_body_goes_on_past_every_limit(sandbox):
    sandbox.script("endless")

    data = received(send_only(sandbox))

    assert len(data) >= 2**20
    assert b"Transfer-Encoding: chunked\r\n" in data
    assert b"\r\n0\r\n" not in data


@pytest.mark.parametrize("fault", sorted(ENDLESS - {"stall"}))
def test_a_fault_that_begins_during_the_stop_ends_by_itself(fault):
    stopping = threading.Event()
    stopping.set()
    here, there = socket.socketpair()

    with here, there:
        faults.play(fault, here, stopping)


def test_a_stalled_call_takes_what_is_sent_until_its_caller_leaves():
    here, there = socket.socketpair()

    with here, there:
        there.sendall(b"more")
        there.shutdown(socket.SHUT_WR)
        faults.play("stall", here, threading.Event())

        there.setblocking(False)
        with pytest.raises(BlockingIOError):
            there.recv(1)


# The phone in the browser


def test_the_inbox_shows_a_push_and_takes_the_answer(sandbox, pool):
    waiting = pool.submit(
        ask,
        sandbox,
        title_text="<b>Pay</b> $1",
        authentication_text="To 'Acme' & co",
        button_accept_text="Ja",
        button_reject_text="Nej",
        touch_accept_text="<i>Paid</i>",
    )
    (prompt,) = ringing(sandbox)
    inbox = sandbox.phone_url(NUMBER).removeprefix(sandbox.url)
    assert inbox == f"/phone/{NUMBER}"

    response, page = fetch(sandbox, "GET", inbox)
    assert response.status == 200
    assert "&lt;b&gt;Pay&lt;/b&gt; $1" in page
    assert "To &#x27;Acme&#x27; &amp; co" in page
    accept = r'<button [^>]*name="answer" value="accept"[^>]*>Ja</button>'
    reject = r'<button [^>]*name="answer" value="reject"[^>]*>Nej</button>'
    assert re.search(accept, page) and re.search(reject, page)
    assert f'name="prompt" value="{prompt.id}"' in page
    assert "60 s left" in page or "59 s left" in page

    response, _ = tap(sandbox, inbox, "accept", prompt.id)

    assert (response.status, response.headers["Location"]) == (303, inbox)
    assert waiting.result(10) == (200, "TOUCH_ACCEPTED")
    _, page = fetch(sandbox, "GET", inbox)
    assert "Nothing is ringing" in page
    assert "Accepted" in page and "&lt;i&gt;Paid&lt;/i&gt;" in page
    assert "<button id=" not in page


def test_an_sms_leads_to_an_approval_page(sandbox, pool):
    sandbox.set_phone(NUMBER, app=False)
    waiting = pool.submit(ask, sandbox, sms_text="<Hej>", touch_reject_text="Stopped")
    (prompt,) = ringing(sandbox)
    link = prompt.link.removeprefix(sandbox.url)

    _, inbox = fetch(sandbox, "GET", f"/phone/{NUMBER}")
    assert "&lt;Hej&gt;" in inbox
    assert f'href="{link}">{prompt.link}</a>' in inbox
    assert 'name="answer"' not in inbox
    for _ in range(2):  # opening the link does not use it up
        response, page = fetch(sandbox, "GET", link)
        assert response.status == 200
        assert ">Accept</button>" in page and ">Decline</button>" in page

    response, _ = tap(sandbox, link, "reject")

    assert (response.status, response.headers["Location"]) == (303, link)
    assert waiting.result(10) == (200, "TOUCH_REJECTED")
    _, page = fetch(sandbox, "GET", link)
    assert "Declined" in page and "Stopped" in page and "<button" not in page
    _, inbox = fetch(sandbox, "GET", f"/phone/{NUMBER}")
    assert "Declined" in inbox and f'href="{link}">Link of this SMS' in inbox


@pytest.mark.parametrize("app", [True, False])
def test_a_second_tap_is_told_that_it_was_answered(sandbox, pool, app):
    sandbox.set_phone(NUMBER, app=app)
    waiting = pool.submit(ask, sandbox)
    prompt = sandbox.reject()
    path = prompt.link.removeprefix(sandbox.url) or f"/phone/{NUMBER}"

    response, page = tap(sandbox, path, "accept", prompt.id)

    assert (response.status, "Already answered" in page) == (409, True)
    assert waiting.result(10) == (200, "TOUCH_REJECTED")


@pytest.mark.parametrize("app", [True, False])
def test_a_tap_after_the_time_is_told_so(sandbox, pool, app):
    sandbox.set_phone(NUMBER, app=app)
    waiting = pool.submit(ask, sandbox)
    (prompt,) = ringing(sandbox)
    path = prompt.link.removeprefix(sandbox.url) or f"/phone/{NUMBER}"
    sandbox.sessions.end_all()
    assert waiting.result(10) == (200, "USER_NOT_RESPONDED")

    response, page = tap(sandbox, path, "accept", prompt.id)

    assert (response.status, "Too late" in page) == (410, True)
    _, page = fetch(sandbox, "GET", path)
    assert "Expired" in page and "<button id=" not in page


def test_a_tap_says_which_button(sandbox, pool):
    pool.submit(ask, sandbox)
    (prompt,) = ringing(sandbox)

    response, _ = tap(sandbox, f"/phone/{NUMBER}", "perhaps", prompt.id)

    assert response.status == 400
    assert sandbox.accept(within=0) == prompt


@pytest.mark.parametrize("app", [True, False])
def test_a_prompt_is_answered_where_it_arrived(sandbox, pool, app):
    sandbox.set_phone(NUMBER, app=app)
    pool.submit(ask, sandbox)
    (prompt,) = ringing(sandbox)
    elsewhere = f"/link/{prompt.id}" if app else f"/phone/{NUMBER}"

    for path in (elsewhere, f"/phone/{OTHER}"):
        response, _ = tap(sandbox, path, "accept", prompt.id)
        assert response.status == 404
    assert sandbox.reject(within=0) == prompt


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/nowhere"),
        ("GET", "/link/unknown"),
        ("GET", "/phone/070"),
        ("GET", f"/phone/{NUMBER}/setup"),
        ("POST", "/"),
        ("POST", "/link/unknown"),
        ("POST", f"/phone/{NUMBER}"),
        ("POST", "/phone/070/setup"),
    ],
)
def test_what_is_not_there_is_not_found(sandbox, method, path):
    origin = {"Origin": sandbox.url} if method == "POST" else {}

    response, page = fetch(sandbox, method, path, **origin)

    assert (response.status, "Not here" in page) == (404, True)
    assert sandbox.calls == []


def test_the_start_page_lists_the_phones_that_were_called(sandbox, pool):
    _, page = fetch(sandbox, "GET", "/")
    assert "None yet" in page
    pool.submit(ask, sandbox)
    ringing(sandbox)
    sandbox.script("accept")
    ask(sandbox, OTHER)

    _, page = fetch(sandbox, "GET", "/")

    rows = re.findall(r'href="/phone/(\+\d+)".*?<span[^>]*>(.*?)<', page, re.DOTALL)
    assert rows == [(NUMBER, "1 ringing"), (OTHER, "quiet")]
    sandbox.accept()


@pytest.mark.parametrize(
    "typed", [NUMBER, "+46 70-123 45 67", "0046 (70) 1234567", " +46701234567 "]
)
def test_a_typed_number_opens_its_phone(sandbox, typed):
    response, _ = fetch(sandbox, "GET", "/phone?" + urlencode({"number": typed}))

    assert (response.status, response.headers["Location"]) == (303, f"/phone/{NUMBER}")


@pytest.mark.parametrize("typed", ["", "070 123 45 67", '"><script>'])
def test_a_number_without_a_country_code_is_told(sandbox, typed):
    response, page = fetch(sandbox, "GET", "/phone?" + urlencode({"number": typed}))

    assert response.status == 400
    assert "Start with + and the country code." in page
    assert 'aria-invalid="true"' in page
    assert '"><script>' not in page


def test_a_phone_can_be_set_up_in_the_browser(sandbox, pool):
    form = urlencode({"reachable": "on", "sms": "on"})
    setup = f"/phone/{NUMBER}/setup"

    response, _ = fetch(sandbox, "POST", setup, form, Origin=sandbox.url)

    assert response.headers["Location"] == f"/phone/{NUMBER}"
    _, page = fetch(sandbox, "GET", f"/phone/{NUMBER}")
    assert re.findall(r'name="(\w+)" checked>', page) == ["reachable", "sms"]
    pool.submit(ask, sandbox)
    assert sandbox.accept().channel == "sms"


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 403),
        ({"Origin": "null"}, 403),
        ({"Origin": "http://127.0.0.1"}, 403),
        ({"Origin": "https://{host}"}, 403),
        ({"Origin": "http://evil.example"}, 403),
        ({"Sec-Fetch-Site": "cross-site"}, 403),
        ({"Sec-Fetch-Site": "same-site", "Origin": "http://{host}"}, 403),
        ({"Sec-Fetch-Site": "same-origin", "Host": "evil.example"}, 403),
        ({"Sec-Fetch-Site": "same-origin", "Host": "127.0.0.1.evil.example"}, 403),
        ({"Sec-Fetch-Site": "same-origin", "Host": "127.0.0.1@evil.example"}, 403),
        ({"Origin": "http://{host}"}, 303),
        ({"Sec-Fetch-Site": "none"}, 303),
        ({"Sec-Fetch-Site": "same-origin", "Origin": "null"}, 303),
        ({"Origin": "http://LOCALHOST:1", "Host": "LOCALHOST:1"}, 303),
        ({"Origin": "http://[::1]:1", "Host": "[::1]:1"}, 303),
    ],
)
def test_only_the_phones_own_pages_may_answer(sandbox, pool, headers, status):
    host = sandbox.url.removeprefix("http://")
    headers = {name: value.format(host=host) for name, value in headers.items()}
    pool.submit(ask, sandbox)
    (prompt,) = ringing(sandbox)
    form = urlencode({"answer": "accept", "prompt": prompt.id})

    response, _ = fetch(sandbox, "POST", f"/phone/{NUMBER}", form, **headers)

    assert response.status == status
    if status == 403:
        assert sandbox.reject(within=0) == prompt
    assert sandbox.prompts() == []


@pytest.mark.parametrize("path", ["/", f"/phone/{NUMBER}", "/link/x"])
def test_pages_are_not_shown_under_a_foreign_name(sandbox, path):
    response, page = fetch(sandbox, "GET", path, Host="rebound.example")

    assert (response.status, "Open this page as 127.0.0.1" in page) == (403, True)


@pytest.mark.parametrize(
    "headers",
    [{"Content-Length": "10001"}, {"Content-Length": "-1"}, {"Content-Length": "x"}],
)
def test_a_form_of_no_sensible_length_is_not_read(sandbox, headers):
    with connect(sandbox) as connection:
        connection.putrequest("POST", f"/phone/{NUMBER}")
        connection.putheader("Origin", sandbox.url)
        for name, value in headers.items():
            connection.putheader(name, value)
        connection.endheaders()
        response = connection.getresponse()
        response.read()

        assert response.status == 404
        assert connection.sock.recv(1) == b""


@pytest.mark.parametrize("path", ["/", f"/phone/{NUMBER}", "/nowhere"])
def test_a_page_loads_nothing_but_its_own_style_and_script(sandbox, path):
    response, page = fetch(sandbox, "GET", path)
    policy = response.headers["Content-Security-Policy"]

    assert policy.startswith("default-src 'none'; ")
    for tag in ("style", "script"):
        (source,) = re.findall(rf"<{tag}[^>]*>(.*?)</{tag}>", page, re.DOTALL)
        digest = base64.b64encode(hashlib.sha256(source.encode()).digest()).decode()
        assert f"{tag}-src 'sha256-{digest}'" in policy
    assert response.headers["X-Frame-Options"] == "DENY"
    assert response.headers["Cache-Control"] == "no-store"
    assert not re.search(r'(src|href)="(https?:)?//', page)


def test_the_inbox_renews_itself_without_a_script(sandbox):
    _, page = fetch(sandbox, "GET", f"/phone/{NUMBER}")

    assert '<noscript><meta http-equiv="refresh" content="2"></noscript>' in page


def test_nothing_is_logged(sandbox, capsys, caplog):
    caplog.set_level("DEBUG")
    sandbox.script("accept")
    ask(sandbox)
    fetch(sandbox, "PUT", f"/phone/{NUMBER}")

    assert capsys.readouterr() == ("", "")
    assert caplog.text == ""


# The command


@pytest.fixture
def interrupted(monkeypatch):
    """Let the command's wait make one call, then end as by a signal."""

    def interrupt(number, call):
        class Wait:
            def wait(self):
                call()
                signal.raise_signal(number)

        monkeypatch.setattr(magiclink_sandbox, "Event", Wait)

    return interrupt


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_command_runs_until_a_signal_ends_it(interrupted, number):
    output = io.StringIO()
    answers = []
    before = signal.getsignal(signal.SIGTERM)

    def call():
        url = re.search(r'SERVER_URL = "(.*)"', output.getvalue())[1]
        key = re.search(r'API_KEY = "(.*)"', output.getvalue())[1]
        headers = {"api-key": key}
        answers.append(requests.get(f"{url}/api/sfwa/auth", headers=headers).json())
        answers.append(requests.get(f"{url}/phone/{OTHER}").status_code)
        assert f"{url}/phone/{OTHER}\n" in output.getvalue()

    interrupted(number, call)

    call_command("magiclink_sandbox", port=0, phone=OTHER, stdout=output)

    assert answers == [{"code": "BAD_REQUEST"}, 200]
    assert "MAGICLINK_SANDBOX = True" in output.getvalue()
    assert output.getvalue().endswith("The sandbox has stopped.\n")
    assert threads_of_sandboxes() == []
    assert signal.getsignal(signal.SIGTERM) == before


def test_the_command_takes_a_key_that_stays_the_same(interrupted):
    output = io.StringIO()
    interrupted(signal.SIGINT, lambda: None)

    call_command("magiclink_sandbox", port=0, api_key="my-key", stdout=output)

    assert 'MAGICLINK_API_KEY = "my-key"' in output.getvalue()


def test_the_command_names_the_way_out_when_the_port_is_taken(sandbox):
    port = int(sandbox.url.split(":")[2])

    with pytest.raises(CommandError, match=rf"Port {port} is taken\. .*--port"):
        call_command("magiclink_sandbox", port=port)


def test_the_command_tells_what_else_is_wrong_with_a_port(monkeypatch):
    def forbidden(self):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Sandbox, "start", forbidden)

    with pytest.raises(CommandError, match=r"cannot be used \(Permission denied\)"):
        call_command("magiclink_sandbox", port=80)
    with pytest.raises(CommandError, match="0 to 65535"):
        call_command("magiclink_sandbox", port=70000)


@pytest.mark.parametrize(
    ("debug", "allowed", "runs"),
    [(False, False, False), (False, True, True), (True, False, True)],
)
def test_the_command_runs_in_development_only(
    settings, interrupted, debug, allowed, runs
):
    settings.DEBUG, settings.MAGICLINK_SANDBOX = debug, allowed
    output = io.StringIO()
    interrupted(signal.SIGINT, lambda: None)

    if runs:
        call_command("magiclink_sandbox", port=0, stdout=output)
    else:
        with pytest.raises(CommandError, match="MAGICLINK_SANDBOX = True"):
            call_command("magiclink_sandbox", port=0, stdout=output)
    assert bool(output.getvalue()) is runs


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_command_as_a_process_ends_cleanly(number):
    command = [sys.executable, "-W", "error", "-m", "django", "magiclink_sandbox"]
    environment = {**os.environ, "DJANGO_SETTINGS_MODULE": "tests.settings"}
    process = subprocess.Popen(
        [*command, "--port", "0"],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    with process:
        for line in process.stdout:
            if "MAGICLINK_API_KEY" in line:
                break
        process.send_signal(number)
        try:
            output, errors = process.communicate(timeout=20)
        finally:
            process.kill()

    assert (process.returncode, errors) == (0, "")
    assert output.endswith("The sandbox has stopped.\n")
