import contextlib
import errno
import gzip
import http.client
import logging
import socket
import ssl
import threading
import time
import traceback
import tracemalloc
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import parse_qsl, urlsplit

import pytest
import requests
import urllib3

from django_magiclink import __version__, sockets, transport
from django_magiclink.client import MideyeClient, Texts
from django_magiclink.exceptions import NotSent, Unanswered
from django_magiclink.status import Status

from .wire import (
    ACCEPTED,
    CHUNKED,
    Authority,
    drips,
    floods,
    open_sockets,
    replies,
    resets,
    sends,
    stalls,
    wait_for,
)

NUMBER = "+46701234567"
KEY = "c3859cad-479a-4d65-9253-459ea4a12b34"
#: Far beyond the deadlines below, far short of what the slow servers would take.
SOON = 10


def ask(server, number=NUMBER, *, url="", **options):
    texts = options.pop("texts", Texts())
    if getattr(server, "tls", None):
        options.setdefault("ca_pem", server.tls.ca_pem)
    asking = MideyeClient(url or server.url, KEY, **options)
    return asking.authenticate(number, timeout=15, texts=texts)


def failure(server, expected, **options):
    started = time.monotonic()
    with pytest.raises(expected) as caught:
        ask(server, **options)
    assert time.monotonic() - started < SOON
    return caught.value


# What goes over the wire.


@pytest.mark.covers("R38", "R39", "R42")
def test_the_request_is_the_documented_one_and_nothing_else(serve, transports):
    server = serve(replies(), tls=transports)

    answer = ask(server)

    assert answer.status == Status.ACCEPTED
    assert server.requests == [
        "GET /api/sfwa/auth?msisdn=%2B46701234567&touch-timeout=15 HTTP/1.1\r\n"
        f"api-key: {KEY}\r\n"
        f"Host: localhost:{server.port}\r\n"
        f"User-Agent: django-magiclink/{__version__}\r\n"
        "Accept-Encoding: identity\r\n"
        "Accept: application/json\r\n"
        "Connection: close\r\n"
        "\r\n"
    ]


@pytest.mark.covers("R42", "A42")
def test_texts_and_endpoint_name_arrive_as_they_were(serve):
    server = serve(replies())
    texts = Texts(
        title="Åkes Bank & Co",
        authentication="Betala 100 SEK till +46 / 50% rabatt?\nKod: 42",
        sms="a=b&touch-timeout=300#x",
        accept_button="Ja",
        reject_button="Nej",
        accepted="Tack ☺",
        rejected="msisdn=+1",
    )

    ask(
        server,
        endpoint_name="Stora kassan & co",
        url=f"{server.url}/mideye/",
        texts=texts,
    )

    target = urlsplit(server.requests[0].split()[1])
    assert target.path == "/mideye/api/sfwa/auth/Stora%20kassan%20%26%20co"
    assert parse_qsl(target.query.replace("+", "PLUS"), strict_parsing=True) == [
        ("msisdn", NUMBER),
        ("touch-timeout", "15"),
        ("title-text", texts.title),
        ("authentication-text", texts.authentication),
        ("sms-text", texts.sms),
        ("button-accept-text", texts.accept_button),
        ("button-reject-text", texts.reject_button),
        ("touch-accept-text", texts.accepted),
        ("touch-reject-text", texts.rejected),
    ]


@pytest.mark.covers("R41")
def test_no_cookie_and_no_connection_is_kept_for_the_next_user(serve):
    server = serve(replies(ACCEPTED, "200 OK", "Set-Cookie: JSESSIONID=a; Path=/"))
    asking = MideyeClient(server.url, KEY)

    for number in (NUMBER, "+46701234568"):
        asking.authenticate(number, timeout=15)

    assert "cookie" not in "".join(server.requests).lower()
    assert server.connections == 2


@pytest.mark.covers("R37", "A33")
def test_settings_of_the_machine_are_ignored(serve, tls, monkeypatch, tmp_path):
    trap = serve(replies())
    netrc = tmp_path / "netrc"
    netrc.write_text("machine localhost login mallory password secret\n")
    monkeypatch.setenv("NETRC", str(netrc))
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
        monkeypatch.setenv(name, trap.url)
        monkeypatch.setenv(name.lower(), trap.url)
    for name in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE"):
        monkeypatch.setenv(name, str(tmp_path / "missing.pem"))
    monkeypatch.delenv("NO_PROXY", raising=False)
    monkeypatch.delenv("no_proxy", raising=False)

    for server in (serve(replies()), serve(replies(), tls=tls)):
        assert ask(server).status == Status.ACCEPTED
        assert "authorization" not in server.requests[0].lower()
    assert trap.connections == 0


@pytest.mark.covers("R37", "A33")
def test_a_bundle_of_the_machine_makes_nothing_trusted(
    serve, tls, authority, monkeypatch, tmp_path
):
    bundle = tmp_path / "bundle.pem"
    bundle.write_text(authority.pem)
    for name in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE"):
        monkeypatch.setenv(name, str(bundle))
    server = serve(replies(), tls=tls)

    assert failure(server, NotSent, ca_pem="").kind == "tls"


@pytest.mark.covers("R37", "R40", "A32")
@pytest.mark.parametrize("status", ["301 Moved", "302 Found", "307 Temporary Redirect"])
def test_a_redirect_is_not_followed(serve, status):
    target = serve(replies())
    server = serve(replies(b"moved", status, f"Location: {target.url}/api/sfwa/auth"))

    assert failure(server, Unanswered).kind == "redirect"
    assert len(server.requests) == 1
    assert target.connections == 0


@pytest.mark.covers("R01", "A08", "A32")
def test_a_redirect_with_an_answer_is_an_answer_but_never_an_approval(serve):
    server = serve(replies(ACCEPTED, "302 Found", "Location: /elsewhere"))

    answer = ask(server)

    assert (answer.status, answer.error_kind) == (Status.FAILED, "http_status")
    assert len(server.requests) == 1


@pytest.mark.covers("R01")
@pytest.mark.parametrize("status", ["204 No Content", "304 Not Modified", "200 OK"])
def test_an_answer_without_a_body_is_none(serve, status):
    server = serve(sends(f"HTTP/1.1 {status}\r\n\r\n".encode()))

    kind = "redirect" if status.startswith("3") else "garbage"
    assert failure(server, Unanswered).kind == kind


@pytest.mark.covers("A38")
def test_a_gateway_that_gives_up_early_is_no_answer(serve):
    server = serve(replies(b"<h1>504 Gateway Time-out</h1>", "504 Gateway Time-out"))

    assert failure(server, Unanswered).kind == "garbage"


def test_a_chunked_answer_after_interim_ones_is_read(serve):
    server = serve(
        sends(
            b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 100 Continue\r\n\r\n"
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
            b'8\r\n{"code":\r\n11\r\n"TOUCH_REJECTED"}\r\n0\r\n\r\n'
        )
    )

    assert ask(server).status == Status.REJECTED


# Slow servers.

SLOW = {
    "stall": stalls,
    "status line": drips(b"HTTP/1.1 200 ", b"O"),
    "header": drips(b"HTTP/1.1 200 OK\r\nX-Drip: ", b"x"),
    "headers": drips(b"HTTP/1.1 200 OK\r\n", b"X-Drip: x\r\n", 0.1),
    "interim answers": drips(b"", b"HTTP/1.1 100 Continue\r\n\r\n"),
    "body": drips(b"HTTP/1.1 200 OK\r\nContent-Length: 9999\r\n\r\n", b" "),
    "body without end": drips(b"HTTP/1.1 200 OK\r\n\r\n" + ACCEPTED, b" "),
    "redirect body": drips(b"HTTP/1.1 302 Found\r\nLocation: /\r\n\r\n", b" "),
    "chunks": drips(CHUNKED, b"1\r\n \r\n"),
    "chunk size": drips(CHUNKED, b"0"),
    "trailers": drips(CHUNKED + b"1a\r\n" + ACCEPTED + b"\r\n0\r\n", b"X: y\r\n"),
    "stalled body": lambda server, connection: (
        sends(b"HTTP/1.1 200 OK\r\nContent-Length: 27\r\n\r\n" + ACCEPTED)(
            server, connection
        ),
        stalls(server, connection),
    ),
}


@pytest.mark.covers("R38", "A34")
@pytest.mark.parametrize("name", SLOW)
def test_a_slow_server_is_left_at_the_deadline(serve, hurry, transports, name):
    server = serve(SLOW[name], tls=transports)

    assert failure(server, Unanswered).kind == "timeout"
    wait_for(lambda: len(server.requests) == 1)


@pytest.mark.covers("R38", "A34")
def test_a_tls_record_that_drips_is_left_at_the_deadline(serve, hurry, tls):
    def script(server, connection):
        incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        session = tls.wrap_bio(incoming, outgoing, server_side=True)

        def until_done(step):
            while True:
                with contextlib.suppress(ssl.SSLWantReadError):
                    return step()
                connection.sendall(outgoing.read())
                incoming.write(connection.recv(65536))

        until_done(session.do_handshake)
        server.requests.append(until_done(lambda: session.read(65536)))
        session.write(b"HTTP/1.1 200 OK\r\nX-Padding: " + b"x" * 16_000)
        for byte in outgoing.read():
            connection.sendall(bytes([byte]))
            if server.stopped.wait(0.05):
                break

    server = serve(script, reads=False)
    url = f"https://localhost:{server.port}"

    assert failure(server, Unanswered, url=url, ca_pem=tls.ca_pem).kind == "timeout"
    wait_for(lambda: len(server.requests) == 1)


HANDSHAKES = {
    "stall": stalls,
    "drip": drips(b"\x16\x03\x03\x40\x00\x02", b"\0"),
    "drip of records": drips(
        b"".join(b"\x16\x03\x03\x00\x01%c" % byte for byte in (2, 0, 0x7F, 0xFF)),
        b"\x16\x03\x03\x00\x01\x03",
    ),
}


@pytest.mark.covers("R38", "A34")
@pytest.mark.parametrize("name", HANDSHAKES)
def test_a_slow_handshake_is_left_after_the_connect_timeout(
    serve, monkeypatch, caplog, tls, name
):
    connect = transport._Connection.connect

    def connect_and_lose_patience(self):
        connect(self)
        monkeypatch.setattr(transport, "CONNECT_TIMEOUT", 0.5)

    monkeypatch.setattr(transport._Connection, "connect", connect_and_lose_patience)
    server = serve(HANDSHAKES[name], reads=False)
    url = f"https://localhost:{server.port}"

    assert failure(server, NotSent, url=url, ca_pem=tls.ca_pem).kind == "tls"
    assert not caplog.text


@pytest.mark.covers("R37")
@pytest.mark.parametrize("script", [sends(b"HTTP/1.1 400 Bad\r\n\r\n"), resets])
def test_a_server_without_tls_gets_no_request(serve, tls, script):
    def reads_the_greeting_and(server, connection):
        assert connection.recv(1) == b"\x16"
        script(server, connection)

    server = serve(reads_the_greeting_and, reads=False)
    url = f"https://localhost:{server.port}"

    assert failure(server, NotSent, url=url, ca_pem=tls.ca_pem).kind == "tls"


@pytest.mark.covers("R37")
def test_a_connection_that_was_just_reset_gets_nothing_in_the_clear(
    serve, monkeypatch, tls
):
    def not_connected(*args):
        raise OSError(errno.ENOTCONN, "Transport endpoint is not connected")

    server = serve(stalls)
    url = f"https://localhost:{server.port}"
    for name in ("getpeername", "recv"):
        monkeypatch.setattr(sockets.TLSSocket, name, not_connected)

    assert failure(server, NotSent, url=url, ca_pem=tls.ca_pem).kind == "tls"
    assert not server.requests


# Large and broken answers.

ENDLESS = {
    "body": (floods(b"HTTP/1.1 200 OK\r\n\r\n", b" " * 65536), "too_large"),
    "gigabyte": (
        floods(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000000\r\n\r\n", b" " * 65536),
        "too_large",
    ),
    "redirect": (
        floods(b"HTTP/1.1 302 Found\r\nLocation: /x\r\n\r\n", b" " * 65536),
        "redirect",
    ),
    "chunks": (floods(CHUNKED, b"10000\r\n" + b" " * 65536 + b"\r\n"), "too_large"),
    "chunk size": (floods(CHUNKED, b"0" * 65536), "network"),
    "headers": (floods(b"HTTP/1.1 200 OK\r\n", b"X: y\r\n" * 1000), "network"),
    "header": (floods(b"HTTP/1.1 200 OK\r\nX: ", b"y" * 65536), "network"),
    "status line": (floods(b"HTTP/1.1 200 ", b"y" * 65536), "network"),
    "gzip bomb": (
        replies(gzip.compress(bytes(50_000_000)), "200 OK", "Content-Encoding: gzip"),
        "garbage",
    ),
    "gzip bomb as a redirect": (
        replies(
            gzip.compress(bytes(50_000_000)),
            "302 Found",
            "Content-Encoding: gzip",
            "Location: /x",
        ),
        "redirect",
    ),
}


@pytest.mark.covers("R39", "A35")
@pytest.mark.parametrize("name", ENDLESS)
def test_an_endless_answer_is_cut_and_takes_no_memory(serve, name):
    script, kind = ENDLESS[name]
    server = serve(script)
    ask(serve(replies()))
    tracemalloc.start()

    try:
        error = failure(server, Unanswered)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()

    assert error.kind == kind
    assert peak < 2_000_000


BROKEN = {
    "reset": resets,
    "closed": sends(b""),
    "half a status line": sends(b"HTTP/1.1 2"),
    "half the headers": sends(b"HTTP/1.1 200 OK\r\nContent-Le"),
    "cut body": sends(b"HTTP/1.1 200 OK\r\nContent-Length: 27\r\n\r\n" + ACCEPTED),
    "cut chunk": sends(CHUNKED + b"1b\r\n" + ACCEPTED),
    "cut chunks": sends(CHUNKED + b"1a\r\n" + ACCEPTED + b"\r\n"),
    "not http": sends(b"SSH-2.0-OpenSSH_9.2\r\n\r\n" + ACCEPTED),
    "only a body": sends(ACCEPTED),
    "http/2": sends(b"HTTP/2 200\r\n\r\n" + ACCEPTED),
    "two lengths": sends(
        b"HTTP/1.1 200 OK\r\nContent-Length: 26, 27\r\n\r\n" + ACCEPTED
    ),
    "malformed header": sends(b"HTTP/1.1 200 OK\r\nOops\r\n\r\n" + ACCEPTED),
}


@pytest.mark.covers("R40", "A36")
@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_answer_is_not_asked_for_again(serve, transports, name):
    server = serve(BROKEN[name], tls=transports)

    assert failure(server, Unanswered).kind == "network"
    assert len(server.requests) == 1
    assert server.connections == 1


def test_an_answer_that_comes_before_a_reset_counts(serve):
    def script(server, connection):
        replies(b'{"code": "BAD_REQUEST"}', "401 Unauthorized")(server, connection)

    server = serve(script, reads=False)

    assert ask(server).error_kind == "refused"


# Names and connections.


def addresses(*ports):
    return [
        (socket.AF_INET, socket.SOCK_STREAM, 0, "", ("127.0.0.1", port))
        for port in ports
    ]


@pytest.fixture
def free_port():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return listener.getsockname()[1]


@pytest.fixture
def deaf_port():
    with contextlib.ExitStack() as stack:
        listener = stack.enter_context(
            socket.create_server(("127.0.0.1", 0), backlog=0)
        )
        for _ in range(4):
            caller = stack.enter_context(socket.socket())
            caller.setblocking(False)
            caller.connect_ex(listener.getsockname())
        yield listener.getsockname()[1]


def resolve(monkeypatch, found):
    monkeypatch.setattr(socket, "getaddrinfo", lambda *args, **options: list(found))


@pytest.mark.covers("A37")
def test_a_name_that_is_unknown_is_an_error_of_its_own(monkeypatch):
    def fail(*args, **options):
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", fail)

    assert failure(None, NotSent, url="https://mideye.example.com").kind == "dns"


@pytest.mark.covers("A37")
def test_nobody_listens(free_port):
    for scheme in ("http", "https"):
        url = f"{scheme}://127.0.0.1:{free_port}"

        assert failure(None, NotSent, url=url).kind == "connect"


@pytest.mark.covers("R38")
def test_the_connect_timeout_is_shared_by_all_addresses(monkeypatch, deaf_port):
    monkeypatch.setattr(transport, "CONNECT_TIMEOUT", 0.5)
    resolve(monkeypatch, addresses(*[deaf_port] * 50))

    error = failure(None, NotSent, url="https://mideye.example.com")

    assert error.kind == "connect"


def test_the_next_address_is_tried(serve, monkeypatch, free_port):
    server = serve(replies())
    unusable = (255, socket.SOCK_STREAM, 0, "", ("127.0.0.1", 1))
    resolve(monkeypatch, [unusable, *addresses(free_port, server.port)])

    assert ask(server).status == Status.ACCEPTED
    assert len(server.requests) == 1


def test_an_address_that_is_deaf_leaves_time_for_the_next(
    serve, monkeypatch, deaf_port
):
    server = serve(replies())
    monkeypatch.setattr(transport, "CONNECT_TIMEOUT", 2)
    resolve(monkeypatch, addresses(deaf_port, server.port))

    assert ask(server).status == Status.ACCEPTED


@pytest.mark.covers("R40")
def test_a_request_that_left_in_part_may_have_arrived(serve, monkeypatch):
    server = serve(stalls, reads=False)
    server.listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    monkeypatch.setattr(transport, "CONNECT_TIMEOUT", 1.0)
    dial = transport.dial

    def dial_with_a_small_buffer(*args):
        sock = dial(*args)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
        return sock

    monkeypatch.setattr(transport, "dial", dial_with_a_small_buffer)

    error = failure(server, Unanswered, texts=Texts(sms="x" * 300_000))

    assert error.kind == "network"


@pytest.mark.covers("R38")
def test_nothing_is_sent_after_a_lookup_that_took_too_long(serve, monkeypatch):
    server = serve(replies())
    monkeypatch.setattr(transport, "CONNECT_TIMEOUT", 0.05)
    lookup = socket.getaddrinfo

    def slow(*args, **options):
        time.sleep(0.2)
        return lookup(*args, **options)

    monkeypatch.setattr(socket, "getaddrinfo", slow)

    assert failure(server, NotSent).kind == "connect"
    assert not server.requests


# Certificates.

UNTRUSTED = {
    "expired": ({"days": -1}, "expired"),
    "self-signed": ({"self_signed": True}, "self-signed"),
    "of another host": ({"host": "other.example.com"}, "Hostname mismatch"),
}


@pytest.mark.covers("R37", "A37")
@pytest.mark.parametrize("name", UNTRUSTED)
def test_a_bad_certificate_gets_no_request(serve, authority, tmp_path, caplog, name):
    options, reason = UNTRUSTED[name]
    context = authority.server_context(tmp_path / "server.pem", **options)
    server = serve(replies(), tls=context)

    assert failure(server, NotSent).kind == "tls"
    assert not server.requests
    assert reason in caplog.text


@pytest.mark.covers("R37", "A37")
def test_a_private_authority_is_not_trusted_unless_given(serve, tls):
    server = serve(replies(), tls=tls)

    assert failure(server, NotSent, ca_pem="").kind == "tls"
    assert failure(server, NotSent, ca_pem=Authority().pem).kind == "tls"
    assert not server.requests


def test_the_certificate_itself_may_be_what_is_trusted(serve, tls):
    server = serve(replies(), tls=tls)

    assert ask(server, ca_pem=tls.own_pem).status == Status.ACCEPTED


def test_an_address_can_be_certified_too(serve, tls):
    server = serve(replies(), tls=tls)

    assert ask(server, url=f"https://127.0.0.1:{server.port}").status == Status.ACCEPTED


def test_a_ca_file_that_changes_is_read_again(serve, tls, authority, tmp_path):
    server = serve(replies(), tls=tls)
    path = tmp_path / "ca.pem"

    path.write_text(Authority().pem)
    refused = failure(server, NotSent, ca_pem="", ca_file=str(path))
    path.write_text(authority.pem + "\n")
    answer = ask(server, ca_pem="", ca_file=str(path))

    assert refused.kind == "tls"
    assert answer.status == Status.ACCEPTED


@pytest.mark.parametrize("given", ["file", "text", "nothing"])
def test_threads_share_one_context(authority, monkeypatch, tmp_path, given):
    path = tmp_path / "ca.pem"
    path.write_text(authority.pem)
    options = {
        "file": (str(path), ""),
        "text": ("", authority.pem),
        "nothing": ("", ""),
    }
    loads = count(monkeypatch, ssl.SSLContext, "load_verify_locations")
    sockets._make_context.cache_clear()

    with ThreadPoolExecutor(16) as pool:
        contexts = set(
            pool.map(lambda _: sockets.ssl_context(*options[given]), range(200))
        )

    assert len(contexts) == 1
    assert len(loads) == 1


@pytest.mark.covers("R37")
def test_a_context_verifies_and_asks_for_tls_1_2():
    context = sockets.ssl_context("", "")

    assert context.verify_mode == ssl.CERT_REQUIRED
    assert context.check_hostname
    assert context.minimum_version == ssl.TLSVersion.TLSv1_2
    assert context.keylog_filename is None


def count(monkeypatch, owner, name):
    calls, original = [], getattr(owner, name)

    def counted(*args, **options):
        calls.append(args)
        return original(*args, **options)

    monkeypatch.setattr(owner, name, counted)
    return calls


def test_many_wait_at_once_without_loading_certificates_again(serve, tls, monkeypatch):
    everyone = threading.Barrier(40)

    def script(server, connection):
        everyone.wait(30)
        replies()(server, connection)

    server = serve(script, tls=tls)
    sockets.ssl_context("", tls.ca_pem)
    loads = count(monkeypatch, ssl.SSLContext, "load_verify_locations")
    protocols = count(monkeypatch, ssl.SSLContext, "set_alpn_protocols")
    before = threading.active_count()
    numbers = [f"+467012345{i:02}" for i in range(40)]

    with ThreadPoolExecutor(40) as pool:
        answers = list(pool.map(lambda number: ask(server, number), numbers))

    assert [answer.status for answer in answers] == [Status.ACCEPTED] * 40
    assert sorted(r.split("%2B")[1][:11] for r in server.requests) == [
        number[1:] for number in numbers
    ]
    assert not loads
    assert not protocols
    assert threading.active_count() <= before + 40


# Nothing leaks.

OUTCOMES = {
    "accepted": replies(),
    "refused": replies(b'{"code": "BAD_REQUEST"}', "403 Forbidden"),
    "redirect": replies(b"", "302 Found", "Location: /x"),
    "garbage": replies(b"<html>"),
    "malformed header": sends(
        f"HTTP/1.1 200 OK\r\nOops {KEY} {NUMBER}\r\n\r\n".encode()
    ),
    "both lengths": sends(
        b"HTTP/1.1 200 OK\r\nContent-Length: 26\r\nTransfer-Encoding: chunked\r\n\r\n"
    ),
    "reset": resets,
    "too large": replies(b" " * 70_000),
    "slow": stalls,
}


@pytest.fixture
def artefacts(caplog, capfd, monkeypatch):
    seen = []
    caplog.set_level(logging.DEBUG)
    monkeypatch.setattr(http.client.HTTPConnection, "debuglevel", 1)
    for owner, name in [
        (urllib3.HTTPConnectionPool, "urlopen"),
        (http.client.HTTPConnection, "putrequest"),
        (http.client.HTTPConnection, "putheader"),
        (http.client.HTTPConnection, "endheaders"),
    ]:
        trace(monkeypatch, owner, name, seen)

    def collect():
        return "\n".join([caplog.text, *capfd.readouterr(), *seen])

    return collect


def trace(monkeypatch, owner, name, seen):
    original = getattr(owner, name)

    def traced(self, *args, **options):
        seen.append(f"{name} {args!r} {options!r}")
        seen.extend(repr(vars(value)) for value in args if hasattr(value, "__dict__"))
        return original(self, *args, **options)

    monkeypatch.setattr(owner, name, traced)


def leaks(text):
    return [secret for secret in (NUMBER[1:], KEY, "Koden är") if secret in text]


@pytest.mark.covers("R43")
def test_the_search_for_leaks_finds_what_requests_does_by_itself(serve, artefacts):
    server = serve(replies())

    requests.get(
        server.url, params={"msisdn": NUMBER}, headers={"api-key": KEY}, timeout=5
    )

    assert leaks(artefacts()) == [NUMBER[1:], KEY]


@pytest.mark.covers("R43")
def test_the_debug_output_of_http_client_stays_off(serve, monkeypatch, capfd):
    monkeypatch.setattr(http.client.HTTPConnection, "debuglevel", 1)

    ask(serve(replies()))

    assert capfd.readouterr() == ("", "")


@pytest.mark.covers("R36", "R43")
@pytest.mark.parametrize("name", OUTCOMES)
def test_nothing_shows_number_key_or_text(serve, hurry, transports, artefacts, name):
    server = serve(OUTCOMES[name], tls=transports)
    texts = Texts(authentication="Koden är 42")
    shown = ""

    try:
        shown = repr(ask(server, texts=texts))
    except (NotSent, Unanswered) as error:
        assert (error.__cause__, error.__context__) == (None, None)
        shown = "".join(traceback.format_exception(error)) + repr(vars(error))
        shown += "".join(
            repr(frame.f_locals)
            for frame, _ in traceback.walk_tb(error.__traceback__)
            if "django_magiclink" in frame.f_code.co_filename
        )

    wait_for(lambda: len(server.requests) == 1)
    assert not leaks(shown + artefacts())


@pytest.mark.covers("R41")
def test_no_socket_and_no_thread_is_left_behind(serve, hurry, monkeypatch, tls):
    scripts = [*OUTCOMES.values(), *BROKEN.values()]
    servers = [serve(script, tls=tls) for script in scripts]
    deaf = serve(stalls, reads=False)
    sockets, threads = open_sockets(), threading.active_count()

    for server in servers:
        with contextlib.suppress(NotSent, Unanswered):
            ask(server)
    monkeypatch.setattr(transport, "CONNECT_TIMEOUT", 0.2)
    failure(deaf, NotSent, url=f"https://localhost:{deaf.port}", ca_pem=tls.ca_pem)
    for server in (*servers, deaf):
        server.stopped.set()

    wait_for(lambda: threading.active_count() == threads)
    wait_for(lambda: open_sockets() == sockets)
    with socket.socket():
        assert open_sockets() == sockets + 1
