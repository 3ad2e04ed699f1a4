"""Headers of every answer, CORS, and files of users that no browser may run: over every route that the schema names."""

from __future__ import annotations

import re
from contextlib import contextmanager
from dataclasses import replace
from email.message import Message
from urllib.parse import parse_qs, quote, unquote, urlsplit

import pytest
from fastapi.testclient import TestClient

from kinora.api.app import create_app
from kinora.api.serving import disposition
from kinora.model import Scope
from kinora.object_keys import video_key
from kinora.secrets.base import SecretName
from kinora.signing import Keyring, sign
from tests.house import house

HASH = "ab" * 32
ELSEWHERE = "https://elsewhere.example"
ACTIVE = ["text/html", "text/html; charset=utf-8", "image/svg+xml", "application/xhtml+xml", "text/xml", "text/javascript"]


@contextmanager
def kinora(folder, base_url="http://testserver", **settings):
    with house(folder, **settings) as home:
        client = TestClient(create_app(home.services), base_url=base_url, follow_redirects=False)
        client.home, client.key = home, {"X-Api-Key": home.api_key}
        yield client


def every_request(client):
    """Method and path of all routes, with something in place of each parameter."""
    for path, methods in client.get("/openapi.json").json()["paths"].items():
        filled = re.sub(r"\{[^}]*\}", "x", path.replace("{content_hash}", HASH))
        for method in methods:
            yield method.upper(), filled
        if "get" in methods:
            yield "HEAD", filled
        yield "OPTIONS", filled
    yield from (("GET", path) for path in ("/", "/docs", "/page/style.css", "/page/none.js", "/openapi.json", "/nowhere"))


def test_every_answer_has_the_headers_that_keep_browsers_safe(tmp_path):
    with kinora(tmp_path) as client:
        seen = 0
        for method, path in every_request(client):
            for credential in ({}, client.key):
                answer = client.request(method, path, headers={"Origin": ELSEWHERE} | credential)
                what = (method, path, answer.status_code)
                assert answer.status_code < 500 or answer.json()["code"] == "pending", what
                assert answer.headers.get_list("x-content-type-options") == ["nosniff"], what
                assert answer.headers["referrer-policy"] == "no-referrer", what
                policy = answer.headers["content-security-policy"]
                assert "frame-ancestors 'none'" in policy, what
                is_page = path in {"/", "/docs"} or path.startswith("/page/style")
                assert ("sandbox" not in policy) is is_page, what
                assert answer.headers["access-control-allow-origin"] == "*", what
                assert "access-control-allow-credentials" not in answer.headers, what
                assert "strict-transport-security" not in answer.headers, what
                seen += 1
        assert seen > 60


def test_browsers_are_told_to_stay_with_tls_only_over_tls(tmp_path):
    with kinora(tmp_path / "a", "https://kinora.example") as client:
        assert client.get("/").headers["strict-transport-security"] == "max-age=31536000"
    with kinora(tmp_path / "b", trusted_proxies="1") as client:
        forwarded = {"X-Forwarded-For": "192.0.2.1", "X-Forwarded-Proto": "https"}
        assert "strict-transport-security" in client.get("/", headers=forwarded).headers
    with kinora(tmp_path / "c") as client:
        assert "strict-transport-security" not in client.get("/", headers=forwarded).headers, "no proxy is trusted"


def test_named_origins_may_send_cookies_and_others_may_not_even_read(tmp_path):
    with kinora(tmp_path, cors_origins="https://app.example") as client:
        answer = client.get("/healthz", headers={"Origin": "https://app.example"})
        assert answer.headers["access-control-allow-origin"] == "https://app.example"
        assert answer.headers["access-control-allow-credentials"] == "true"
        assert answer.headers["vary"] == "Origin"
        exposed = set(answer.headers["access-control-expose-headers"].split(", "))
        assert {"Content-Range", "ETag", "RateLimit", "RateLimit-Policy", "Retry-After"} <= exposed
        assert "access-control-allow-origin" not in client.get("/healthz", headers={"Origin": ELSEWHERE}).headers
        asking = {"Origin": "https://app.example", "Access-Control-Request-Method": "PATCH"}
        answer = client.options("/api/media/x", headers=asking | {"Access-Control-Request-Headers": "range,x-api-key"})
        assert (answer.status_code, answer.headers["access-control-allow-origin"]) == (200, "https://app.example")
        assert client.options("/healthz", headers=asking | {"Origin": ELSEWHERE}).status_code == 400


def test_the_page_loads_nothing_from_elsewhere_on_one_machine(tmp_path):
    with kinora(tmp_path / "a") as client:
        policy = client.get("/").headers["content-security-policy"]
        assert "http" not in policy
        assert "unsafe" not in policy
    with kinora(tmp_path / "b", public_url="http://media.example:8080/kinora") as client:
        assert "connect-src 'self' http://media.example:8080;" in client.get("/").headers["content-security-policy"]


@pytest.mark.parametrize("media_type", ACTIVE)
def test_what_could_run_is_a_download_of_no_type_also_in_parts(tmp_path, media_type):
    with kinora(tmp_path) as made:
        services = made.home.services
        made.home.ingest(made.home.put('e"v\u202eil.png', b"<svg onload=alert(1)>"))
        (original,) = [services.catalog.original('uploads/e"v\u202eil.png')]
        broken = replace(services.catalog.blob(original.hash), media_type=media_type)

        class Mistaken:
            """A catalog that took in something active as what it says it is."""

            def __getattr__(self, name):
                return (lambda _: broken) if name == "blob" else getattr(services.catalog, name)

        client = TestClient(create_app(replace(services, catalog=Mistaken())))
        ring = Keyring.parse(services.secrets.get(SecretName.SIGNING_KEYS))
        signature = sign(ring, "original", original.key, expires_at=2**33)
        url = f"/original/{signature}/{quote(original.key)}"
        for method, headers in (("GET", {}), ("HEAD", {}), ("GET", {"Range": "bytes=0-3"})):
            answer = client.request(method, url, headers=headers)
            assert answer.status_code in {200, 206}
            assert answer.headers["content-type"] == "application/octet-stream"
            assert answer.headers["content-disposition"].startswith("attachment; ")
            assert "sandbox" in answer.headers["content-security-policy"]


def test_media_of_users_are_in_no_origin(tmp_path):
    with kinora(tmp_path) as client:
        client.home.services.storage.put(Scope.MEDIA, video_key(HASH, "cover.jpg"), b"<script>")
        answer = client.get(f"/stream/{HASH}/cover.jpg")
        assert answer.headers["content-type"] == "image/jpeg"
        assert "sandbox" in answer.headers["content-security-policy"]


@pytest.mark.parametrize(
    ("name", "saved"),
    [
        ("plain.jpg", "plain.jpg"),
        ('a"b.jpg', 'a"b.jpg'),
        ("a\r\nSet-Cookie: x=1.jpg", "aSet-Cookie: x=1.jpg"),
        ("../../etc/passwd", "passwd"),
        ("..\\..\\boot.ini", "boot.ini"),
        ("日本 é.jpg", "日本 é.jpg"),
        ("100%.jpg", "100%.jpg"),
        ("photo\u202egpj.exe", "photogpj.exe"),
        ("\ud800.jpg", ".jpg"),
        ("/", "download"),
        ("👩‍👧.png", "👩‍👧.png"),
    ],
)
def test_names_of_files_are_encoded_so_that_nothing_breaks_out(name, saved):
    header = disposition("image/jpeg", name)
    assert header.isascii()
    assert header.isprintable()
    plain, _, extended = header.partition("; filename*=UTF-8''")
    assert unquote(extended) == saved
    assert re.fullmatch(r'inline; filename="[^"\\%]*"', plain)
    message = Message()
    message["Content-Disposition"] = header
    assert message.get_filename() is not None


def test_a_presigned_address_says_the_same_as_the_api_would(tmp_path):
    class Presigner:
        def presign_get(self, scope, key, *, expires, media_type=None, disposition=None):
            return f"https://store.example/{quote(key)}?type={quote(media_type)}&as={quote(disposition or '')}"

    with kinora(tmp_path) as made:
        made.home.ingest(made.home.put("notes.html", b"<script>alert(1)</script>"))
        services = replace(made.home.services, presigner=Presigner())
        client = TestClient(create_app(services), follow_redirects=False)
        ring = Keyring.parse(services.secrets.get(SecretName.SIGNING_KEYS))
        signature = sign(ring, "original", "uploads/notes.html", expires_at=2**33)
        answer = client.get(f"/original/{signature}/uploads/notes.html")
        query = parse_qs(urlsplit(answer.headers["location"]).query)
        assert answer.status_code == 302
        assert query["type"] == ["application/octet-stream"]
        assert query["as"][0].startswith('attachment; filename="notes.html"')
        assert "https:" in client.get("/").headers["content-security-policy"]
