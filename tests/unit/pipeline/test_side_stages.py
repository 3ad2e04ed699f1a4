"""Texts, cover, preview, storyboard and waveform as stages: sent after the first segments, made once, failing alone, made again alone."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from kinora.errors import InvalidInput, NotFound
from kinora.model import JobState, Scope, StageName, StageState
from kinora.object_keys import video_key
from kinora.pipeline.playback import read_index, stream_key
from kinora.pipeline.remove import remove_media
from kinora.pipeline.start import retry
from tests.house import HOUR, house
from tests.unit.media import clips

SIDE = {StageName.SUBTITLES, StageName.POSTER, StageName.PREVIEW, StageName.STORYBOARD, StageName.WAVEFORM}
FILES = ("cover.jpg", "preview.webp", "preview.gif", "storyboard/storyboard.vtt", "storyboard/sheet_0.jpg", "waveform.json")
TEXT = "subtitles/eng/seg_0.vtt"
SMALL = {"ladder": "64", "image_variants": "thumb=64"}


@pytest.fixture(scope="module")
def made(tmp_path_factory) -> dict[str, bytes]:
    """`film` has pictures, sound and text, `tone` only sound, `long` a storyboard of two sheets."""
    folder = tmp_path_factory.mktemp("films")
    picture = "-f lavfi -i testsrc2=s=96x54:r={rate}:d={seconds} -c:v libx264 -preset ultrafast -g {rate}"
    sound = "-f lavfi -i sine=r=48000:d=9 -c:a aac"
    text = tmp_path_factory.mktemp("texts") / "film.srt"
    text.write_text("1\n00:00:01,000 --> 00:00:02,000\nHello\n")
    inputs = f"{sound.removesuffix(' -c:a aac')} -i {text} {picture.format(rate=15, seconds=9)}"
    film = f"{inputs} -c:a aac -c:s mov_text -metadata:s:s:0 language=eng"
    clips.ffmpeg(*film.split(), str(folder / "film.mp4"))
    clips.ffmpeg(*sound.split(), str(folder / "tone.mp4"))
    clips.ffmpeg(*picture.format(rate=2, seconds=60).split(), str(folder / "long.mp4"))
    return {path.stem: path.read_bytes() for path in folder.iterdir()}


@pytest.fixture(scope="module")
def film(made) -> bytes:
    return made["film"]


def states(home) -> dict[StageName, StageState]:
    return {name: stage.state for name, stage in home.job().stages.items()}


def begin(home, data: bytes) -> None:
    home.ingest(home.put("film.mp4", data))
    home.work("prepare")


def block(folder: Path, content_hash: str, path: str) -> Path:
    """Make it impossible to store an object there."""
    blocked = folder / "media" / video_key(content_hash, path)
    blocked.mkdir(parents=True)
    (blocked / "x").write_bytes(b"in the way")
    return blocked


def unblock(blocked: Path) -> None:
    (blocked / "x").unlink()
    blocked.rmdir()


def test_everything_is_made_and_served(tmp_path, film):
    with house(tmp_path, **SMALL) as home:
        begin(home, film)
        assert {states(home)[name] for name in SIDE} == {StageState.PENDING}
        home.work()
        assert home.job().state is JobState.READY
        assert {states(home)[name] for name in SIDE} == {StageState.READY}
        for path in (*FILES, TEXT):
            assert home.services.storage.head(Scope.MEDIA, stream_key(home.job().hash, path)).size > 0
        assert home.services.storage.open(Scope.MEDIA, stream_key(home.job().hash, TEXT)).read().endswith(b"\nHello\n")
        assert "/eng/playlist.m3u8" in read_index(home.services, home.job().hash, "master.m3u8")
        assert "sheet_0.jpg#xywh=0,0," in read_index(home.services, home.job().hash, FILES[3])
        waveform = home.services.storage.open(Scope.MEDIA, stream_key(home.job().hash, "waveform.json")).read()
        assert json.loads(waveform)["version"] == 2


@pytest.mark.parametrize("path", ["storyboard/sheet_00.jpg", "storyboard/../plan.json", "storyboard/x.vtt", "plan.json"])
def test_nothing_else_is_offered(path):
    with pytest.raises(NotFound):
        stream_key("ab" * 32, path)


def test_the_first_segments_come_before_what_lies_beside_them(tmp_path, film):
    with house(tmp_path, task_seconds="1", **SMALL | {"ladder": "64,48"}) as home:
        begin(home, film)
        order = [body["task"] for body in home.waiting("encode")]
        assert order[:2] == ["encode", "audio"]
        beside = order.index("subtitles")
        assert order[beside : beside + 5] == ["subtitles", "poster", "waveform", "preview", "storyboard"]
        assert "encode" in order[beside + 5 :]


@pytest.mark.parametrize(
    ("name", "skipped"),
    [
        ("long", {StageName.AUDIO, StageName.WAVEFORM, StageName.SUBTITLES}),
        ("tone", SIDE - {StageName.WAVEFORM} | {StageName.VIDEO}),
    ],
)
def test_what_the_media_does_not_have_is_skipped(tmp_path, made, name, skipped):
    with house(tmp_path, **SMALL) as home:
        begin(home, made[name])
        home.work()
        known = SIDE | {StageName.AUDIO, StageName.VIDEO}
        assert {stage for stage in known if states(home)[stage] is StageState.SKIPPED} == skipped
        assert home.job().state is JobState.READY


@pytest.mark.parametrize(
    ("path", "stage"),
    [
        ("cover.jpg", StageName.POSTER),
        ("preview.gif", StageName.PREVIEW),
        ("storyboard/sheet_0.jpg", StageName.STORYBOARD),
        ("waveform.json", StageName.WAVEFORM),
        (TEXT, StageName.SUBTITLES),
    ],
)
def test_a_stage_fails_alone_and_is_made_again_alone(tmp_path, film, path, stage):
    with house(tmp_path, max_attempts="2", **SMALL) as home:
        begin(home, film)
        blocked = block(tmp_path, home.job().hash, path)
        home.work()
        assert home.job().state is JobState.READY
        assert {name for name, state in states(home).items() if state is StageState.FAILED} == {stage}
        unblock(blocked)
        retry(home.services, home.job().id)
        home.work("prepare")
        assert [body["task"] for body in home.waiting("encode")] == [stage.value]
        home.work()
        assert (home.job().state, states(home)[stage]) == (JobState.READY, StageState.READY)
        with pytest.raises(InvalidInput):
            retry(home.services, home.job().id)


def test_a_task_that_comes_twice_or_late_does_no_work(tmp_path, film):
    with house(tmp_path, **SMALL) as home:
        begin(home, film)
        tasks = home.waiting("encode")
        home.work("encode", limit=len(tasks) - 1)
        stored = {
            key: home.services.storage.head(Scope.MEDIA, key).modified_at
            for key in home.objects()
            if not key.endswith((".m4s", ".m3u8"))
        }
        home.services.queues.send("encode", [body for body in tasks if body["task"] in {stage.value for stage in SIDE}])
        home.work()
        assert {key: home.services.storage.head(Scope.MEDIA, key).modified_at for key in stored} == stored
        assert home.job().state is JobState.READY


def test_stages_that_lost_their_original_are_made_when_it_comes_back(tmp_path, film):
    with house(tmp_path, **SMALL) as home:
        begin(home, film)
        side = {stage.value for stage in SIDE}
        later = [body for body in home.waiting("encode") if body["task"] in side]
        while found := home.services.queues.receive("encode", 10):
            bodies = [json.loads(message.body) for message in found]
            assert all(home.services.queues.delete("encode", message.receipt) for message in found)
            home.services.queues.send("image", [body for body in bodies if body["task"] not in side])
        home.work("image")
        home.ingest(home.remove("film.mp4"))
        home.services.queues.send("encode", later)
        home.work()
        assert home.job().state is JobState.READY
        assert {states(home)[name] for name in SIDE} == {StageState.FAILED}
        home.ingest(home.put("again.mp4", film))
        home.work()
        assert {states(home)[name] for name in SIDE} == {StageState.READY}


def test_a_storyboard_that_runs_out_of_time_goes_on_with_the_next_sheet(tmp_path, made):
    with house(tmp_path, **SMALL) as home:
        begin(home, made["long"])
        storyboard = next(body for body in home.waiting("encode") if body["task"] == "storyboard")
        while found := home.services.queues.receive("encode", 10):
            assert all(home.services.queues.delete("encode", message.receipt) for message in found)
        home.services.queues.send("encode", [storyboard])
        clock = iter([1000, 100])
        home.work("encode", limit=1, remaining=lambda: next(clock))
        assert home.waiting("encode") == [storyboard | {"first": 1}]
        assert states(home)[StageName.STORYBOARD] is StageState.RUNNING
        home.work("encode", remaining=lambda: HOUR)
        assert states(home)[StageName.STORYBOARD] is StageState.READY
        sheets = [key for key in home.objects() if "/sheet_" in key]
        assert [key.rsplit("/")[-1] for key in sheets] == ["sheet_0.jpg", "sheet_1.jpg"]


@pytest.mark.parametrize("first", [-1, 99, "1", None])
def test_a_task_for_sheets_that_do_not_exist_fails_its_stage(tmp_path, made, first):
    with house(tmp_path, **SMALL) as home:
        begin(home, made["film"])
        job = home.job()
        home.services.queues.send("image", [{"task": "storyboard", "job": job.id, "first": first}])
        home.work("image")
        assert home.job().stages[StageName.STORYBOARD].error.code == "invalid-event"


def test_media_removed_meanwhile_leaves_no_sheets(tmp_path, made):
    with house(tmp_path, **SMALL) as home:
        begin(home, made["long"])
        content_hash = home.job().hash
        calls = []

        def remaining() -> int:  # asked for the second time after the first sheet
            calls.append(HOUR)
            if len(calls) == 2:
                assert [key for key in home.objects() if "/sheet_0" in key]
                assert remove_media(home.services, content_hash, originals=False)["complete"]
            return HOUR

        home.services.queues.send("image", [{"task": "storyboard", "job": home.job().id}])
        home.work("image", limit=1, remaining=remaining)
        assert len(calls) == 2
        assert home.objects() == []
