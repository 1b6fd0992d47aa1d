import copy
import json
import pickle
import traceback
from contextlib import nullcontext

import pytest
import requests
import responses
from django.views.debug import ExceptionReporter

from django_magiclink import client, transport
from django_magiclink.addresses import (
    origin,
    validate_base_url,
    validate_endpoint_name,
)
from django_magiclink.client import Answer, MideyeClient, Texts
from django_magiclink.exceptions import NotSent, Unanswered
from django_magiclink.status import Status

BASE = "https://mideye.example.com:8443"
NUMBER = "+46701234567"
KEY = "c3859cad-479a-4d65-9253-459ea4a12b34"


@pytest.fixture
def server():
    with responses.RequestsMock(assert_all_requests_are_fired=False) as mock:
        yield mock


def says(server, body, status=200, **options):
    server.get(f"{BASE}/api/sfwa/auth", body=body, status=status, **options)


def ask(number=NUMBER, *, url=BASE, key=KEY, timeout=60, **options):
    return MideyeClient(url, key, **options).authenticate(number, timeout=timeout)


def test_the_call_is_as_mideye_documents_it(server):
    says(server, '{"code": "TOUCH_REJECTED"}')

    MideyeClient(BASE, KEY).authenticate(
        NUMBER, timeout=90, texts=Texts(title="Bank", sms="Koden är 42")
    )

    request = server.calls[0].request
    assert request.method == "GET"
    assert request.headers["api-key"] == KEY
    assert "msisdn=%2B46701234567" in request.url
    assert request.params == {
        "msisdn": NUMBER,
        "touch-timeout": "90",
        "title-text": "Bank",
        "sms-text": "Koden är 42",
    }


@pytest.mark.covers("R01", "A39")
@pytest.mark.parametrize(
    ("code", "status", "error_kind"),
    [
        ("TOUCH_ACCEPTED", Status.ACCEPTED, ""),
        ("TOUCH_REJECTED", Status.REJECTED, ""),
        ("USER_NOT_RESPONDED", Status.NO_ANSWER, ""),
        ("FAILED_DELIVERY", Status.UNDELIVERED, ""),
        ("BAD_REQUEST", Status.FAILED, "refused"),
    ],
)
def test_documented_codes_have_a_meaning_of_their_own(server, code, status, error_kind):
    says(server, json.dumps({"code": code}))

    assert ask() == Answer(
        code=code,
        http_status=200,
        status=status,
        documented=True,
        error_kind=error_kind,
    )


@pytest.mark.covers("R01", "A08")
@pytest.mark.parametrize("http_status", [201, 202, 299, 301, 302, 403, 500, 504])
def test_accepted_counts_with_http_200_only(server, http_status):
    says(server, '{"code": "TOUCH_ACCEPTED"}', http_status)

    answer = ask()

    assert (answer.status, answer.error_kind) == (Status.FAILED, "http_status")
    assert (answer.http_status, answer.documented) == (http_status, True)


@pytest.mark.covers("A39")
@pytest.mark.parametrize(
    ("code", "status"),
    [
        ("TOUCH_REJECTED", Status.REJECTED),
        ("USER_NOT_RESPONDED", Status.NO_ANSWER),
        ("FAILED_DELIVERY", Status.UNDELIVERED),
        ("BAD_REQUEST", Status.FAILED),
    ],
)
@pytest.mark.parametrize("http_status", [200, 303, 400, 401, 404, 429, 500, 503])
def test_other_codes_are_read_at_any_http_status(server, code, status, http_status):
    says(server, json.dumps({"code": code}), http_status)

    answer = ask()

    assert (answer.status, answer.documented) == (status, True)


@pytest.mark.covers("R01", "A07", "A09")
@pytest.mark.parametrize(
    "code",
    [
        "",
        "touch_accepted",
        "TOUCH_ACCEPTED ",
        " TOUCH_ACCEPTED",
        "TOUCH_ACCEPTED\n",
        "TOUCH_ACCEPTED\0",
        "TOUCH\u200b_ACCEPTED",
        "TOUCH_ACCEPTE\u0044\u0301",
        "TOUCH_APPROVED_V2",
        "TOUCH_ACCEPTED,TOUCH_REJECTED",
        "ACCEPTED",
        "true",
        "null",
    ],
)
def test_a_code_that_is_not_listed_is_a_failure(server, code):
    says(server, json.dumps({"code": code}))

    answer = ask()

    assert (answer.status, answer.error_kind) == (Status.FAILED, "unknown_code")
    assert not answer.documented


@pytest.mark.covers("A09")
@pytest.mark.parametrize(
    ("sent", "kept"),
    [
        ("NEW\r\nFAKE LOG LINE", "NEWFAKE LOG LINE"),
        ("A\x1b[31m\x9b\x7f\0B", "A[31mB"),
        ("A\u202e\u2028\ud800B", "AB"),
        ("X" * 5000, "X" * 64),
        ("\n" * 100 + "Y" * 100, "Y" * 64),
        ("ÅÄÖ", "ÅÄÖ"),
    ],
)
def test_the_code_is_kept_printable_and_short(server, sent, kept):
    says(server, json.dumps({"code": sent}))

    assert ask().code == kept


@pytest.mark.covers("R01", "A07")
@pytest.mark.parametrize(
    "body",
    [
        "",
        " ",
        "TOUCH_ACCEPTED",
        '"TOUCH_ACCEPTED"',
        "null",
        "true",
        "200",
        "[]",
        "{}",
        '["TOUCH_ACCEPTED"]',
        '[{"code": "TOUCH_ACCEPTED"}]',
        '{"code": ["TOUCH_ACCEPTED"]}',
        '{"code": {"a": 1}}',
        '{"code": {"code": "TOUCH_ACCEPTED"}}',
        '{"code": null}',
        '{"code": true}',
        '{"code": 1}',
        '{"code": ' + "9" * 5000 + "}",
        '{"Code": "TOUCH_ACCEPTED"}',
        '{"result": {"code": "TOUCH_ACCEPTED"}}',
        '{"code": "BAD_REQUEST", "code": "TOUCH_ACCEPTED"}',
        '{"code": "TOUCH_ACCEPTED", "code": "TOUCH_ACCEPTED"}',
        '{"code": "TOUCH_ACCEPTED", "\\u0063ode": "BAD_REQUEST"}',
        '{"code": "TOUCH_ACCEPTED", "x": {"a": 1, "a": 2}}',
        '{"code": "TOUCH_ACCEPTED", "x": NaN}',
        '{"code": "TOUCH_ACCEPTED", "x": -Infinity}',
        '{"code": "TOUCH_ACCEPTED",}',
        '{"code": "TOUCH_ACCEPTED"',
        '{"code": "TOUCH_ACCEPTED"} x',
        '{"code": "TOUCH_ACCEPTED"}{"code": "TOUCH_ACCEPTED"}',
        "{'code': 'TOUCH_ACCEPTED'}",
        '{"code": "TOUCH_\nACCEPTED"}',
        '\ufeff{"code": "TOUCH_ACCEPTED"}',
        '<html>{"code": "TOUCH_ACCEPTED"}</html>',
        b'{"code": "TOUCH_ACCEPTED", "x": "\xff"}',
        '{"code": "TOUCH_ACCEPTED"}'.encode("utf-16"),
        "[" * 60_000,
        '{"code": "TOUCH_ACCEPTED", "x": ' + "[" * 30_000 + "]" * 30_000 + "}",
        '{"x":' * 10_000 + '"TOUCH_ACCEPTED"' + "}" * 10_000,
    ],
)
def test_a_body_that_is_not_the_strict_json_is_garbage(server, body):
    says(server, body)

    with pytest.raises(Unanswered) as caught:
        ask()

    assert caught.value.kind == "garbage"


@pytest.mark.parametrize(
    "body",
    [
        '{"code":"TOUCH_ACCEPTED"}',
        '\r\n {\t"code" : "TOUCH_ACCEPTED" } \n',
        '{"code": "TOUCH\\u005fACCEPTED"}',
        '{"code": "TOUCH_ACCEPTED", "new": [{"list": [1.5, null]}], "å": "ö"}',
        '{"code": "TOUCH_ACCEPTED"}' + " " * (64 * 1024 - 26),
    ],
)
def test_strict_json_may_be_spelt_and_extended_freely(server, body):
    says(server, body)

    assert ask().status == Status.ACCEPTED


@pytest.mark.covers("R40", "A32")
@pytest.mark.parametrize(
    "body", ["", "<html>moved</html>", '{"code": 1}', " " * 70_000]
)
@pytest.mark.parametrize("http_status", [300, 301, 302, 303, 307, 308, 399])
def test_a_redirect_without_an_answer_is_called_one(server, body, http_status):
    says(server, body, http_status, headers={"Location": f"{BASE}/login"})

    with pytest.raises(Unanswered) as caught:
        ask()

    assert caught.value.kind == "redirect"
    assert len(server.calls) == 1


@pytest.mark.covers("R39", "A35")
def test_a_body_over_64_kib_is_too_large_even_if_it_is_json(server):
    says(server, '{"code": "TOUCH_ACCEPTED"}' + " " * (64 * 1024 - 25))

    with pytest.raises(Unanswered) as caught:
        ask()

    assert caught.value.kind == "too_large"


@pytest.mark.covers("R39", "A35")
@pytest.mark.parametrize("encoding", ["gzip", "identity", "x-new"])
def test_an_encoded_body_is_refused(server, encoding):
    says(server, '{"code": "TOUCH_ACCEPTED"}', headers={"Content-Encoding": encoding})

    with pytest.raises(Unanswered) as caught:
        ask()

    assert caught.value.kind == "garbage"


@pytest.mark.covers("R03", "R38")
def test_an_answer_after_the_deadline_is_not_looked_at(server, monkeypatch):
    says(server, '{"code": "TOUCH_ACCEPTED"}')
    monkeypatch.setattr(client, "monotonic", lambda: transport.monotonic() + 70.1)

    with pytest.raises(Unanswered) as caught:
        ask(timeout=60)

    assert caught.value.kind == "timeout"


def test_an_answer_before_the_deadline_counts(server, monkeypatch):
    says(server, '{"code": "TOUCH_ACCEPTED"}')
    monkeypatch.setattr(client, "monotonic", lambda: transport.monotonic() + 69)

    assert ask(timeout=60).status == Status.ACCEPTED


@pytest.mark.covers("R38")
@pytest.mark.parametrize("timeout", [15, 16, 300])
def test_timeouts_from_15_to_300_seconds_are_sent(server, timeout):
    says(server, '{"code": "TOUCH_REJECTED"}')

    assert ask(timeout=timeout).status == Status.REJECTED


@pytest.mark.covers("A40")
@pytest.mark.parametrize(
    "timeout", [14, 301, 0, -1, True, False, 60.0, "60", "abc", None, float("nan")]
)
def test_other_timeouts_are_never_sent(server, timeout):
    with pytest.raises(NotSent) as caught:
        ask(timeout=timeout)

    assert caught.value.kind == "invalid"
    assert not server.calls


@pytest.mark.covers("R42")
@pytest.mark.parametrize(
    "number",
    [
        "",
        "+",
        "0701234567",
        "46701234567",
        "+0701234567",
        "+4670123",
        "+4670123456789012",
        "+46 701234567",
        "+46701234567\n",
        "\n+46701234567",
        "+46701234567&touch-timeout=300",
        "%2B46701234567",
        "+4670123456\u0667",
        "+４６７０１２３４５６７",
        "tel:+46701234567",
        b"+46701234567",
        46701234567,
        None,
    ],
)
def test_only_a_number_in_ascii_e164_is_sent(server, number):
    with pytest.raises(NotSent) as caught:
        ask(number)

    assert caught.value.kind == "invalid"
    assert not server.calls


@pytest.mark.covers("R42")
@pytest.mark.parametrize(
    "key", ["", " ", "key\r\nX-Evil: 1", "key\n", "two words", "nyckel-å", None]
)
def test_a_key_that_no_header_can_carry_is_never_sent(server, key):
    with pytest.raises(NotSent) as caught:
        ask(key=key)

    assert caught.value.kind == "invalid"
    assert not server.calls


REFUSED_URLS = [
    "",
    "mideye.example.com",
    "//mideye.example.com",
    "http://mideye.example.com",
    "http://192.0.2.1",
    "http://10.0.0.1:8443",
    "http://127.0.0.1.example.com",
    "http://localhost.example.com",
    "http://[::2]",
    "ftp://mideye.example.com",
    "file:///etc/passwd",
    "javascript:alert(1)",
    "https://",
    "https:///path",
    "https://:8443",
    "https://user@mideye.example.com",
    "https://user:pw@mideye.example.com",
    "https://@mideye.example.com",
    "https://good.example.com@evil.example.com",
    "https://good.example.com\\@evil.example.com",
    "https://mideye.example.com?x",
    "https://mideye.example.com/?x",
    "https://mideye.example.com/#x",
    "https://mideye.example.com#",
    "https://mideye.example.com:0",
    "https://mideye.example.com:65536",
    "https://mideye.example.com:port",
    "https://mideye.example.com:-1",
    "https://mideye.example.com:８４４３",
    "https://mideye.example.com/a/../b",
    "https://mideye.example.com/./a",
    "https://mideye.example.com/%2e%2e",
    "https://mideye.example.com/a;b",
    "https://mideye.example.com//a",
    "https://mideye..example.com",
    "https://mideye.example.com.",
    "https://.example.com",
    "https://mid eye.example.com",
    "https://mideye.example.com\n",
    "https://mideye.example.com\t/x",
    " https://mideye.example.com",
    "https://mideye.exämple.com",
    "https://[::1",
    "https://[::g]",
    "https://[1.2.3.4]",
    "https://[::1]x",
    "https://[fe80::1%25eth0]",
    "http://169.254.169.254",
    "https://169.254.169.254",
    "https://169.254.169.254:8443/latest",
    "https://[::ffff:169.254.169.254]",
    "http://[::ffff:127.0.0.1]",
    "https://[fe80::1]",
    "https://[fd00:ec2::254]",
    "https://0.0.0.0",
    "https://[::]",
    "https://224.0.0.1",
    "https://2852039166",
    "https://0xa9fea9fe",
    "https://0xa9.0xfe.0xa9.0xfe",
    "https://169.254.43518",
    "https://127.1",
    "https://0251.0376.0251.0376",
]


@pytest.mark.covers("R37", "A41")
@pytest.mark.parametrize("url", REFUSED_URLS)
def test_an_address_that_is_no_place_for_a_key_is_refused(server, settings, url):
    settings.MAGICLINK_SANDBOX = True

    with pytest.raises(ValueError) as caught:
        validate_base_url(url)
    with pytest.raises(NotSent) as at_call_time:
        ask(url=url)

    assert len(str(caught.value)) > 30
    assert len(url) < 9 or url not in str(caught.value)
    assert caught.value.__context__ is None
    assert at_call_time.value.kind == "invalid"
    assert not server.calls


@pytest.mark.covers("R37", "A41")
@pytest.mark.parametrize(
    ("allowed", "passes"),
    [
        ([], True),
        (["mideye.example.com"], True),
        ([".example.com"], True),
        (["10.0.0.1", "Mideye.Example.Com"], True),
        (["example.com"], False),
        (["mideye.example.com.evil.example"], False),
        ([""], False),
    ],
)
def test_a_site_may_name_its_servers(settings, allowed, passes):
    settings.MAGICLINK_ALLOWED_SERVERS = allowed

    with nullcontext() if passes else pytest.raises(ValueError, match="ALLOWED_SERV"):
        validate_base_url("https://mideye.example.com:8443/a")


@pytest.mark.covers("R37", "A41")
def test_no_other_server_than_those_named_gets_a_request(server, settings):
    settings.MAGICLINK_ALLOWED_SERVERS = ["mideye.example.org"]

    with pytest.raises(NotSent) as refused:
        ask()

    assert refused.value.kind == "invalid"
    assert not server.calls


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("https://mideye.example.com", "https://mideye.example.com:443"),
        ("https://mideye.example.com:8443/", "https://mideye.example.com:8443"),
        ("HTTPS://Mideye.Example.COM:08443/x", "https://mideye.example.com:8443"),
        ("https://mideye.example.com/a/b-c_d.e~f/", "https://mideye.example.com:443"),
        ("https://xn--midye-kva.example", "https://xn--midye-kva.example:443"),
        ("https://mideye_1", "https://mideye_1:443"),
        ("https://10.0.0.1:8443", "https://10.0.0.1:8443"),
        ("https://127.0.0.1:8443", "https://127.0.0.1:8443"),
        ("https://[2001:DB8:0::1]:8443", "https://[2001:db8::1]:8443"),
        ("http://localhost:8000", "http://localhost:8000"),
        ("http://LOCALHOST", "http://localhost:80"),
        ("http://127.8.9.10:1", "http://127.8.9.10:1"),
        ("http://[::1]:8000", "http://[::1]:8000"),
        ("http://[0:0::0:1]", "http://[::1]:80"),
    ],
)
def test_a_good_address_has_one_spelling_of_its_origin(settings, url, expected):
    settings.MAGICLINK_SANDBOX = True

    validate_base_url(url)

    assert origin(url) == expected


@pytest.mark.covers("R37", "R57", "A63")
@pytest.mark.parametrize(
    "url", ["http://localhost:8000", "http://127.0.0.1:8000", "http://[::1]:8000"]
)
def test_loopback_without_tls_is_for_the_sandbox_only(server, settings, url):
    settings.MAGICLINK_SANDBOX = False

    with pytest.raises(ValueError, match="https"):
        validate_base_url(url)
    with pytest.raises(NotSent):
        ask(url=url)

    assert not server.calls


def test_there_is_no_origin_of_something_else():
    with pytest.raises(ValueError, match="https://host:port"):
        origin("mideye.example.com")


REFUSED_NAMES = [
    ".",
    "..",
    "../../admin",
    "a/b",
    "/",
    "a\\b",
    "a?msisdn=%2B1",
    "a#b",
    "%2e%2e",
    "a%",
    "a\nb",
    "a\0",
    "\x7f",
    "a\x85b",
    "x" * 256,
]


@pytest.mark.covers("R42", "A42")
@pytest.mark.parametrize("name", REFUSED_NAMES)
def test_an_endpoint_name_that_leaves_its_segment_is_refused(server, name):
    with pytest.raises(ValueError, match="255"):
        validate_endpoint_name(name)
    with pytest.raises(NotSent) as caught:
        ask(endpoint_name=name)

    assert caught.value.kind == "invalid"
    assert not server.calls


def test_an_endpoint_name_is_not_empty():
    with pytest.raises(ValueError, match="255"):
        validate_endpoint_name("")


@pytest.mark.covers("R42", "A42")
@pytest.mark.parametrize(
    ("name", "path"),
    [
        ("payments", "payments"),
        ("Stora kassan", "Stora%20kassan"),
        ("å&b=c+d;e", "%C3%A5%26b%3Dc%2Bd%3Be"),
        ("...", "..."),
        ("..x", "..x"),
        ("x" * 255, "x" * 255),
    ],
)
def test_an_endpoint_name_is_quoted_into_one_segment(server, name, path):
    server.get(f"{BASE}/mideye/api/sfwa/auth/{path}", body='{"code": "TOUCH_REJECTED"}')

    answer = ask(url=f"{BASE}/mideye/", endpoint_name=name)

    assert answer.status == Status.REJECTED
    asked = server.calls[0].request.path_url.partition("?")[0]
    assert asked == f"/mideye/api/sfwa/auth/{path}"


@pytest.mark.covers("R37")
@pytest.mark.parametrize(
    "pem",
    [
        "certificate",
        "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
        "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n",
        "certifikat på papper",
        " ",
    ],
)
def test_certificates_that_cannot_be_read_stop_the_call(server, tmp_path, pem):
    path = tmp_path / "ca.pem"
    path.write_text(pem)

    for options in ({"ca_pem": pem}, {"ca_file": str(path)}):
        with pytest.raises(ValueError, match="PEM") as caught:
            MideyeClient(BASE, "", **options).check()
        with pytest.raises(NotSent) as at_call_time:
            ask(**options)

        assert caught.value.__context__ is None
        assert at_call_time.value.kind == "invalid"
    assert not server.calls


@pytest.mark.parametrize("kind", ["missing", "directory"])
def test_a_ca_file_that_is_none_stops_the_call(server, tmp_path, kind):
    path = tmp_path if kind == "directory" else tmp_path / "missing.pem"

    with pytest.raises(NotSent) as caught:
        ask(ca_file=str(path))

    assert caught.value.kind == "invalid"
    assert not server.calls


@pytest.mark.parametrize(
    "options", [{"base_url": "http://example.com"}, {"endpoint_name": "a/b"}]
)
def test_check_says_what_to_mend(options):
    with pytest.raises(ValueError, match="Use"):
        MideyeClient(**{"base_url": BASE, "api_key": "", **options}).check()


def test_check_is_content_without_a_key_and_sends_nothing(server):
    MideyeClient(BASE, "", endpoint_name="payments").check()

    assert not server.calls


def test_texts_that_cannot_be_encoded_stop_the_call(server):
    with pytest.raises(NotSent) as caught:
        MideyeClient(BASE, KEY).authenticate(
            NUMBER, timeout=60, texts=Texts(title="\ud800")
        )

    assert caught.value.kind == "invalid"


@pytest.mark.covers("R32")
def test_the_client_shows_neither_key_nor_address():
    shown = repr(MideyeClient(f"https://u:{KEY}@example.com", KEY))

    assert KEY not in shown
    assert "example.com" not in shown


@pytest.mark.parametrize("keep", [pickle.dumps, copy.copy, copy.deepcopy])
def test_a_client_cannot_be_kept(keep):
    with pytest.raises(TypeError, match="holds a key"):
        keep(MideyeClient(BASE, KEY))


def test_a_client_cannot_be_changed():
    with pytest.raises(AttributeError):
        MideyeClient(BASE, KEY).base_url = "https://evil.example.com"


@pytest.mark.covers("R32", "R43")
@pytest.mark.parametrize(
    "error",
    [requests.ReadTimeout(NUMBER), requests.ConnectionError(KEY), KeyError(NUMBER)],
)
def test_an_error_that_quotes_the_request_leaves_no_trace(server, error):
    says(server, error)

    with pytest.raises(NotSent) as caught:
        ask()

    assert_no_trace(caught.value)


@pytest.mark.covers("R36")
def test_even_an_interrupt_shows_no_number_and_no_key(monkeypatch, settings):
    def interrupt(*args):
        raise KeyboardInterrupt

    settings.DEBUG = False
    monkeypatch.setattr(client.Call, "fetch", interrupt)

    with pytest.raises(KeyboardInterrupt) as caught:
        ask()

    error = caught.value
    frames = ExceptionReporter(
        None, type(error), error, error.__traceback__
    ).get_traceback_frames()
    report = {frame["function"]: frame["vars"] for frame in frames}
    assert {"authenticate", "sensitive_variables_wrapper", "_ask"} <= set(report)
    assert leaks(str(report.pop("ask")))
    assert not leaks(str(report))


def assert_no_trace(error):
    assert error.__cause__ is None
    assert error.__context__ is None
    assert not leaks("".join(traceback.format_exception(error)))
    for frame, _ in traceback.walk_tb(error.__traceback__):
        if "django_magiclink" in frame.f_code.co_filename:
            assert not leaks(repr(frame.f_locals))


def leaks(text):
    return NUMBER[1:] in text or KEY in text


def test_the_search_for_leaks_finds_a_planted_one():
    assert leaks(f"https://example.com/?msisdn=%2B{NUMBER[1:]}")
    assert leaks(f"{{'api-key': '{KEY}'}}")
