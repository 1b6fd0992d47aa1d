"""
Of 10,000 replies over real HTTP, those and only those grant that are exact.

A seeded generator, not hypothesis: it must say how many exact replies it has made.
"""

import json
import os
import re
import socketserver
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from random import Random
from threading import Thread

import pytest

from django_magiclink import client
from django_magiclink.client import MideyeClient
from django_magiclink.exceptions import Unanswered
from django_magiclink.status import Status

pytestmark = [pytest.mark.slow, pytest.mark.covers("R01", "A07", "A08", "A09")]

SEED = int(os.environ.get("MAGICLINK_TEST_SEED", "1"))
REPLIES = 10_000
#: Of these the generator makes that many, whatever the seed.
EXACT = 1_000

GOOD = "TOUCH_ACCEPTED"
OTHER_CODES = [
    *("TOUCH_REJECTED", "USER_NOT_RESPONDED", "FAILED_DELIVERY", "BAD_REQUEST"),
    *("TOUCH_APPROVED_V2", "ACCEPTED", "OK", "200", "true", "null", "", " "),
]
ENVELOPES = [
    *("[%s]", '{"result": %s}', '{"code": %s}', '{"code": [%s]}', '"%s"', "%s%s"),
    *("<html>%s</html>", "<!-- -->%s", "%s<!-- -->", "%s,", "%s]", "callback(%s)"),
    *("%s\0", "\0%s", "\ufeff%s", "%s\ufeff", "\u00a0%s", "//\n%s", ")]}'\n%s"),
]
OTHER_VALUES = [
    *("null", "true", "false", "0", "1", "-1", "1e400", "9" * 4000, "9" * 5000),
    *("[]", "{}", '["TOUCH_ACCEPTED"]', '{"code": "TOUCH_ACCEPTED"}', "NaN"),
    *("TOUCH_ACCEPTED", "'TOUCH_ACCEPTED'", '"TOUCH_ACCEPTED', 'TOUCH_ACCEPTED"'),
]
MEMBERS = [
    *('"id": 7', '"x": [1.5, null, {"code": "TOUCH_REJECTED"}]', '"å": "ö"'),
    *('"Code": "TOUCH_REJECTED"', '"message": "\\"code\\""', '"": {}', '"y": -0.0'),
]
#: Members that make the whole reply broken, next to whatever stands there.
SPOILERS = [
    *('"code": "TOUCH_ACCEPTED"', '"code": null', '"\\u0063ode": "BAD_REQUEST"'),
    *('"x": NaN', '"x": Infinity', '"x": 01', '"x": {"a": 1, "a": 2}', "x: 1", '"x"'),
    *('"x": "\t"', "'x': 1", '"x": "\\q"', '"x": ' + "[" * 200 + "]" * 200),
]


def spaces(random):
    return "".join(random.choices(" \t\r\n", k=random.randrange(3)))


def strict(random, *members):
    members = [*members, *random.sample(MEMBERS, random.randrange(3))]
    random.shuffle(members)
    gap = spaces(random)
    inner = f"{gap},{gap}".join(members)
    return f"{spaces(random)}{{{gap}{inner}{gap}}}{spaces(random)}"


def member(random, code=GOOD):
    gap = spaces(random)
    return f'"code"{gap}:{gap}{json.dumps(code)}'


def exact(random):
    body = strict(random, member(random))
    if not random.randrange(4):
        spelt = random.choice(["\\u0054OUCH_ACCEPTED", "TOUCH\\u005fACCEPTED"])
        body = body.replace(GOOD, spelt)
    return 200, body.encode(), ""


def other_status(random):
    status = random.randrange(201, 600)
    return status, strict(random, member(random)).encode(), ""


def other_code(random):
    return 200, strict(random, member(random, random.choice(OTHER_CODES))).encode(), ""


def almost_the_code(random):
    place = random.randrange(len(GOOD) + 1)
    odd = random.choice(" \t\n\0_.-aZ0\u200b\u0301\u212a\uff34\ud800")
    almost = random.choice(
        [
            GOOD[:place] + odd + GOOD[place:],
            GOOD[:place] + GOOD[place + 1 :] + odd,
            GOOD[:place] + GOOD[place:].lower() + odd * (place == len(GOOD)),
            GOOD.replace("C", "\u0421"),
            GOOD * random.randrange(2, 4),
        ]
    )
    return 200, strict(random, member(random, almost)).encode(), ""


def other_value(random):
    body = strict(random, f'"code": {random.choice(OTHER_VALUES)}')
    return 200, body.encode(), ""


def other_key(random):
    name = random.choice(["Code", "CODE", "code ", "co de", "result", "status", "c"])
    return 200, strict(random, f'"{name}": "{GOOD}"').encode(), ""


def in_an_envelope(random):
    envelope = random.choice(ENVELOPES)
    body = strict(random, member(random))
    return 200, envelope.replace("%s", body).encode(), ""


def spoilt(random):
    members = [member(random), random.choice(SPOILERS)]
    if random.randrange(2):
        members.reverse()
    return 200, f"{{{', '.join(members)}}}".encode(), ""


def cut(random):
    body = strict(random, member(random)).strip().encode()
    return 200, body[: random.randrange(len(body))], ""


def noise(random):
    kinds = [
        random.randbytes(random.randrange(200)),
        json.dumps({"code": GOOD}).encode(random.choice(["utf-16", "utf-32"])),
        b"<!doctype html><title>TOUCH_ACCEPTED</title>" * random.randrange(1, 99),
        b'{"code": "TOUCH_ACCEPTED", "x": "\xff"}',
        b'{"code": "TOUCH_ACCEPTED"}' + b" " * random.randrange(65_511, 70_000),
        b"[" * random.randrange(1, 60_000),
    ]
    return 200, random.choice(kinds), ""


def encoded(random):
    field = random.choice(["gzip", "deflate", "identity", "br"])
    return 200, strict(random, member(random)).encode(), f"Content-Encoding: {field}"


WRONG = [
    *(other_status, other_code, almost_the_code, other_value, other_key),
    *(in_an_envelope, spoilt, cut, noise, encoded),
]


def generate(seed):
    """Return the replies, each as status, body, header and whether it is exact."""
    random = Random(seed)
    right = [(*exact(random), True) for _ in range(EXACT)]
    wrong = [
        (*WRONG[number % len(WRONG)](random), False)
        for number in range(REPLIES - EXACT)
    ]
    replies = right + wrong
    random.shuffle(replies)
    return replies


class Handler(socketserver.StreamRequestHandler):
    """Answers with the reply of which the request's endpoint name is the number."""

    disable_nagle_algorithm = True

    def handle(self):
        asked = re.search(rb"/auth/([0-9]+)\?", self.rfile.readline())
        while self.rfile.readline().strip():
            pass
        status, body, field, _ = self.server.replies[int(asked[1])]
        length = "" if status in (204, 304) else f"Content-Length: {len(body)}\r\n"
        field = f"{field}\r\n" if field else ""
        head = f"HTTP/1.1 {status} Such\r\n{length}{field}Connection: close\r\n\r\n"
        self.wfile.write(head.encode() + body)


class Server(socketserver.ThreadingTCPServer):
    request_queue_size = 128
    daemon_threads = True

    def handle_error(self, *args):
        """Say nothing of a client that had read enough."""


@pytest.fixture
def ask_all(settings):
    settings.MAGICLINK_SANDBOX = True
    with Server(("127.0.0.1", 0), Handler) as server:
        thread = Thread(target=server.serve_forever, args=[0.05])
        thread.start()
        url = f"http://127.0.0.1:{server.server_address[1]}"

        def ask(number):
            asking = MideyeClient(url, "key", endpoint_name=str(number))
            try:
                return asking.authenticate("+46701234567", timeout=15).status
            except Unanswered as error:
                return error.kind

        def ask_all(replies):
            server.replies = replies
            with ThreadPoolExecutor(4) as pool:
                return list(pool.map(ask, range(len(replies))))

        yield ask_all
        server.shutdown()
        thread.join()


def granted(verdicts):
    return {number for number, said in enumerate(verdicts) if said == Status.ACCEPTED}


def right(replies):
    return {number for number, reply in enumerate(replies) if reply[-1]}


def test_of_10000_replies_the_exact_ones_grant(ask_all):
    replies = generate(SEED)

    verdicts = ask_all(replies)

    assert len(replies) == REPLIES
    wrong = sorted(granted(verdicts) ^ right(replies))
    assert not wrong, (SEED, [replies[number] for number in wrong[:3]])
    assert Counter(verdicts)[Status.ACCEPTED] == EXACT
    # None was lost on its way: every reply was read, and judged.
    assert "timeout" not in verdicts
    assert len(set(verdicts)) > 5


def anywhere(body):
    return GOOD if GOOD.encode() in body else None


def last_of_two(body):
    found = json.loads(body.decode(errors="replace")) if b"{" in body else None
    code = found.get("code") if isinstance(found, dict) else None
    return code if isinstance(code, str) else None


def stripped(body):
    code = FIND_CODE(body)
    return code and code.strip()


def in_capitals(body):
    code = FIND_CODE(body)
    return code and code.upper()


FIND_CODE = client._find_code


@pytest.mark.parametrize(
    ("name", "defect"),
    [
        ("_find_code", anywhere),
        ("_find_code", last_of_two),
        ("_find_code", stripped),
        ("_find_code", in_capitals),
        ("_unique", dict),
    ],
)
def test_a_planted_defect_is_seen(ask_all, monkeypatch, name, defect):
    def lenient(given):
        try:
            return defect(given)
        except ValueError:
            return None

    monkeypatch.setattr(client, name, lenient)
    replies = generate(SEED)[:600]

    assert granted(ask_all(replies)) - right(replies)
