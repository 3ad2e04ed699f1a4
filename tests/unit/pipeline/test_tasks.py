"""From the first task to the end of a job, and everything that may happen on the way."""

from __future__ import annotations

import hashlib
from pathlib import Path

import m3u8
import pytest

from kinora.errors import InvalidInput, NotFound
from kinora.model import JobState, Scope, StageName, StageState
from kinora.object_keys import video_key
from kinora.pipeline.derivatives import store_derivative
from kinora.pipeline.remove import remove_media
from kinora.pipeline.segments import store_segment
from kinora.pipeline.start import retry
from kinora.pipeline.sweep import sweep
from tests.house import HOUR, house
from tests.pictures import picture
from tests.unit.media import clips

CLIP = Path(__file__).parents[2] / "media" / "bigbuckbunny.mp4"
SMALL = {"ladder": "240,144"}
SIDE_TASKS = ("poster", "waveform", "preview", "storyboard")


@pytest.fixture(scope="module")
def clip() -> bytes:
    return CLIP.read_bytes()


def digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def test_a_picture_becomes_thumbnails(tmp_path):
    with house(tmp_path, image_variants="small=20,square=16x16", image_formats="webp,jpg") as home:
        home.ingest(home.put("cat.png", picture(kind="PNG")))
        assert home.work() == 1
        assert home.job().state is JobState.READY
        names = [one.name for one in home.services.catalog.derivatives(home.job().hash)]
        assert names == ["image/small.jpg", "image/small.webp", "image/square.jpg", "image/square.webp"]
        assert len(home.objects()) == 4


def test_a_damaged_picture_fails_with_a_code_and_is_not_tried_again(tmp_path):
    with house(tmp_path) as home:
        home.ingest(home.put("cat.jpg", picture(800, 600)[:5000]))
        assert home.work() == 1
        assert (home.job().state, home.job().error.code) == (JobState.FAILED, "corrupt-media")
        assert home.job().stages[StageName.IMAGE].state is StageState.FAILED


def test_a_video_is_playable_before_it_is_encoded_and_ready_afterwards(tmp_path, clip):
    with house(tmp_path, **SMALL) as home:
        home.ingest(home.put("clip.mp4", clip))
        assert home.work("prepare") == 1
        job = home.job()
        assert (job.state, job.progress, job.playable_at is not None) == (JobState.ENCODING, 0.0, True)
        base = tmp_path / "media" / video_key(job.hash, "")
        master = m3u8.load(str(base / "master.m3u8"))
        for playlist in [*(one.uri for one in master.playlists), *(one.uri for one in master.media)]:
            assert (base / playlist).parent.joinpath("init.mp4").exists()
            assert m3u8.load(str(base / playlist)).segments
        assert not list(base.rglob("*.m4s"))
        home.work()
        job = home.job()
        assert (job.state, job.progress) == (JobState.READY, 1.0)
        made = {stage.state for name, stage in job.stages.items() if name is not StageName.SUBTITLES}
        assert (made, job.stages[StageName.SUBTITLES].state) == ({StageState.READY}, StageState.SKIPPED)
        for playlist in base.glob("*/*/playlist.m3u8"):
            assert all((playlist.parent / segment.uri).exists() for segment in m3u8.load(str(playlist)).segments)
        assert {one.name for one in home.services.catalog.derivatives(job.hash)} == {
            *("stream", "poster", "preview.webp", "preview.gif", "storyboard", "waveform"),
            *("image/thumb.webp", "image/medium.webp", "image/large.webp"),
        }
        assert [event.type for event in home.announced()] == ["job.playable", "job.ready"]


def test_every_message_twice_makes_the_same_objects_and_rows(tmp_path, clip):
    with house(tmp_path, **SMALL) as home:
        event = home.put("clip.mp4", clip)
        home.ingest(event, event)
        for queue in ("prepare", "encode"):
            home.services.queues.send(queue, home.waiting(queue))
            home.work(queue)
            before = {
                key: home.services.storage.head(Scope.MEDIA, key).etag
                for key in home.objects()
                if key.endswith((".m4s", ".mp4"))
            }
        job = home.job()
        assert (job.state, job.progress) == (JobState.READY, 1.0)
        home.ingest(event)
        assert home.work() == 0
        assert before == {key: home.services.storage.head(Scope.MEDIA, key).etag for key in before}


def test_a_task_that_runs_out_of_time_hands_its_rest_back(tmp_path):
    clips.ffmpeg("-f", "lavfi", "-i", "sine=d=20", "-c:a", "aac", str(tmp_path / "tone.mp4"))
    with house(tmp_path / "data", **SMALL) as home:
        home.ingest(home.put("tone.mp4", (tmp_path / "tone.mp4").read_bytes()))
        home.work("prepare")
        audio = home.waiting("encode")[0]
        clock = iter([1000, *[100] * 10_000])
        assert (audio["task"], audio["stop"] > 1) == ("audio", True)
        home.work("encode", limit=1, remaining=lambda: next(clock))
        assert audio | {"first": 1} in home.waiting("encode")
        home.work()
        assert home.job().state is JobState.READY


def test_a_canceled_or_removed_job_stops_its_tasks(tmp_path, clip):
    with house(tmp_path, **SMALL) as home:
        home.ingest(home.put("clip.mp4", clip))
        home.work("prepare")
        home.services.jobs.delete(home.job().id)
        assert home.work() > 0
        assert not [key for key in home.objects() if key.endswith(".m4s")]


def test_an_original_that_vanishes_fails_the_job_and_its_return_starts_it_again(tmp_path, clip):
    with house(tmp_path, **SMALL) as home:
        home.ingest(home.put("clip.mp4", clip))
        home.ingest(home.remove("clip.mp4"))
        home.work()
        assert (home.job().state, home.job().error.code) == (JobState.FAILED, "original-gone")
        home.ingest(home.put("back.mp4", clip))
        home.work()
        assert home.job().state is JobState.READY


def test_retry_makes_only_what_is_missing(tmp_path, clip):
    with house(tmp_path, **SMALL) as home:
        home.ingest(home.put("clip.mp4", clip))
        home.work("prepare")
        done = home.waiting("encode")[0]
        home.work("encode", limit=1)
        home.ingest(home.remove("clip.mp4"))
        home.work()
        assert home.job().error.code == "original-gone"
        home.services.storage.put(Scope.SOURCE, "uploads/clip.mp4", clip)
        home.ingest(home.created("uploads/clip.mp4"))
        home.work("prepare")
        assert done not in home.waiting("encode")
        assert {body["task"] for body in home.waiting("encode")} >= {"encode", *SIDE_TASKS}
        home.work()
        assert home.job().state is JobState.READY
        with pytest.raises(InvalidInput):
            retry(home.services, home.job().id)


def test_what_is_stored_after_a_removal_is_taken_back(tmp_path, clip):
    with house(tmp_path, **SMALL) as home:
        home.ingest(home.put("clip.mp4", clip))
        home.work("prepare")
        job = home.job()
        audio = next(body for body in home.waiting("encode") if body["task"] == "audio")
        assert remove_media(home.services, job.hash, originals=False)["complete"]
        with pytest.raises(NotFound):
            store_segment(home.services, job.hash, str(audio["track"]), 0, b"late")
        with pytest.raises(NotFound):
            store_derivative(home.services, job, "poster", video_key(job.hash, "cover.jpg"), b"late")
        assert home.objects() == []


def test_work_that_is_killed_every_time_ends_in_the_job(tmp_path):
    with house(tmp_path, max_attempts="2") as home:
        home.ingest(home.put("cat.jpg", picture()))
        for _ in range(2):  # received, and never heard of again
            (message,) = home.services.queues.receive("image")
            home.services.queues.change_visibility("image", message.receipt, 0)
        home.work(limit=1)
        assert (home.job().state, home.job().error.code) == (JobState.FAILED, "exhausted")


def test_the_sweep_collects_after_the_grace_period_and_not_before(tmp_path):
    now = [1_800_000_000.0]
    cat = picture()
    with house(tmp_path, clock=lambda: now[0], grace_seconds="100") as home:
        home.ingest(home.put("one.jpg", cat), home.put("two.jpg", cat))
        home.work()
        home.ingest(home.remove("one.jpg"))
        now[0] += 200
        assert sweep(home.services, lambda: HOUR)["collected"] == 0
        home.ingest(home.remove("two.jpg"))
        now[0] += 99
        assert sweep(home.services, lambda: HOUR)["collected"] == 0
        assert home.objects()
        now[0] += 2
        assert sweep(home.services, lambda: HOUR)["collected"] == 1
        assert (home.objects(), home.jobs(), home.services.catalog.blob(digest(cat))) == ([], [], None)
        home.ingest(home.put("again.jpg", cat))
        home.work()
        assert home.job().state is JobState.READY


def test_a_cover_that_cannot_be_made_does_not_block_the_stream(tmp_path, clip):
    with house(tmp_path, image_variants="thumb=320", **SMALL) as home:
        home.ingest(home.put("clip.mp4", clip))
        home.work("prepare")
        blocked = tmp_path / "media" / video_key(home.job().hash, "cover.jpg")
        blocked.mkdir()
        (blocked / "x").write_bytes(b"nothing can be stored there")
        home.work()
        job = home.job()
        assert (job.state, job.stages[StageName.POSTER].state) == (JobState.READY, StageState.FAILED)


def test_copied_segments_come_early_in_tasks_of_their_own(tmp_path):
    film = clips.clip("web").read_bytes()
    with house(tmp_path, ladder="108,64") as home:
        home.ingest(home.put("web.mp4", film))
        home.work("prepare")
        tasks = [body for body in home.waiting("encode") if body["task"] == "encode"]
        assert [(task["renditions"], task["first"]) for task in tasks] == [
            *(("encoded", 0), ("copied", 0), ("encoded", 1), ("copied", 1), ("copied", 2)),
            ("encoded", 2),  # and the ones behind it
        ]
        home.work("encode", limit=5)
        stored = {key.rpartition("/video/")[2] for key in home.objects() if key.endswith(".m4s") and "/video/" in key}
        assert stored >= {f"r108_h264/seg_{n}.m4s" for n in range(4)}
        assert "r64_h264/seg_2.m4s" not in stored
        home.work()
        assert (home.job().state, home.job().progress) == (JobState.READY, 1.0)
        assert {key.rpartition("/video/")[2] for key in home.objects() if key.endswith(".m4s")} >= {
            f"{name}/seg_{n}.m4s" for name in ("r108_h264", "r64_h264") for n in range(4)
        }
