"""What happens between two steps of others: originals that move, jobs that vanish, covers that are late, tasks cut short."""

from __future__ import annotations

import dataclasses
import hashlib
from pathlib import Path
from typing import Any

import pytest

from kinora.errors import OriginalGone
from kinora.model import UNHASHED, BlobState, Failure, JobState, Scope, StageName, StageState
from kinora.object_keys import segment_path, video_key
from kinora.pipeline.collect import collect_blob
from kinora.pipeline.originals import open_original
from kinora.pipeline.remove import remove_media
from kinora.pipeline.side_stages import fail_side_stage
from kinora.pipeline.start import start
from kinora.pipeline.work import fail
from tests.e2e.hostile import clip
from tests.house import house
from tests.pictures import picture

CAT = picture()
TINY = {"ladder": "48", "image_variants": "small=20"}


def digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


class Meanwhile:
    """A driver beside which something else happens, once, just before a call of `verb`."""

    def __init__(self, driver: Any, verb: str, happens: Any) -> None:
        self._driver, self._verb, self._happens = driver, verb, [happens]

    def __getattr__(self, name: str) -> Any:
        if name == self._verb and self._happens:
            self._happens.pop()()
        return getattr(self._driver, name)


def test_an_original_that_comes_while_the_last_one_goes_is_used(tmp_path: Path) -> None:
    with house(tmp_path) as home:
        home.ingest(home.put("one.jpg", CAT))

        def move() -> None:
            home.ingest(home.put("two.jpg", CAT))
            home.ingest(home.remove("one.jpg"))

        services = dataclasses.replace(home.services, storage=Meanwhile(home.services.storage, "open", move))
        with open_original(services, home.job()) as original:
            assert original.read() == CAT
        home.ingest(home.remove("two.jpg"))
        with pytest.raises(OriginalGone):
            open_original(home.services, home.job())


def test_two_uploads_that_bring_lost_content_back_start_it_once(tmp_path: Path) -> None:
    with house(tmp_path) as home:
        home.ingest(home.put("one.jpg", CAT))
        home.ingest(home.remove("one.jpg"))
        home.work()
        assert home.job().error == Failure(OriginalGone.code, OriginalGone.public_message)
        back = home.put("two.jpg", CAT)
        kind = home.job().kind

        def faster() -> None:
            start(home.services, digest(CAT), kind, "uploads/two.jpg")

        jobs = Meanwhile(home.services.jobs, "get", faster)
        home.ingest(back)
        home.work()
        assert start(dataclasses.replace(home.services, jobs=jobs), digest(CAT), kind, "uploads/two.jpg") == "known"
        assert home.job().state is JobState.READY


def test_a_key_that_gets_too_large_content_lets_go_of_what_it_held(tmp_path: Path) -> None:
    with house(tmp_path, max_bytes=str(len(CAT))) as home:
        small, large = home.put("cat.jpg", CAT), home.put("cat.jpg", CAT + b"x")
        home.ingest(large)
        assert home.ingest(small) == ["stale"]
        home.services.storage.put(Scope.SOURCE, "uploads/cat.jpg", CAT)
        home.ingest(home.created("uploads/cat.jpg"))
        assert home.services.catalog.blob(digest(CAT)).state is BlobState.LIVE
        assert home.ingest(home.put("cat.jpg", CAT + b"y")) == ["refused"]
        assert home.services.catalog.blob(digest(CAT)).state is BlobState.COLLECTABLE
        assert {job.hash for job in home.jobs() if job.state is JobState.FAILED} == {UNHASHED}


def test_a_cover_that_was_made_does_not_fail_afterwards(tmp_path: Path) -> None:
    with house(tmp_path, **TINY) as home:
        home.ingest(home.put("clip.mp4", clip("mp4", pictures=10)))
        home.work("prepare")
        late = Failure("exhausted", "Too late.")
        fail_side_stage(home.services, "no such job", StageName.POSTER, late)
        home.work()
        fail_side_stage(home.services, home.job().id, StageName.POSTER, late)
        assert (home.job().state, home.job().stages[StageName.POSTER].state) == (JobState.READY, StageState.READY)


def test_two_runs_collect_the_same_blob(tmp_path: Path) -> None:
    with house(tmp_path, **TINY) as home:
        home.ingest(home.put("cat.jpg", CAT))
        home.work()
        home.ingest(home.remove("cat.jpg"))
        before = float("inf")

        def other() -> None:
            collect_blob(home.services, digest(CAT), before)

        services = dataclasses.replace(home.services, jobs=Meanwhile(home.services.jobs, "get", other))
        assert collect_blob(services, digest(CAT), before)
        assert (home.objects(), home.jobs(), home.services.catalog.blob(digest(CAT))) == ([], [], None)


def test_a_task_that_was_cut_short_goes_on_as_a_new_one(tmp_path: Path) -> None:
    with house(tmp_path, **TINY) as home:
        home.ingest(home.put("clip.mp4", clip("mp4", pictures=300)))
        home.work("prepare")
        job = home.job()
        count = job.segments_planned[StageName.VIDEO]
        assert count > 2
        queues = home.services.queues
        while found := queues.receive("encode", 10):
            for message in found:
                queues.delete("encode", message.receipt)
        made = video_key(job.hash, segment_path("video/r48_h264", 1))
        home.services.storage.put(Scope.MEDIA, made, b"made before the worker was killed")
        queues.send("encode", [{"task": "encode", "job": job.id, "first": 0, "stop": count}])
        assert home.work("encode", limit=1) == 1
        assert [(body["first"], body["stop"]) for body in home.waiting("encode")] == [(0, 1), (2, count)]
        home.work("encode")
        assert home.job().segments_done[StageName.VIDEO] == count


def test_tasks_of_before_a_removal_do_not_harm_the_job_that_comes_after_it(tmp_path: Path) -> None:
    film = clip("mp4", pictures=60)
    with house(tmp_path, **TINY) as home:
        home.ingest(home.put("clip.mp4", film))
        home.work("prepare")
        before = home.job()
        remove_media(home.services, before.hash, originals=True)
        home.ingest(home.put("clip.mp4", film))
        home.work("encode")
        assert home.job().state is JobState.QUEUED
        late = Failure("not-found", "It was removed.")
        fail(home.services, before.id, late, made_at=before.created_at)
        fail_side_stage(home.services, before.id, StageName.POSTER, late, made_at=before.created_at)
        home.work()
        assert home.job().state is JobState.READY
        assert {stage.error for stage in home.job().stages.values()} == {None}


def test_a_removal_that_was_cut_short_goes_on_with_the_originals_that_are_left(tmp_path: Path) -> None:
    def die() -> None:
        raise MemoryError

    with house(tmp_path) as home:
        home.ingest(home.put("one.jpg", CAT), home.put("two.jpg", CAT))
        cut_short = dataclasses.replace(home.services, catalog=Meanwhile(home.services.catalog, "release", die))
        storage = dataclasses.replace(home.services, storage=Meanwhile(home.services.storage, "delete", die))
        for services in (storage, cut_short):
            with pytest.raises(MemoryError):
                remove_media(services, digest(CAT), originals=True)
        assert remove_media(home.services, digest(CAT), originals=True)["complete"]
        assert not [*home.services.storage.list(Scope.SOURCE, "")]
