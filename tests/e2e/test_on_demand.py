"""Playing what is not encoded: from the first second to the far end, while nothing or everything else is being encoded."""

from __future__ import annotations

import os
import signal
import struct
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.parse import urljoin

import httpx
import imageio_ffmpeg
import m3u8
import pytest

from kinora.media import segment
from kinora.media.plan import Plan
from kinora.object_keys import video_key
from tests.e2e.instance import Instance, kinora_up
from tests.e2e.running import objects
from tests.e2e.test_players import decoded_frames
from tests.unit.local.run_cli import kinora as kinora_command
from tests.unit.media import clips

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("e2e")]

FILM = Path(__file__).parents[1] / "media" / "bigbuckbunny.mp4"
SEEK_SECONDS = 15.0  # on a machine whose cores are all taken; alone it is a tenth of that


def looped(target: Path, times: int) -> Path:
    """The film again and again, not encoded anew."""
    loop = [imageio_ffmpeg.get_ffmpeg_exe(), "-v", "error", "-stream_loop", str(times - 1), "-i", str(FILM), "-c", "copy"]
    subprocess.run([*loop, str(target)], check=True, timeout=60)
    return target


def segments_of(data: Path) -> set[str]:
    return {key.split("/", 3)[3] for key in objects(data / "media") if key.endswith(".m4s")}


def stream_of(kinora: Instance, job: dict[str, object]) -> str:
    return urljoin(kinora.url, kinora.client.get(str(job["media_url"])).json()["stream_url"])


@pytest.fixture(scope="module")
def film(tmp_path_factory) -> Path:
    """20 s with sound, in four segments."""
    path = tmp_path_factory.mktemp("film") / "film.mp4"
    picture = "-f lavfi -i testsrc2=s=320x180:r=25:d=20 -c:v libx264 -preset ultrafast -g 25"
    clips.ffmpeg(*f"-f lavfi -i sine=r=48000:d=20 -c:a aac {picture}".split(), str(path))
    return path


@pytest.fixture(scope="module")
def watched(tmp_path_factory):
    with kinora_up(tmp_path_factory.mktemp("kinora"), KINORA_ENCODE="on_demand", KINORA_LADDER="180,90") as running:
        yield running


def test_ffmpeg_plays_a_stream_of_which_next_to_nothing_is_encoded(watched, film):
    put = kinora_command("put", "--data", watched.data, film)
    assert (put.code, "playable" in put.out) == (0, True), put.err
    job = watched.client.get("/api/jobs").json()["jobs"][0]
    first = {f"{track}/seg_{n}.m4s" for track in ("video/r90_h264", "audio/und_aac_1ch") for n in (0, 1)}
    assert segments_of(watched.data) == first
    expected = decoded_frames(str(film), "-map", "0:v")
    for variant in range(2):
        assert decoded_frames(stream_of(watched, job), "-map", f"0:v:{variant}", "-map", "0:a") == expected
    plan = Plan.from_json((watched.data / "media" / video_key(job["hash"], "plan.json")).read_bytes())
    assert segments_of(watched.data) == {
        f"{track}/seg_{n}.m4s" for track in plan.tracks() for n in range(plan.segment_count(track))
    }
    assert watched.client.get(f"/api/jobs/{job['id']}").json()["state"] == "ready"


def test_the_far_end_can_be_watched_while_everything_is_encoded(tmp_path):
    original = looped(tmp_path / "long.mp4", 57)  # five minutes
    with kinora_up(tmp_path / "kinora") as kinora:
        key = kinora.upload("long.mp4", original.read_bytes())
        job = kinora.wait_for(key, "encoding")
        stream = stream_of(kinora, job)
        playlists = m3u8.loads(kinora.client.get(stream).text, uri=stream)
        for one in (playlists.playlists[0], playlists.playlists[-1], playlists.media[0]):
            media = m3u8.loads(kinora.client.get(one.absolute_uri).text, uri=one.absolute_uri)
            assert sum(part.duration for part in media.segments) > 290
            begun = time.monotonic()
            answer = kinora.client.get(media.segments[-2].absolute_uri)
            assert (answer.status_code, time.monotonic() - begun < SEEK_SECONDS) == (200, True)
        assert kinora.job(key)["progress"] < 0.9

        plan = Plan.from_json((kinora.data / "media" / video_key(job["hash"], "plan.json")).read_bytes())
        n = len(plan.timeline) - 5
        with ThreadPoolExecutor(8) as threads, original.open("rb") as file:
            address = f"/stream/{job['hash']}/video/r240_h264/seg_{n}.m4s"
            answers = list(threads.map(lambda _: kinora.client.get(address).content, range(8)))
            assert set(answers) == {segment.encode(file, plan, "r240_h264", n)}


def test_kinora_stops_at_once_although_viewers_wait(tmp_path):
    original = looped(tmp_path / "long.mp4", 30)
    with ThreadPoolExecutor(6) as threads:
        with kinora_up(tmp_path / "kinora", KINORA_ENCODE="on_demand") as kinora:
            key = kinora.upload("long.mp4", original.read_bytes())
            address = f"/stream/{kinora.wait_for(key, 'playable')['hash']}/video/r720_h264/seg_{{}}.m4s"
            waiting = [threads.submit(kinora.client.get, address.format(n)) for n in range(10, 16)]
            while not any((kinora.data / "media").rglob("r720_h264/seg_*.m4s")):
                time.sleep(0.05)
            os.kill(kinora.pid, signal.SIGTERM)
            begun = time.monotonic()
            answers = [one.result().status_code for one in waiting]
            assert time.monotonic() - begun < 8, "no viewer is waited for"
        assert {503} <= set(answers) <= {200, 503}


def test_worker_processes_make_pictures_of_photos_and_of_films(watched, film):
    photo = FILM.with_name("china.jpg")
    assert kinora_command("put", "--data", watched.data, photo, film).code == 0
    for original, expected in ((photo.name, (48, 32)), (film.name, (48, 27))):
        options = ("--options", "w:48", "--data", watched.data)
        signed = kinora_command("sign", *options, "img", f"uploads/{original}.png")
        answer = httpx.get(signed.out.strip())
        assert (answer.status_code, answer.content[16:24]) == (200, struct.pack(">II", *expected)), signed.err
        assert httpx.get(signed.out.strip(), headers={"If-None-Match": answer.headers["etag"]}).status_code == 304
    assert len([key for key in objects(watched.data / "media") if key.startswith("cache/")]) == 2
