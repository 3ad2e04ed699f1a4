"""Proxies on request: made once from stored segments, with what is missing encoded first, harmless when repeated or interrupted."""

from __future__ import annotations

import pytest
from fastapi.testclient import TestClient

from kinora.api.app import create_app
from kinora.errors import NotFound
from kinora.model import JobState, Scope
from kinora.object_keys import video_key
from kinora.pipeline.exports import request_proxy
from tests.house import HOUR, house
from tests.unit.media import clips

SMALL = {"ladder": "64", "image_variants": "thumb=64"}


@pytest.fixture(scope="module")
def film(tmp_path_factory) -> bytes:
    path = tmp_path_factory.mktemp("film") / "film.mp4"
    source = "-f lavfi -i testsrc2=s=96x54:r=15:d=9 -f lavfi -i sine=r=48000:d=9"
    clips.ffmpeg(*f"{source} -c:v libx264 -preset ultrafast -g 30 -c:a aac".split(), str(path))
    return path.read_bytes()


def test_a_proxy_is_made_once_and_served(tmp_path, film):
    with house(tmp_path, **SMALL) as home, TestClient(create_app(home.services)) as client:
        key = {"X-Api-Key": home.api_key}
        home.ingest(home.put("film.mp4", film))
        assert client.post(f"/api/media/{home.job().hash}/proxy", headers=key).status_code == 404
        home.work()
        address = f"/api/media/{home.job().hash}/proxy"
        assert client.post(address).status_code == 401
        answer = client.post(address, headers=key)
        assert (answer.status_code, answer.json()["state"]) == (202, "pending")
        assert client.post(address, headers=key, json={"rendition": answer.json()["rendition"]}).status_code == 202
        assert client.post(address, headers=key, json={"rendition": "r9_none"}).status_code == 404
        assert home.work("encode") == 1
        answer = client.post(address, headers=key)
        assert (answer.status_code, answer.json()["state"]) == (200, "ready")
        whole = client.get(answer.json()["url"])
        assert whole.headers["content-type"] == "video/mp4"
        assert len(whole.content) == answer.json()["size"]
        part = client.get(answer.json()["url"], headers={"Range": "bytes=4-7"})
        assert (part.status_code, part.content) == (206, b"ftyp")
        (tmp_path / "proxy.mp4").write_bytes(whole.content)
        frames = clips.ffmpeg("-i", str(tmp_path / "proxy.mp4"), "-map", "0:v", "-f", "framemd5", "-")
        assert len([line for line in frames.splitlines() if not line.startswith("#")]) == 135
        assert home.waiting("encode") == []
        listed = client.get(f"/api/media/{home.job().hash}", headers=key).json()["derivatives"]
        assert [one["url"] for one in listed if one["name"].startswith("proxy/")] == [answer.json()["url"]]


def test_what_is_missing_is_made_first_and_a_late_task_goes_on_later(tmp_path, film):
    with house(tmp_path, encode="on_demand", **SMALL) as home:
        home.ingest(home.put("film.mp4", film))
        home.work()
        assert home.job().is_at_rest
        request_proxy(home.services, home.job().hash, None)
        times = iter([HOUR, HOUR, 1, *[HOUR] * 1000])
        home.work("encode", remaining=lambda: next(times))
        assert any("proxy/" in one for one in home.objects())
        assert home.job().state is JobState.READY


def test_it_waits_for_what_others_encode(tmp_path, film):
    with house(tmp_path, **SMALL) as home:
        home.ingest(home.put("film.mp4", film))
        home.work("prepare")
        tasks = home.waiting("encode")
        request_proxy(home.services, home.job().hash, None)
        (mine,) = [one for one in home.waiting("encode") if one not in tasks]
        home.services.queues.send("prepare", [mine])
        before = home.objects()
        home.work("prepare")
        assert home.objects() == before


def test_one_that_fails_or_is_asked_for_in_vain_leaves_the_job_alone(tmp_path, film):
    with house(tmp_path, **SMALL) as home:
        home.ingest(home.put("film.mp4", film))
        home.work()
        content_hash = home.job().hash
        home.services.queues.send("encode", [{"task": "proxy", "job": home.job().id, "rendition": 7}])
        home.services.queues.send("encode", [{"task": "proxy", "job": home.job().id, "rendition": "none"}])
        home.work("encode")
        assert home.job().state is JobState.READY
        video = home.services.storage.list(Scope.MEDIA, video_key(content_hash, "video/"))
        broken = next(one.key for one in video if one.key.endswith("seg_1.m4s"))
        home.services.storage.put(Scope.MEDIA, broken, b"\0" * 100)
        request_proxy(home.services, content_hash, None)
        home.work("encode")
        assert home.job().state is JobState.READY
        assert not any("proxy/" in one for one in home.objects())
        with pytest.raises(NotFound):
            request_proxy(home.services, "0" * 64, None)
