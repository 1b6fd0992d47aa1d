"""A server of which a test says each byte, and certificates for it."""

import contextlib
import datetime
import ipaddress
import itertools
import os
import socket
import ssl
import struct
import threading
import time

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

ACCEPTED = b'{"code": "TOUCH_ACCEPTED"}'
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"


class Server:
    def __init__(self, script, *, tls=None, reads=True):
        self.script, self.tls, self.reads = script, tls, reads
        self.requests, self.threads = [], []
        self.connections = 0
        self.stopped = threading.Event()
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=128)
        self.port = self.listener.getsockname()[1]
        self.url = f"{'https' if tls else 'http'}://localhost:{self.port}"
        self.start(self.accept)

    def start(self, target, *args):
        thread = threading.Thread(target=target, args=args)
        self.threads.append(thread)
        thread.start()

    def accept(self):
        while not self.stopped.is_set():
            with contextlib.suppress(OSError):
                connection, _ = self.listener.accept()
                self.connections += 1
                self.start(self.serve, connection)

    def serve(self, connection):
        with contextlib.suppress(OSError), contextlib.ExitStack() as stack:
            stack.enter_context(connection)
            if self.tls:
                connection = self.tls.wrap_socket(connection, server_side=True)
                stack.enter_context(connection)
            if not self.reads or self.read_request(connection):
                self.script(self, connection)

    def read_request(self, connection):
        request = b""
        while b"\r\n\r\n" not in request:
            data = connection.recv(65536)
            if not data:
                return False
            request += data
        self.requests.append(request.decode("ascii"))
        return True

    def stop(self):
        self.stopped.set()
        self.listener.shutdown(socket.SHUT_RDWR)
        for thread in self.threads:
            thread.join(10)
        self.listener.close()
        assert not any(thread.is_alive() for thread in self.threads)


# Scripts for the server: what it does once it has read the request.


def replies(body=ACCEPTED, status="200 OK", *fields):
    head = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", *fields, "", ""]

    def script(server, connection):
        connection.sendall("\r\n".join(head).encode() + body)

    return script


def sends(data):
    return lambda server, connection: connection.sendall(data)


def stalls(server, connection):
    server.stopped.wait()


def drips(start, piece, pause=0.05):
    def script(server, connection):
        connection.sendall(start)
        while not server.stopped.wait(pause):
            connection.sendall(piece)

    return script


def floods(start, piece):
    return drips(start, piece, pause=0)


def resets(server, connection):
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()


# Certificates.


class Authority:
    def __init__(self):
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Test CA")])
        self.certificate = self.sign(self.name, self.key.public_key(), ca=True)
        self.pem = self.certificate.public_bytes(serialization.Encoding.PEM).decode()

    def sign(self, subject, key, *, names=(), ca=False, days=1):
        now = datetime.datetime.now(datetime.UTC)
        builder = (
            x509.CertificateBuilder()
            .issuer_name(self.name)
            .subject_name(subject)
            .public_key(key)
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - datetime.timedelta(days=30))
            .not_valid_after(now + datetime.timedelta(days=days))
            .add_extension(x509.BasicConstraints(ca=ca, path_length=None), True)
        )
        if names:
            builder = builder.add_extension(x509.SubjectAlternativeName(names), False)
        return builder.sign(self.key, hashes.SHA256())

    def server_context(self, path, *, host="localhost", days=1, self_signed=False):
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, host)])
        names = [
            x509.DNSName(host),
            x509.IPAddress(ipaddress.ip_address("127.0.0.1")),
        ]
        signer = self
        if self_signed:
            signer = Authority()
            signer.key, signer.name = key, subject
        certificate = signer.sign(subject, key.public_key(), names=names, days=days)
        path.write_bytes(
            certificate.public_bytes(serialization.Encoding.PEM)
            + key.private_bytes(
                serialization.Encoding.PEM,
                serialization.PrivateFormat.PKCS8,
                serialization.NoEncryption(),
            )
        )
        context = ServerContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(path)
        context.ca_pem, context.own_pem = (
            self.pem,
            path.read_text().split("-----BEGIN P")[0],
        )
        return context


class ServerContext(ssl.SSLContext):
    ca_pem = own_pem = ""


def open_sockets():
    links = []
    for name in os.listdir("/proc/self/fd"):
        with contextlib.suppress(OSError):
            links.append(os.readlink(f"/proc/self/fd/{name}"))
    return sum(link.startswith("socket:") for link in links)


def wait_for(condition):
    for _ in itertools.repeat(None, 100):
        if condition():
            return
        time.sleep(0.05)
    assert condition()
