"""Signed addresses as API Gateway and uvicorn hand them over: every spelling of a key, and what is refused before it is read."""

from __future__ import annotations

import asyncio
import json
import random
import string
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote

import httpx
import pytest
from mangum import Mangum

from kinora.api.access import Access
from kinora.api.app import create_app
from kinora.model import Blob, Kind, Original, Scope
from tests.house import House, house

HASH = "ab" * 32
TEXT = ["text/", "application/json", "application/problem+json", "application/vnd.apple.mpegurl"]
EVENT = json.loads((Path(__file__).parents[3] / "events" / "http-healthz.json").read_text())
KEYS = [
    "uploads/cat.jpg",
    "uploads/a b+c.jpg",
    "uploads/é 日本.jpg",
    "uploads/100%.jpg",
    "uploads/a%2Fb.jpg",
    "uploads/a%252Fb%41.jpg",
    "uploads/x?y#z&=.jpg",
    "uploads/a;b,c@d:e~.jpg",
]


class Gateway:
    """The app behind Mangum, as the door has it."""

    def __init__(self, home: House) -> None:
        self.access = Access(home.services)
        self.handler = Mangum(create_app(home.services), lifespan="off", text_mime_types=TEXT)

    def get(self, path: str, method: str = "GET", query: str = "", **more: Any) -> dict[str, Any]:
        event = json.loads(json.dumps(EVENT)) | {"rawPath": path, "rawQueryString": query} | more
        event["requestContext"]["http"] |= {"method": method, "path": path}
        return self.handler(event, None)


@pytest.fixture(autouse=True)
def event_loop():
    """Mangum takes the thread's own, as Lambda's main thread has one."""
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    yield
    asyncio.set_event_loop(None)
    loop.close()


@pytest.fixture
def home(tmp_path):
    with house(tmp_path) as home:
        for n, key in enumerate(KEYS):
            home.services.storage.put(Scope.SOURCE, key, f"content {n}".encode())
            blob = Blob(HASH[:-2] + f"{n:02x}", 9, "text/plain", Kind.OTHER, 1.0)
            home.services.catalog.attach(Original(key, blob.hash, 9, "e", "0A", changed_at=1.0), blob)
        yield home


def content_of(answer: dict[str, Any]) -> str:
    assert answer["statusCode"] == 200, answer
    assert not answer["isBase64Encoded"]
    return answer["body"]


@pytest.mark.parametrize("spelled", ["decoded", "encoded"])
def test_every_key_can_be_fetched_however_the_gateway_spells_its_path(home, spelled):
    """HTTP APIs decode the path of their events, function addresses and `sam local` do not."""
    gateway = Gateway(home)
    for n, key in enumerate(KEYS):
        path = f"/original/{gateway.access.sign('original', key)}/{quote(key)}"
        assert content_of(gateway.get(unquote(path) if spelled == "decoded" else path)) == f"content {n}", key


def test_a_server_decodes_once(home):
    access, transport = Access(home.services), httpx.ASGITransport(create_app(home.services))

    async def fetch() -> None:
        async with httpx.AsyncClient(transport=transport, base_url="http://kinora") as client:
            for n, key in enumerate(KEYS):
                answer = await client.get(f"/original/{access.sign('original', key)}/{quote(key)}")
                assert (answer.status_code, answer.text) == (200, f"content {n}"), key

    asyncio.run(fetch())


def test_a_signature_opens_no_other_spelling(home):
    gateway = Gateway(home)
    signature = gateway.access.sign("original", "uploads/cat.jpg")
    others = [
        *(
            "uploads/Cat.jpg",
            "uploads//cat.jpg",
            "uploads/./cat.jpg",
            "/uploads/cat.jpg",
            "uploads/cat.jpg/",
            "uploads/cat.jpg%00",
        ),
        *("uploads/x/../cat.jpg", "uploads/%2e/cat.jpg", "uploads/%252e%252e/uploads/cat.jpg", "../source/uploads/cat.jpg"),
        *("uploads/cat.jpg%20", "uploads%5Ccat.jpg", "uploads/c%CC%81at.jpg", "", "%"),
    ]
    for other in others:
        for path in (other, unquote(other), quote(other)):
            answer = gateway.get(f"/original/{signature}/{path}")
            assert answer["statusCode"] == 403, path
            assert json.loads(answer["body"])["code"] == "signature-invalid"
    assert content_of(gateway.get(f"/original/{signature}/uploads%2Fcat.jpg")) == "content 0", (
        "another spelling of the same key"
    )
    assert content_of(gateway.get(f"/original/{signature}/uploads/c%61t.jpg")) == "content 0"
    for route in ("thumb", "img/w:1"):
        assert gateway.get(f"/{route}/{signature}/uploads/cat.jpg")["statusCode"] in {403, 404}


def test_nothing_is_looked_at_before_the_signature(home):
    """What is wrong besides it is not told: no key, range or condition is parsed for who cannot sign."""
    gateway = Gateway(home)
    odd = {"range": "bytes=9-1", "if-match": "*", "if-modified-since": "never", "host": "x"}
    for key in ("../../secrets/api-key", "uploads/missing.jpg", "uploads/" + "x" * 3000, "\x00", "uploads/cat.jpg"):
        for method in ("GET", "HEAD"):
            for signature in ("x", "k1.1.x", f"k1.9999999999.{'A' * 43}"):
                answer = gateway.get(f"/original/{signature}/{key}", method, headers=odd)
                assert answer["statusCode"] == 403
    signed = gateway.access.sign("original", "../../secrets/api-key")
    assert gateway.get(f"/original/{signed}/../../secrets/api-key")["statusCode"] == 404, "signed, but no original"


def test_what_has_expired_is_gone_and_what_is_wrong_is_forbidden(tmp_path):
    now = [1_700_000_000.0]
    with house(tmp_path, clock=lambda: now[0], url_seconds="60") as home:
        gateway = Gateway(home)
        home.services.storage.put(Scope.MEDIA, "images/ab/x.webp", b"thumb")
        signature = gateway.access.sign("thumb", "images/ab/x.webp")
        now[0] += 30
        answer = gateway.get(f"/thumb/{signature}/images/ab/x.webp")
        assert answer["headers"]["cache-control"] == "private, max-age=30", "not for longer than the signature holds"
        now[0] += 30
        assert gateway.get(f"/thumb/{signature}/images/ab/x.webp")["statusCode"] == 410
        assert gateway.get(f"/thumb/{signature}/images/ab/y.webp")["statusCode"] == 403
        kid, expires, mac = signature.split(".")
        assert gateway.get(f"/thumb/{kid}.{int(expires) + 60}.{mac}/images/ab/x.webp")["statusCode"] == 403


def test_mutated_addresses_are_refused_over_http(home):
    gateway = Gateway(home)
    chance = random.Random(4)
    signature = gateway.access.sign("original", "uploads/cat.jpg")
    for _ in range(300):
        at = chance.randrange(len(signature))
        letter = chance.choice(string.ascii_letters + string.digits + "-_.")
        if letter != signature[at]:
            forged = signature[:at] + letter + signature[at + 1 :]
            assert gateway.get(f"/original/{forged}/uploads/cat.jpg")["statusCode"] == 403, forged


def test_cookies_of_the_gateway_carry_tokens_and_its_source_address_counts(tmp_path):
    with house(tmp_path, stream_access="token") as home:
        gateway = Gateway(home)
        from kinora.object_keys import video_key
        from kinora.playback_tokens import Limits

        home.services.storage.put(Scope.MEDIA, video_key(HASH, "master.m3u8"), b"#EXTM3U\n")
        inside, outside = (
            gateway.access.playback_token(HASH, limits=Limits(network=one)) for one in ("203.0.113.7", "198.51.100.0/24")
        )
        path = f"/stream/{HASH}/master.m3u8"
        assert gateway.get(path, cookies=["a=b", f"kinora_token={inside}"])["statusCode"] == 200
        assert gateway.get(path, query=f"token={inside}")["statusCode"] == 200
        forwarded = EVENT["headers"] | {"x-forwarded-for": "198.51.100.9"}
        assert gateway.get(path, query=f"token={outside}", headers=forwarded)["statusCode"] == 403
        session = gateway.access.playback_token(HASH, limits=Limits(session="once"))
        answer = gateway.get(path, query=f"token={session}")
        assert answer["cookies"][0].startswith("kinora_session=")
        assert "Secure" in answer["cookies"][0]
