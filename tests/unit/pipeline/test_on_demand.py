"""Segments made because somebody asks: the same bytes, once, counted, and refused in words; media encoded only as watched."""

from __future__ import annotations

import dataclasses
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest
from fastapi.testclient import TestClient

from kinora.api.app import create_app
from kinora.errors import CorruptMedia, Pending
from kinora.invoking.base import Request, is_made, segment_request
from kinora.model import Failure, JobState, Scope, StageName, StageState
from kinora.object_keys import init_path, segment_path, video_key
from kinora.pipeline.leases import LEASE_SECONDS
from kinora.pipeline.plans import load_plan
from kinora.pipeline.start import retry
from kinora.pipeline.sweep import sweep
from kinora.pipeline.tasks import perform
from kinora.pipeline.work import fail, failure_of, update
from tests.house import HOUR, House, house
from tests.unit.media import clips

SMALL = {"ladder": "54,32", "image_variants": "thumb=64"}
TOP, LOW, SOUND = "video/r54_h264", "video/r32_h264", "audio/und_aac_1ch"
SECONDS = 16


@pytest.fixture(scope="module")
def film(tmp_path_factory) -> bytes:
    path = tmp_path_factory.mktemp("film") / "film.mp4"
    picture = f"-f lavfi -i testsrc2=s=96x54:r=15:d={SECONDS} -c:v libx264 -preset ultrafast -g 15"
    clips.ffmpeg(*f"-f lavfi -i sine=r=48000:d={SECONDS} -c:a aac {picture}".split(), str(path))
    return path.read_bytes()


def begin(home: House, film: bytes) -> str:
    """Put the film in and make it playable; gives its hash."""
    home.ingest(home.put("film.mp4", film))
    home.work("prepare")
    return home.job().hash


def ask(home: House, content_hash: str, track: str, n: int | None) -> bool:
    """As the API asks the video function."""
    return is_made(perform(home.services, segment_request(content_hash, track, n), lambda: HOUR))


def refusal(home: House, content_hash: str, track: str, n: object) -> tuple[int, str]:
    event = {**segment_request(content_hash, track, None), "n": n}
    error = perform(home.services, event, lambda: HOUR)["error"]
    return error["status"], error["code"]


def stored(home: House) -> dict[str, bytes]:
    """Every segment and init segment, by its path below the stream."""
    media = {}
    for key in home.objects():
        if key.endswith((".m4s", "init.mp4")):
            with home.services.storage.open(Scope.MEDIA, key) as reader:
                media[key.split("/", 3)[3]] = reader.read()
    return media


@pytest.fixture(scope="module")
def eager(tmp_path_factory, film) -> dict[str, bytes]:
    with house(tmp_path_factory.mktemp("eager"), **SMALL) as home:
        begin(home, film)
        home.work()
        assert home.job().state is JobState.READY
        return stored(home)


def test_asked_for_or_not_every_segment_is_the_same_and_counted_once(tmp_path, film, eager):
    with house(tmp_path, **SMALL) as home:
        content_hash = begin(home, film)
        for path in sorted(eager, reverse=True):
            track, file = path.rsplit("/", 1)
            n = None if file == "init.mp4" else int(file[4:-4])
            assert ask(home, content_hash, track, n)
            assert ask(home, content_hash, track, n)
        assert stored(home) == eager
        job = home.job()
        assert (job.segments_done, job.progress) == (job.segments_planned, 1.0)
        assert (job.state, job.stages[StageName.VIDEO].state) == (JobState.ENCODING, StageState.READY)
        home.work()
        assert home.job().state is JobState.READY
        assert stored(home) == eager


def test_the_first_segments_are_made_for_every_encoded_rung_at_once_and_the_others_alone(tmp_path, film):
    middle = "video/r42_h264"
    with house(tmp_path, ladder="54,42,32") as home:
        content_hash = begin(home, film)
        assert ask(home, content_hash, LOW, 2)
        assert ask(home, content_hash, LOW, 0)
        made = {segment_path(LOW, 0), segment_path(middle, 0), segment_path(LOW, 2)}
        once = stored(home)
        assert {path for path in once if path.endswith(".m4s")} == made
        assert home.job().segments_done[StageName.VIDEO] == 3
        home.services.storage.delete(Scope.MEDIA, video_key(content_hash, segment_path(LOW, 0)))
        assert ask(home, content_hash, LOW, 0)
        assert stored(home) == once


def test_the_background_waits_while_the_first_segment_is_made_for_a_viewer(tmp_path, film):
    with house(tmp_path, ladder="54,42,32") as home:
        content_hash = begin(home, film)
        home.services.leases.acquire(f"segment#{content_hash}/video/0", "somebody", time.time() + 1, time.time())
        assert not ask(home, content_hash, LOW, 0)
        start = time.monotonic()
        home.work()
        assert time.monotonic() - start > 0.9
        assert home.job().state is JobState.READY


def test_a_lost_init_segment_is_made_again(tmp_path, film, eager):
    with house(tmp_path, **SMALL) as home:
        content_hash = begin(home, film)
        for track in (TOP, LOW, SOUND):
            home.services.storage.delete(Scope.MEDIA, video_key(content_hash, init_path(track)))
            assert ask(home, content_hash, track, None)
        assert stored(home) == {path: data for path, data in eager.items() if path.endswith("init.mp4")}


def test_what_is_watched_only_is_encoded_only_then(tmp_path, film, eager):
    now = [1000.0]
    with house(tmp_path, clock=lambda: now[0], encode="on_demand", **SMALL) as home:
        content_hash = begin(home, film)
        assert home.waiting("encode")[0]["task"] == "first"
        assert not home.job().is_at_rest
        home.work()
        job = home.job()
        assert (job.state, job.is_at_rest, job.ready_at) == (JobState.PLAYABLE, True, None)
        first = {segment_path(track, n) for track in (LOW, SOUND) for n in (0, 1)}
        assert {path for path in stored(home) if path.endswith(".m4s")} == first
        assert job.stages[StageName.POSTER].state is StageState.READY
        now[0] += 100 * home.services.settings.stuck_seconds
        assert sweep(home.services, lambda: HOUR)["repaired"] == 0
        for path in sorted(eager.keys() - stored(home).keys()):
            assert home.job().state is JobState.PLAYABLE
            ask(home, content_hash, path.rsplit("/", 1)[0], int(path.rsplit("_", 1)[1].removesuffix(".m4s")))
        assert (home.job().state, home.job().ready_at) == (JobState.READY, now[0])
        assert stored(home) == eager
        assert [event.type for event in home.announced()] == ["job.playable", "job.ready"]


def test_first_segments_that_got_lost_are_made_by_the_sweep(tmp_path, film):
    now = [1000.0]
    with house(tmp_path, clock=lambda: now[0], encode="on_demand", **SMALL) as home:
        begin(home, film)
        for message in home.services.queues.receive("encode", 10):
            home.services.queues.delete("encode", message.receipt)
        now[0] += 2 * home.services.settings.stuck_seconds
        assert sweep(home.services, lambda: HOUR)["repaired"] == 1
        home.work()
        assert home.job().is_at_rest
        assert segment_path(LOW, 1) in stored(home)


def test_a_side_stage_of_a_job_at_rest_can_be_tried_again(tmp_path, film):
    with house(tmp_path, encode="on_demand", **SMALL) as home:
        content_hash = begin(home, film)
        blocked = tmp_path / "media" / video_key(content_hash, "cover.jpg")
        blocked.mkdir()
        (blocked / "x").write_bytes(b"in the way")
        home.work()
        assert (home.job().is_at_rest, home.job().stages[StageName.POSTER].state) == (True, StageState.FAILED)
        (blocked / "x").unlink()
        blocked.rmdir()
        retry(home.services, home.job().id)
        home.work()
        assert (home.job().is_at_rest, home.job().stages[StageName.POSTER].state) == (True, StageState.READY)


def test_who_finds_a_segment_being_made_is_told_so_until_the_maker_must_be_dead(tmp_path, film):
    now = [1000.0]
    with house(tmp_path, clock=lambda: now[0], **SMALL) as home:
        content_hash = begin(home, film)
        name = f"segment#{content_hash}/{LOW}/2"
        assert home.services.leases.acquire(name, "somebody", now[0] + LEASE_SECONDS, now[0])
        assert ask(home, content_hash, LOW, 2) is False
        assert ask(home, content_hash, LOW, 1) is True
        assert segment_path(LOW, 2) not in stored(home)
        now[0] += LEASE_SECONDS
        assert ask(home, content_hash, LOW, 2) is True
        assert home.services.leases.acquire(name, "another", now[0] + 1, now[0]), "given back"


def test_many_at_once_encode_once(tmp_path, film):
    """Every one of them has its own way to the same file and database, as functions have."""
    with house(tmp_path, **SMALL) as home:
        content_hash = begin(home, film)
        opened = []
        reading = home.services.storage.open

        def noted(scope, key, *rest, **more):
            opened.append(scope)
            return reading(scope, key, *rest, **more)

        storage = Noting(home.services.storage, noted)
        home.services = dataclasses.replace(home.services, storage=storage)
        with ThreadPoolExecutor(8) as threads:
            told = list(threads.map(lambda _: ask(home, content_hash, TOP, 1), range(8)))
        assert True in told
        assert opened.count(Scope.SOURCE) == 1
        assert segment_path(TOP, 1) in stored(home)


class Noting:
    """A storage whose `open` is another one."""

    def __init__(self, storage, opening: Callable) -> None:
        self._storage = storage
        self.open = opening

    def __getattr__(self, name: str):
        return getattr(self._storage, name)


def test_what_cannot_be_made_is_refused_in_words(tmp_path, film):
    with house(tmp_path, **SMALL) as home:
        content_hash = begin(home, film)
        count = load_plan(home.services, content_hash).segment_count(LOW)
        assert refusal(home, content_hash, LOW, count) == (404, "not-found")
        assert refusal(home, content_hash, LOW, -1) == (404, "not-found")
        assert refusal(home, content_hash, "video/../r32_h264", 0) == (404, "not-found")
        assert refusal(home, "ab" * 32, LOW, 0) == (404, "not-found")
        assert refusal(home, content_hash, LOW, "0") == refusal(home, content_hash, LOW, True) == (400, "invalid-event")
        home.services.storage.delete(Scope.SOURCE, "uploads/film.mp4")
        assert refusal(home, content_hash, LOW, 0) == (404, "original-gone")
        assert home.services.leases.acquire(f"segment#{content_hash}/{LOW}/0", "another", 2e9, 1e9), "given back"
        update(home.services, home.job().id, lambda job: dataclasses.replace(job, state=JobState.CANCELED))
        assert refusal(home, content_hash, LOW, 0) == (404, "canceled")


def test_what_has_proved_damaged_is_not_tried_for_every_viewer(tmp_path, film):
    with house(tmp_path, **SMALL) as home:
        content_hash = begin(home, film)
        fail(home.services, home.job().id, failure_of(CorruptMedia()))
        assert refusal(home, content_hash, LOW, 0) == (422, "corrupt-media")
        fail_otherwise = Failure("exhausted", "It never came to an end.")
        retried = retry(home.services, home.job().id)
        fail(home.services, retried.id, fail_otherwise)
        assert ask(home, content_hash, LOW, 0), "what failed for another reason may well be watched"


class Direct:
    """A Maker that calls the use case; `before` happens first."""

    def __init__(self, home: House, before: Callable[[], object] = lambda: None) -> None:
        self._home = home
        self._before = before
        self.asked: list[tuple[str, int | None]] = []

    def make(self, request: Request) -> bool:
        content_hash, track, n = (request[name] for name in ("hash", "track", "n"))
        self.asked.append((track, n))
        self._before()
        return ask(self._home, content_hash, track, n)


def client_of(home: House, maker: object) -> TestClient:
    return TestClient(create_app(dataclasses.replace(home.services, on_demand=maker)))


def test_the_stream_makes_what_is_missing_for_get_only(tmp_path, film, eager):
    with house(tmp_path, **SMALL) as home:
        content_hash = begin(home, film)
        maker = Direct(home)
        with client_of(home, maker) as client:
            address = f"/stream/{content_hash}/{segment_path(TOP, 2)}"
            head = client.head(address)
            assert (head.status_code, head.headers["retry-after"], maker.asked) == (503, "1", [])
            part = client.get(address, headers={"Range": "bytes=0-9"})
            assert (part.status_code, part.content) == (206, eager[segment_path(TOP, 2)][:10])
            assert client.get(address).content == eager[segment_path(TOP, 2)]
            assert client.head(address).status_code == 200
            assert maker.asked == [(TOP, 2)]
            for path in (segment_path(TOP, 99), "video/r7_h264/init.mp4", "subtitles/eng/seg_0.vtt"):
                assert client.get(f"/stream/{content_hash}/{path}").status_code == 404
            assert client.get(f"/stream/{content_hash}/cover.jpg").status_code == 503
            assert maker.asked == [(TOP, 2)]
            home.services.storage.delete(Scope.SOURCE, "uploads/film.mp4")
            gone = client.get(f"/stream/{content_hash}/{segment_path(TOP, 1)}")
            assert (gone.status_code, gone.json()["code"]) == (404, "original-gone")


def test_who_comes_second_waits_for_the_object(tmp_path, film, eager):
    with house(tmp_path, **SMALL) as home:
        content_hash = begin(home, film)
        key = video_key(content_hash, segment_path(TOP, 0))
        name = f"segment#{content_hash}/{TOP}/0"
        home.services.leases.acquire(name, "somebody", time.time() + 60, time.time())
        data = eager[segment_path(TOP, 0)]
        somebody = threading.Timer(0.3, lambda: home.services.storage.put(Scope.MEDIA, key, data))
        with client_of(home, Direct(home, somebody.start)) as client:
            answer = client.get(f"/stream/{content_hash}/{segment_path(TOP, 0)}")
        somebody.join()
        assert (answer.status_code, answer.content) == (200, data)


def test_without_anybody_to_make_it_a_segment_is_pending(tmp_path, film):
    with house(tmp_path, **SMALL) as home:
        content_hash = begin(home, film)
        with client_of(home, None) as client:
            answer = client.get(f"/stream/{content_hash}/{segment_path(LOW, 0)}")
        assert (answer.status_code, answer.json()["code"]) == (503, Pending.code)
