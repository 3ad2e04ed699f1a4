"""Content keys over HTTP: who gets one, what the answer may be kept by, and what playlists tell native players."""

from __future__ import annotations

import re
import shutil
from dataclasses import replace
from urllib.parse import parse_qs, urljoin, urlsplit

import m3u8
import pytest
from fastapi.testclient import TestClient

from kinora.api.app import create_app
from kinora.model import Scope
from kinora.pipeline.segment_keys import plain_key
from kinora.pipeline.sweep import sweep
from kinora.setting_values import RateLimit
from tests.house import HOUR, house
from tests.pictures import picture
from tests.unit.media import clips

SMALL = {"ladder": "32", "image_variants": "thumb=64", "encrypt": "all"}
ORIGIN = "http://testserver"


@pytest.fixture(scope="module")
def film(tmp_path_factory) -> bytes:
    path = tmp_path_factory.mktemp("film") / "film.mp4"
    picture = "-f lavfi -i testsrc2=s=58x32:r=10:d=3 -c:v libx264 -preset ultrafast -g 10"
    clips.ffmpeg(*f"-f lavfi -i sine=r=48000:d=3 -c:a aac {picture}".split(), str(path))
    return path.read_bytes()


class Clock:
    now = 1_700_000_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture(scope="module")
def ready(tmp_path_factory, film):
    """The folder of a Kinora that has encrypted the film."""
    folder = tmp_path_factory.mktemp("ready")
    with house(folder, clock=Clock(), **SMALL) as made:
        made.ingest(made.put("film.mp4", film))
        made.work()
    return folder


@pytest.fixture
def home(tmp_path, ready):
    shutil.copytree(ready, tmp_path / "copy")
    with house(tmp_path / "copy", clock=Clock(), **SMALL) as made:
        yield made


@pytest.fixture
def client(home):
    with TestClient(create_app(home.services)) as made:
        yield made


@pytest.fixture
def api(home):
    return {"Authorization": f"Bearer {home.api_key}"}


def token_of(client, api, content_hash: str) -> str:
    return client.post(f"/api/media/{content_hash}/tokens", headers=api).json()["token"]


def key_of(home, revision: int = 1):
    return home.services.content_keys.list(home.job().hash)[revision - 1]


def test_who_has_a_token_gets_sixteen_bytes_that_nobody_keeps(home, client, api):
    key = key_of(home)
    token = token_of(client, api, key.hash)
    for answer in (
        client.get(f"/keys/{key.key_id}", params={"token": token}),
        client.get(f"/keys/{key.key_id}", headers={"Authorization": f"Bearer {token}"}),
    ):
        assert answer.status_code == 200
        assert answer.content == plain_key(home.services, key)
        assert len(answer.content) == 16
        assert answer.headers["content-type"] == "application/octet-stream"
        assert answer.headers["cache-control"] == "no-store"


def test_who_has_none_learns_nothing(home, client, api):
    key = key_of(home)
    assert client.get(f"/keys/{key.key_id}").status_code == 401
    assert client.get(f"/keys/{'0' * 32}").status_code == 401
    assert client.get(f"/keys/{key.key_id}", headers=api).status_code == 403
    assert client.get(f"/keys/{key.key_id}", params={"token": "x"}).status_code == 403
    right = token_of(client, api, key.hash)
    assert (
        client.get(f"/keys/{key.key_id}", params={"token": right[:-2] + ("AA" if right[-2:] != "AA" else "BB")}).status_code
        == 403
    )
    assert client.get(f"/keys/{'0' * 32}", params={"token": right}).status_code == 404
    assert client.get("/keys/../secrets", params={"token": right}).status_code == 404
    assert client.get("/keys/ABC", params={"token": right}).status_code == 422


def test_a_token_of_another_stream_opens_nothing(home, client, api, film):
    home.ingest(home.put("other.mp4", film + b"\0" * 8))
    home.work()
    first, second = (job.hash for job in home.jobs())
    key = home.services.content_keys.list(first)[0]
    answer = client.get(f"/keys/{key.key_id}", params={"token": token_of(client, api, second)})
    assert answer.status_code == 403
    assert len(answer.content) > 16


def test_a_token_that_has_expired_is_gone(home, client, api):
    key = key_of(home)
    token = token_of(client, api, key.hash)
    home.services.clock.now += home.services.settings.url_seconds + 1
    assert client.get(f"/keys/{key.key_id}", params={"token": token}).status_code == 410


def test_browsers_of_other_origins_may_ask_with_a_bearer(home, client, api):
    key = key_of(home)
    asked = {
        "Origin": "https://player.example",
        "Access-Control-Request-Method": "GET",
        "Access-Control-Request-Headers": "authorization",
    }
    preflight = client.options(f"/keys/{key.key_id}", headers=asked)
    assert preflight.status_code == 200
    assert "authorization" in preflight.headers["access-control-allow-headers"].lower()
    token = token_of(client, api, key.hash)
    for headers, status in (({"Authorization": f"Bearer {token}"}, 200), ({}, 401)):
        answer = client.get(f"/keys/{key.key_id}", headers=headers | {"Origin": "https://player.example"})
        assert answer.status_code == status
        assert answer.headers["access-control-allow-origin"] == "*"


def test_playlists_carry_the_token_to_the_key(home, client, api):
    key = key_of(home)
    token = token_of(client, api, key.hash)
    master = f"{ORIGIN}/stream/{key.hash}/master.m3u8?token={token}"
    variants = m3u8.loads(client.get(master).text, master)
    for one in (*variants.playlists, *(medium for medium in variants.media if medium.uri)):
        address = urljoin(master, one.uri)
        playlist = m3u8.loads(client.get(address).text, address)
        (init,) = {segment.init_section.absolute_uri for segment in playlist.segments}
        assert client.get(init).content[4:8] == b"ftyp"
        for segment in playlist.segments:
            assert urlsplit(segment.key.absolute_uri).path == f"/keys/{key.key_id}"
            assert parse_qs(urlsplit(segment.key.absolute_uri).query) == {"token": [token]}
            assert re.fullmatch("0x[0-9A-F]{32}", segment.key.iv)
        assert client.get(playlist.segments[0].key.absolute_uri).content == plain_key(home.services, key)
        assert b"moof" not in client.get(playlist.segments[0].absolute_uri).content


def test_posters_and_everything_else_of_it_are_private_although_streams_are_public(home, client, api):
    content_hash = home.job().hash
    assert home.services.settings.stream_access == "public"
    token = token_of(client, api, content_hash)
    for path in ("master.m3u8", "cover.jpg", "preview.webp", "storyboard/storyboard.vtt", "waveform.json"):
        assert client.get(f"/stream/{content_hash}/{path}").status_code in {401, 404}
        answer = client.get(f"/stream/{content_hash}/{path}", params={"token": token})
        assert answer.status_code == 200, path
        assert "public" not in answer.headers["cache-control"]
    answer = client.put(f"/api/media/{content_hash}/access", json={"access": "public"}, headers=api)
    assert (answer.status_code, answer.json()["code"]) == (400, "encrypted")


def test_changing_the_key_over_http(home, client, api):
    first = key_of(home)
    place = f"/api/media/{first.hash}/encryption"
    assert client.put(place).status_code == 401
    assert client.put(place, headers=api).json()["revision"] == 1
    assert client.put(place, json={"revision": 3}, headers=api).status_code == 409
    assert client.put(place, json={"revision": 0}, headers=api).status_code == 422
    asked = client.put(place, json={"revision": 2}, headers=api)
    assert (asked.status_code, asked.json()["revision"]) == (202, 1)
    home.work()
    shown = client.get(place, headers=api).json()
    assert (shown["encrypted"], shown["revision"]) == (True, 2)
    second = key_of(home, 2)
    assert [one["key_id"] for one in shown["revisions"]] == [first.key_id, second.key_id]
    assert client.put(place, json={"revision": 2}, headers=api).status_code == 200
    assert "wrapped" not in str(shown)
    for key in (first, second):
        assert client.get(f"/keys/{key.key_id}", params={"token": token_of(client, api, first.hash)}).status_code == 200
    home.services.clock.now += home.services.settings.grace_seconds + 1
    sweep(home.services, lambda: HOUR)
    home.work()
    token = token_of(client, api, first.hash)
    assert client.get(f"/keys/{first.key_id}", params={"token": token}).status_code == 410
    assert client.get(f"/keys/{second.key_id}", params={"token": token}).status_code == 200
    gone = client.get(f"/stream/{first.hash}/rev_1/audio/und_aac_1ch/seg_0.m4s", params={"token": token})
    assert gone.status_code == 404
    assert client.put("/api/media/" + "0" * 64 + "/encryption", headers=api).status_code == 404


def test_photos_are_not_encrypted(home, client, api):
    home.ingest(home.put("photo.jpg", picture()))
    image = next(job for job in home.jobs() if job.kind.value == "image")
    assert client.put(f"/api/media/{image.hash}/encryption", headers=api).status_code == 415
    assert client.get(f"/api/media/{image.hash}/encryption", headers=api).json() == {
        "encrypted": False,
        "revision": 0,
        "revisions": [],
    }


def test_one_viewer_who_asks_too_often_does_not_keep_others_out(home, api):
    settings = replace(home.services.settings, rate_limits={"keys": RateLimit(2, 60)})
    limited = TestClient(create_app(replace(home.services, settings=settings)))
    key = key_of(home)
    first = token_of(limited, api, key.hash)
    home.services.clock.now += 1
    second = token_of(limited, api, key.hash)
    assert [limited.get(f"/keys/{key.key_id}", params={"token": first}).status_code for _ in range(3)] == [200, 200, 429]
    answer = limited.get(f"/keys/{key.key_id}", params={"token": second}, headers={"Origin": "https://elsewhere.example"})
    assert (answer.status_code, len(answer.content), answer.headers["access-control-allow-origin"]) == (200, 16, "*")
    home.services.clock.now += int(limited.get(f"/keys/{key.key_id}", params={"token": first}).headers["retry-after"])
    assert limited.get(f"/keys/{key.key_id}", params={"token": first}).status_code == 200


def test_an_upload_asks_for_encryption(tmp_path, film):
    with house(tmp_path, **SMALL | {"encrypt": "none"}) as home, TestClient(create_app(home.services)) as client:
        api = {"Authorization": f"Bearer {home.api_key}"}
        target = client.post("/api/uploads", json={"key": "a/film.mp4", "encrypt": True}, headers=api).json()
        assert target["headers"]["x-amz-meta-kinora-encrypt"] == "true"
        assert client.put(target["url"], content=film, headers=api | target["headers"]).status_code == 201
        home.ingest(home.created(target["key"]))
        home.work()
        content_hash = home.job().hash
        place = f"/api/media/{content_hash}/encryption"
        assert client.get(place, headers=api).json()["revision"] == 1
        assert not [key for key in home.objects() if "rev_1/" not in key and key.endswith(".m4s")]
        answer = client.delete(f"/api/media/{content_hash}?originals=true", headers=api)
        assert answer.json()["complete"]
        assert list(home.services.storage.list(Scope.SOURCE)) == []
        client.put(target["url"], content=film, headers=api)
        home.ingest(home.created(target["key"]))
        assert client.get(place, headers=api).json()["revisions"] == []
