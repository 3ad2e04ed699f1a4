"""The HTTP face over real local drivers."""

from __future__ import annotations

import base64
import hashlib
import re
from contextlib import contextmanager

import pytest
from fastapi.testclient import TestClient

from kinora.api.app import create_app
from kinora.model import Scope
from kinora.object_keys import video_key
from tests.house import house
from tests.pictures import picture

HASH = "ab" * 32
PLAYLIST = b'#EXTM3U\n#EXT-X-MAP:URI="init.mp4"\n#EXTINF:4.0,\nseg_0.m4s\n#EXT-X-ENDLIST\n'
SEGMENT = bytes(range(256)) * 4


@contextmanager
def kinora(folder, **settings):
    with house(folder, **settings) as home, TestClient(create_app(home.services), follow_redirects=False) as client:
        client.home = home
        client.key = {"Authorization": f"Bearer {home.api_key}"}
        yield client


@contextmanager
def streaming(folder, **settings):
    with kinora(folder, **settings) as client:
        for path, data in {"master.m3u8": PLAYLIST, "video/r240_h264/seg_0.m4s": SEGMENT, "storyboard/notes.txt": b"x"}.items():
            client.home.services.storage.put(Scope.MEDIA, video_key(HASH, path), data)
        yield client


def code_of(response) -> str:
    assert response.headers["content-type"] == "application/problem+json"
    assert response.json()["status"] == response.status_code
    return response.json()["code"]


def test_health(tmp_path):
    with kinora(tmp_path) as client:
        assert client.get("/healthz").json()["status"] == "ok"
        assert client.get("/readyz").json().items() >= {"status": "ok", "driver": "local"}.items()
        assert client.head("/healthz").status_code == 200


def test_everything_below_api_needs_the_key(tmp_path):
    with kinora(tmp_path) as client:
        paths = client.get("/openapi.json").json()["paths"]
        for path, methods in paths.items():
            for method in methods:
                answer = client.request(
                    method, path.replace("{content_hash}", HASH).replace("{job_id}", "1").replace("{key}", "k")
                )
                if path.startswith("/api/"):
                    assert (path, method, answer.status_code, code_of(answer)) == (path, method, 401, "unauthorized")
        assert client.get("/api/jobs", headers={"X-Api-Key": client.home.api_key}).status_code == 200
        assert client.get("/api/jobs", headers={"Authorization": "Bearer wrong"}).status_code == 401


def test_segments_are_immutable_with_exact_ranges(tmp_path):
    with streaming(tmp_path) as client:
        url = f"/stream/{HASH}/video/r240_h264/seg_0.m4s"
        whole = client.get(url)
        assert (whole.status_code, whole.content, whole.headers["accept-ranges"]) == (200, SEGMENT, "bytes")
        assert "immutable" in whole.headers["cache-control"]
        assert whole.headers["content-type"] == "video/iso.segment"
        assert whole.headers["x-content-type-options"] == "nosniff"
        part = client.get(url, headers={"Range": "bytes=10-19"})
        assert (part.status_code, part.content) == (206, SEGMENT[10:20])
        assert part.headers["content-range"] == f"bytes 10-19/{len(SEGMENT)}"
        assert client.get(url, headers={"Range": "bytes=1000-"}).content == SEGMENT[1000:]
        assert client.get(url, headers={"Range": "bytes=-5"}).content == SEGMENT[-5:]
        assert client.get(url, headers={"Range": "bytes=5-99999"}).content == SEGMENT[5:]
        outside = client.get(url, headers={"Range": f"bytes={len(SEGMENT)}-"})
        assert (outside.status_code, outside.headers["content-range"]) == (416, f"bytes */{len(SEGMENT)}")
        etag = whole.headers["etag"]
        assert client.get(url, headers={"If-None-Match": etag}).status_code == 304
        assert client.get(url, headers={"If-Match": '"other"'}).status_code == 412
        assert client.get(url, headers={"Range": "bytes=0-1", "If-Range": '"other"'}).status_code == 200
        head = client.head(url, headers={"Range": "bytes=0-1"})
        assert (head.status_code, head.content, head.headers["content-length"]) == (200, b"", str(len(SEGMENT)))


def test_playlists_come_with_type_etag_and_cors(tmp_path):
    with streaming(tmp_path) as client:
        answer = client.get(f"/stream/{HASH}/master.m3u8", headers={"Origin": "https://player.example"})
        assert (answer.content, answer.headers["content-type"]) == (PLAYLIST, "application/vnd.apple.mpegurl")
        assert answer.headers["access-control-allow-origin"] == "*"
        assert client.get(f"/stream/{HASH}/master.m3u8", headers={"If-None-Match": answer.headers["etag"]}).status_code == 304
        head = client.head(f"/stream/{HASH}/master.m3u8")
        assert (head.headers["content-length"], head.content) == (str(len(PLAYLIST)), b"")
        asked = {
            "Origin": "https://player.example",
            "Access-Control-Request-Method": "GET",
            "Access-Control-Request-Headers": "range",
        }
        assert client.options(f"/stream/{HASH}/master.m3u8", headers=asked).status_code == 200


@pytest.mark.parametrize(
    "path",
    [
        "plan.json",
        "video/r240_h264/seg_1.m4s",
        "video/r240_h264/../../plan.json",
        "..%2f..%2fsecrets",
        "",
        "video/r240_h264/seg_01.m4s",
    ],
)
def test_nothing_else_in_a_stream_folder_can_be_read(tmp_path, path):
    with streaming(tmp_path) as client:
        assert code_of(client.get(f"/stream/{HASH}/{path}")) == "not-found"


def test_private_streams_need_a_token_and_carry_it_to_their_children(tmp_path):
    with streaming(tmp_path, stream_access="token") as client:
        url = f"/stream/{HASH}/master.m3u8"
        assert code_of(client.get(url)) == "unauthorized"
        assert code_of(client.get(f"{url}?token=nonsense")) == "signature-invalid"
        from kinora.api.access import Access

        access = Access(client.home.services)
        token = access.playback_token(HASH)
        answer = client.get(f"{url}?token={token}")
        assert answer.headers["cache-control"].startswith("private")
        assert f'URI="init.mp4?token={token}"' in answer.text
        assert f"\nseg_0.m4s?token={token}\n" in answer.text
        assert client.get(url, headers={"Authorization": f"Bearer {token}"}).status_code == 200
        segment = client.get(f"/stream/{HASH}/video/r240_h264/seg_0.m4s?token={token}")
        assert (segment.content, segment.headers["cache-control"]) == (SEGMENT, "private, no-cache")
        assert client.get(f"{url}?token={access.playback_token('cd' * 32)}").status_code == 403


def test_uploads_are_stored_and_checked(tmp_path):
    cat = picture()
    with kinora(tmp_path) as client:
        key = "uploads/a b+é 日本.jpg"
        answer = client.put("/api/uploads/a b+é 日本.jpg", content=cat, headers=client.key)
        assert (answer.status_code, answer.json()["key"], answer.json()["size"]) == (201, key, len(cat))
        assert (tmp_path / "source" / key).read_bytes() == cat
        again = client.put(f"/api/uploads/{key}", content=b"x", headers=client.key | {"If-None-Match": "*"})
        assert code_of(again) == "precondition-failed"
        digest = base64.b64encode(hashlib.sha256(b"other").digest()).decode()
        wrong = client.put("/api/uploads/x.jpg", content=cat, headers=client.key | {"Content-Digest": f"sha-256=:{digest}:"})
        assert (wrong.status_code, code_of(wrong)) == (422, "checksum-mismatch")
        assert not (tmp_path / "source" / "uploads" / "x.jpg").exists()
        for hostile in ("..%2f..%2fx", "a//b", "a/%00b", "%2e%2e/%2e%2e/x", "x" * 300, ".hidden.jpg", "cat.jpg.part"):
            assert code_of(client.put(f"/api/uploads/{hostile}", content=cat, headers=client.key)) in {
                "invalid-key",
                "not-found",
            }
        assert [path.name for path in (tmp_path / "source" / "uploads").iterdir()] == [key.split("/")[1]]


def test_uploads_over_the_limit_leave_nothing(tmp_path):
    with kinora(tmp_path, max_upload_bytes="100") as client:
        declared = client.put("/api/uploads/x.jpg", content=bytes(101), headers=client.key)
        assert (declared.status_code, code_of(declared)) == (413, "limit-exceeded")
        undeclared = client.put("/api/uploads/x.jpg", content=iter([bytes(60), bytes(60)]), headers=client.key)
        assert (undeclared.status_code, code_of(undeclared)) == (413, "limit-exceeded")
        assert list((tmp_path / "source").rglob("*.jpg")) == []


def test_an_upload_target_is_offered(tmp_path):
    with kinora(tmp_path) as client:
        target = client.post("/api/uploads", json={"key": "cat.jpg"}, headers=client.key).json()
        assert target["url"] == "/api/uploads/uploads/cat.jpg"
        sent = client.request(target["method"], target["url"], content=picture(), headers=client.key | target["headers"])
        assert sent.status_code == 201
        taken = client.post("/api/uploads", json={"key": "cat.jpg"}, headers=client.key)
        assert (taken.status_code, code_of(taken)) == (409, "already-exists")
        replaced = client.post("/api/uploads", json={"key": "cat.jpg", "replace": True}, headers=client.key)
        assert replaced.json()["headers"] == {}
        assert client.post("/api/uploads", json={"key": ""}, headers=client.key).status_code == 422


def test_media_and_jobs_with_everything_derived(tmp_path):
    cat = picture(400, 300)
    with kinora(tmp_path) as client:
        home = client.home
        home.ingest(home.put("cat é.jpg", cat))
        home.work()
        content_hash = hashlib.sha256(cat).hexdigest()
        (listed,) = client.get("/api/media", headers=client.key).json()["media"]
        assert (listed["hash"], listed["originals"], listed["stream_url"]) == (content_hash, ["uploads/cat é.jpg"], None)
        thumbnail = client.get(listed["thumbnail_url"])
        assert (thumbnail.status_code, thumbnail.headers["content-type"]) == (200, "image/webp")
        medium = client.get(f"/api/media/{content_hash}", headers=client.key).json()
        assert {one["name"]: one["width"] for one in medium["derivatives"]} == {
            "image/large.webp": 400, "image/medium.webp": 400, "image/thumb.webp": 320,
        }  # fmt: skip
        original = client.get(medium["originals"][0]["url"])
        assert (original.content, original.headers["content-type"]) == (cat, "image/jpeg")
        assert "filename*=UTF-8''cat%20%C3%A9.jpg" in original.headers["content-disposition"]
        (job,) = client.get("/api/jobs", params={"state": "ready"}, headers=client.key).json()["jobs"]
        assert client.get(f"/api/jobs/{job['id']}", headers=client.key).json() == job
        assert code_of(client.post(f"/api/jobs/{job['id']}/retry", headers=client.key)) == "invalid-input"
        assert code_of(client.get("/api/jobs/nothing", headers=client.key)) == "not-found"
        removed = client.delete(f"/api/media/{content_hash}", headers=client.key).json()
        assert removed == {
            "hash": content_hash, "complete": True, "originals_deleted": [], "originals_kept": ["uploads/cat é.jpg"],
        }  # fmt: skip
        assert home.objects() == []
        assert code_of(client.get(f"/api/media/{content_hash}", headers=client.key)) == "not-found"
        assert code_of(client.delete(f"/api/media/{content_hash}", headers=client.key)) == "not-found"
        assert (tmp_path / "source" / "uploads" / "cat é.jpg").read_bytes() == cat


def test_signatures_come_first_and_hold_for_one_key_and_route(tmp_path):
    cat = picture()
    with kinora(tmp_path) as client:
        home = client.home
        home.ingest(home.put("cat.jpg", cat))
        from kinora.api.access import Access

        good = Access(home.services).sign("original", "uploads/cat.jpg")
        assert client.get(f"/original/{good}/uploads/cat.jpg").content == cat
        assert client.head(f"/original/{good}/uploads/cat.jpg").headers["content-length"] == str(len(cat))
        for wrong in (
            f"/original/{good}/uploads/dog.jpg",
            f"/thumb/{good}/uploads/cat.jpg",
            "/original/x/..%2fsecrets",
            f"/original/{good}x/uploads/cat.jpg",
        ):
            answer = client.get(wrong)
            assert (answer.status_code, code_of(answer)) == (403, "signature-invalid")


def test_the_page_and_its_parts(tmp_path):
    with kinora(tmp_path) as client:
        page = client.get("/")
        assert "<title>Kinora</title>" in page.text
        assert "default-src 'self'" in page.headers["content-security-policy"]
        parts = set(re.findall(r'(?:href|src)="(/page/[^"]+)"', page.text)) - {"/page/vendor/hls.min.js"}  # not everywhere
        parts |= set(re.findall(r'(?:href|src)="(/page/[^"]+)"', client.get("/docs").text))
        parts |= {f"/page/{name}" for name in re.findall(r'from "./([^"]+)"', client.get("/page/console.js").text)}
        assert {"/page/style.css", "/page/console.js", "/page/client.js"} < parts
        for part in parts:
            assert client.get(part).status_code == 200
        assert client.get("/page/../access.py").status_code == 404
        assert client.get("/page/%2e%2e/access.py").status_code == 404


def test_errors_of_the_framework_are_problems_too(tmp_path):
    with kinora(tmp_path) as client:
        assert code_of(client.get("/nothing/here")) == "not-found"
        assert code_of(client.delete("/healthz")) == "method-not-allowed"
        assert code_of(client.get("/api/jobs?limit=0", headers=client.key)) == "validation-failed"
        assert code_of(client.get("/api/media?cursor=garbage", headers=client.key)) == "invalid-input"
