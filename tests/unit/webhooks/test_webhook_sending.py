"""Webhooks on the wire: real sockets on 127.0.0.1, real certificates, names that an injected resolver answers."""

from __future__ import annotations

import datetime as dt
import socket
import ssl
import time

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from kinora.webhooks.https import HttpsSender
from kinora.webhooks.targets import Target, target_of
from tests.unit.webhooks.receiver import receiver


def loopback(url):
    return target_of(url, ports=(443,), loopback=True)


def public(port=443, host="hooks.example.com"):
    return Target("https", host, port, "/hook", is_loopback=False)


def anywhere(_target, _address):
    return True


def test_a_request_arrives_as_it_was_made():
    with receiver() as one:
        answer = HttpsSender().post(loopback(one.url), {"webhook-id": "e1", "Content-Type": "application/json"}, b'{"a":1}')
        assert answer.status == 204
        ((path, headers, body),) = one.received
    assert (path, body) == ("/hook?a=b", b'{"a":1}')
    assert headers["host"] == f"127.0.0.1:{one.port}"
    assert headers["webhook-id"] == "e1"
    assert headers["content-length"] == "7"


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_redirects_are_answers_and_are_not_followed(status):
    with receiver() as one, receiver() as other:
        one.answers, one.headers = [status], {"Location": other.url}
        assert HttpsSender().post(loopback(one.url), {}, b"{}").status == status
        assert other.received == []


def test_proxies_of_the_environment_are_not_used(monkeypatch):
    with receiver() as one, receiver() as proxy:
        for name in ("http_proxy", "https_proxy", "all_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
            monkeypatch.setenv(name, f"http://127.0.0.1:{proxy.port}")
        assert HttpsSender().post(loopback(one.url), {}, b"{}").status == 204
        assert (len(one.received), proxy.received) == (1, [])


@pytest.mark.parametrize(
    "addresses",
    [["127.0.0.1"], ["::1"], ["10.0.0.1"], ["169.254.169.254"], ["fd00:ec2::254"], ["::ffff:127.0.0.1"], ["64:ff9b::7f00:1"],
     ["93.184.215.14", "127.0.0.1"], ["fe80::1%lo"], []],
)  # fmt: skip
def test_a_name_that_leads_inside_is_not_connected_to(addresses):
    with receiver() as one:
        answer = HttpsSender(resolve=lambda *_: addresses).post(public(one.port), {}, b"{}")
        assert answer.status is None
        assert "may not go to" in answer.error
        assert one.received == []


def test_the_name_is_resolved_once_and_the_checked_address_is_the_one_connected_to():
    answers = iter([["127.0.0.1"], ["10.0.0.1"]])
    asked, checked = [], []

    def resolve(host, port):
        asked.append((host, port))
        return next(answers)

    def may(_target, address):
        checked.append(address)
        return True

    key, certificate = certified("hooks.example.com")
    with receiver(server_context(key, certificate)) as one:
        sender = HttpsSender(resolve=resolve, may=may, tls=trusting(certificate))
        assert sender.post(public(one.port), {}, b"{}").status == 204
        assert one.received[0][1]["host"] == f"hooks.example.com:{one.port}"
    assert (asked, checked) == ([("hooks.example.com", one.port)], ["127.0.0.1"])


def test_the_certificate_must_be_of_the_name_and_from_somebody_trusted():
    key, certificate = certified("other.example.com")
    with receiver(server_context(key, certificate)) as one:
        wrong_name = HttpsSender(resolve=lambda *_: ["127.0.0.1"], may=anywhere, tls=trusting(certificate))
        unknown = HttpsSender(resolve=lambda *_: ["127.0.0.1"], may=anywhere)
        assert "certificate is not valid" in wrong_name.post(public(one.port), {}, b"{}").error
        assert "certificate is not valid" in unknown.post(public(one.port, "other.example.com"), {}, b"{}").error
        assert wrong_name.post(public(one.port, "other.example.com"), {}, b"{}").status == 204
        assert len(one.received) == 1


def test_another_address_is_tried_where_one_refuses():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        closed = taken.getsockname()[1]
    key, certificate = certified("hooks.example.com")
    with receiver(server_context(key, certificate)) as one:
        sender = HttpsSender(resolve=lambda *_: ["127.0.0.2", "127.0.0.1"], may=anywhere, tls=trusting(certificate))
        assert sender.post(public(one.port), {}, b"{}").status == 204
    answer = sender.post(public(closed), {}, b"{}")
    assert (answer.status, answer.error) == (None, "The request failed: ConnectionRefusedError.")


def test_what_goes_wrong_is_said_and_nothing_is_raised():
    def unknown(*_):
        raise socket.gaierror(-2, "Name or service not known")

    assert HttpsSender(resolve=unknown).post(public(), {}, b"{}").error == "The host name cannot be resolved."
    with receiver() as one:
        one.answers = ["cut"]
        assert "The request failed" in HttpsSender().post(loopback(one.url), {}, b"{}").error


def test_a_receiver_that_drips_is_left_when_the_time_is_over():
    with receiver() as one:
        one.answers = ["drip"]
        begun = time.monotonic()
        answer = HttpsSender(total=0.3).post(loopback(one.url), {}, b"{}")
        assert answer.status is None
        assert "0.3 seconds" in answer.error
        assert time.monotonic() - begun < 2


def certified(name: str) -> tuple[bytes, bytes]:
    """A key and a certificate for `name` that signs itself, as PEM."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = dt.datetime.now(dt.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    private = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    return private, certificate.public_bytes(serialization.Encoding.PEM)


def server_context(key: bytes, certificate: bytes) -> ssl.SSLContext:
    import tempfile

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    with tempfile.NamedTemporaryFile() as file:
        file.write(key + certificate)
        file.flush()
        context.load_cert_chain(file.name)
    return context


def trusting(certificate: bytes) -> ssl.SSLContext:
    return ssl.create_default_context(cadata=certificate.decode())
