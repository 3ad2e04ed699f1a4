"""Rate limits as clients meet them: over the local drivers, at times that the test gives."""

from __future__ import annotations

import re
from contextlib import contextmanager
from dataclasses import replace

import pytest
from fastapi import Request, Response
from fastapi.testclient import TestClient

from kinora.api.app import create_app
from kinora.api.credentials import PROVEN
from kinora.errors import Unauthorized, Unavailable
from tests.house import house


class Clock:
    def __init__(self) -> None:
        self.now = 1_700_000_000.0

    def __call__(self) -> float:
        return self.now


class NoStore:
    def take(self, *_: object) -> None:
        raise Unavailable("the store is away")


@contextmanager
def limited(folder, limits, *, store=None, address="192.0.2.1", **settings):
    """A key route stands in for the real one: it lets through the token `good…`."""
    clock = Clock()
    with house(folder, clock, rate_limits=limits, **settings) as home:
        services = replace(home.services, rate_limits=store) if store else home.services
        app = create_app(services)

        @app.get("/keys/test/{key_id}")
        def key(request: Request, key_id: str, token: str = "") -> Response:
            if not token.startswith("good"):
                raise Unauthorized
            request.scope[PROVEN] = token
            return Response(b"k" * 16)

        client = TestClient(app, client=(address, 5000))
        client.clock, client.home, client.app_ = clock, home, app
        client.key = {"X-Api-Key": home.api_key}
        yield client


def from_address(client, address):
    return TestClient(client.app_, client=(address, 5000))


def test_nothing_is_counted_where_no_limit_is_set(tmp_path):
    with limited(tmp_path, "api=1/60", store=NoStore()) as client:
        for path in ("/healthz", "/stream/x/master.m3u8", "/thumb/x/y", "/"):
            answer = client.get(path)
            assert answer.status_code < 500
            assert "ratelimit" not in answer.headers
        assert not (tmp_path / "counts.db").exists()


def test_who_asks_too_often_hears_when_to_come_back(tmp_path):
    with limited(tmp_path, "api=2/60") as client:
        first = client.get("/api/jobs", headers=client.key)
        assert first.headers["ratelimit-policy"] == '"api";q=2;w=60'
        assert re.fullmatch(r'"api";r=1;t=6[0-2]', first.headers["ratelimit"])
        client.clock.now += 20
        assert client.get("/api/jobs", headers=client.key).status_code == 200
        refusal = client.get("/api/jobs", headers=client.key | {"Origin": "https://elsewhere.example"})
        assert (refusal.status_code, refusal.headers["content-type"]) == (429, "application/problem+json")
        assert refusal.json()["code"] == "rate-limited"
        assert refusal.json()["violated-policies"] == ["api"]
        assert refusal.headers["ratelimit"].startswith('"api";r=0;t=' + refusal.headers["retry-after"])
        assert refusal.headers["cache-control"] == "no-store"
        assert refusal.headers["access-control-allow-origin"] == "*"
        assert "RateLimit" in refusal.headers["access-control-expose-headers"]
        client.clock.now += int(refusal.headers["retry-after"]) - 2
        assert client.get("/api/jobs", headers=client.key).status_code == 429
        client.clock.now += 2
        assert client.get("/api/jobs", headers=client.key).status_code == 200, "the refused ones did not count"


def test_classes_have_limits_of_their_own(tmp_path):
    with limited(tmp_path, "api=1/60,files=1/60") as client:
        assert client.get("/api/jobs", headers=client.key).status_code == 200
        assert client.get("/api/media", headers=client.key).status_code == 429
        assert client.post("/api/uploads", headers=client.key, json={"key": "a.jpg"}).status_code == 200
        assert client.get("/thumb/x/y").status_code != 429
        assert client.get("/original/x/y").status_code == 429


def test_only_the_right_key_is_a_client_of_its_own(tmp_path):
    with limited(tmp_path, "api=1/60") as client:
        assert [client.get("/api/jobs", headers={"X-Api-Key": f"wrong{n}"}).status_code for n in range(2)] == [401, 429]
        assert client.get("/api/jobs", headers=client.key).status_code == 200
        elsewhere = from_address(client, "198.51.100.7")
        assert elsewhere.get("/api/jobs", headers=client.key).status_code == 429, "the same key from elsewhere"
        assert elsewhere.get("/api/jobs").status_code == 401


def test_preflights_are_not_counted(tmp_path):
    with limited(tmp_path, "api=1/60") as client:
        asking = {"Origin": "https://elsewhere.example", "Access-Control-Request-Method": "GET"}
        assert [client.options("/api/jobs", headers=asking).status_code for _ in range(3)] == [200] * 3


def test_content_keys_count_by_token_and_failures_by_address(tmp_path):
    with limited(tmp_path, "keys=2/60") as client:
        statuses = [client.get("/keys/test/1?token=good1").status_code for _ in range(3)]
        assert statuses == [200, 200, 429]
        answer = client.get("/keys/test/1?token=good2")
        assert (answer.status_code, answer.content) == (200, b"k" * 16)
        assert answer.headers["ratelimit"].startswith('"keys";r=1;')
        assert [client.get(f"/keys/test/1?token=bad{n}").status_code for n in range(3)] == [401, 401, 429]
        assert client.get("/keys/test/1?token=good2").status_code == 200


def test_no_key_leaves_while_requests_cannot_be_counted(tmp_path):
    with limited(tmp_path, "keys=2/60,api=2/60", store=NoStore()) as client:
        answer = client.get("/keys/test/1?token=good")
        assert (answer.status_code, answer.json()["code"], answer.headers["retry-after"]) == (503, "unavailable", "1")
        answer = client.get("/api/jobs", headers=client.key)
        assert answer.status_code == 200
        assert "ratelimit" not in answer.headers


@pytest.mark.parametrize(
    ("first", "second", "same"),
    [
        ("192.0.2.1", "192.0.2.2", False),
        ("192.0.2.1", "::ffff:192.0.2.1", True),
        ("2001:db8:1:1::1", "2001:db8:1:1:ffff::2", True),
        ("2001:db8:1:1::1", "2001:db8:1:2::1", False),
        ("fe80::1%eth0", "fe80::2%eth1", True),
    ],
)
def test_addresses_count_as_their_owners_have_them(tmp_path, first, second, same):
    with limited(tmp_path, "files=1/60", address=first) as client:
        assert client.get("/thumb/x/y").status_code != 429
        assert (from_address(client, second).get("/thumb/x/y").status_code == 429) is same


def test_forwarded_addresses_are_read_only_from_proxies_that_are_trusted(tmp_path):
    with limited(tmp_path / "none", "files=1/60") as client:
        spoofed = [client.get("/thumb/x/y", headers={"X-Forwarded-For": f"10.0.0.{n}"}).status_code for n in range(2)]
        assert spoofed[1] == 429
    with limited(tmp_path / "one", "files=1/60", trusted_proxies="1") as client:
        for n, status in enumerate((403, 429)):
            seen = {"X-Forwarded-For": f"10.0.0.{n}, 203.0.113.9"}
            assert client.get("/thumb/x/y", headers=seen).status_code == status, "what stands before is the client's own word"
        assert client.get("/thumb/x/y", headers={"X-Forwarded-For": "203.0.113.8"}).status_code == 403
