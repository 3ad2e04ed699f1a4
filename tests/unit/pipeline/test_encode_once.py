"""Segments are encoded once, whoever else is at work: the same message twice, viewers, an attempt that was killed."""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from kinora.events import QueueRecord
from kinora.model import Job, JobState, Scope, StageName
from kinora.object_keys import segment_path, video_key
from kinora.pipeline.leases import FIRST_SEGMENTS
from kinora.pipeline.on_demand import make_segment
from kinora.pipeline.start import retry
from kinora.pipeline.tasks import run_task
from kinora.pipeline.work import fail, failure_of
from kinora.services import Services
from tests.e2e.hostile import clip
from tests.house import HOUR, House, house

SMALL = {"ladder": "48,32", "image_variants": "small=20"}
HIGH, LOW = "video/r48_h264", "video/r32_h264"
START = FIRST_SEGMENTS  # which are made under leases


class Counting:
    """Storage that counts how often each segment is stored, that is, encoded; before that, something else may happen."""

    def __init__(self, storage: Any, happens: Callable[[str], None] = lambda key: None) -> None:
        self._storage, self._happens = storage, happens
        self.segments: Counter[str] = Counter()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._storage, name)

    def put(self, scope: Scope, key: str, *arguments: Any, **options: Any) -> Any:
        if key.endswith(".m4s"):
            self.segments[key] += 1
            self._happens(key)
        return self._storage.put(scope, key, *arguments, **options)


@pytest.fixture(scope="module")
def film() -> bytes:
    return clip("mp4", pictures=300)


def begin(home: House, film: bytes) -> tuple[Job, int]:
    """A prepared job without any of its messages, and how many segments each rendition has."""
    home.ingest(home.put("clip.mp4", film))
    home.work("prepare")
    for message in home.services.queues.receive("encode", 1000):
        home.services.queues.delete("encode", message.receipt)
    job = home.job()
    return job, job.segments_planned[StageName.VIDEO] // 2


def perform(services: Services, body: dict[str, object]) -> None:
    run_task(services, QueueRecord("m", body, 1), lambda: HOUR)


def rests(home: House) -> list[tuple[object, object]]:
    return [(body["first"], body["stop"]) for body in home.waiting("encode")]


def test_of_two_deliveries_at_once_one_gives_way(tmp_path: Path, film: bytes) -> None:
    with house(tmp_path, **SMALL) as home:
        job, count = begin(home, film)
        task = {"task": "encode", "job": job.id, "first": START, "stop": count, "renditions": "encoded"}
        todo = [task]

        def other(_: str) -> None:
            if todo:
                perform(dataclasses.replace(home.services, storage=counting), todo.pop())

        counting = Counting(home.services.storage, other)
        services = dataclasses.replace(home.services, storage=counting)
        perform(services, task)
        assert sum(counting.segments.values()) == 2 * (count - START) + 2, "one segment of two renditions twice"
        assert rests(home) == [(START + 1, count)]
        assert home.services.queues.depth("encode").delayed == 1
        before = home.job().segments_done[StageName.VIDEO]
        perform(services, home.waiting("encode")[0])
        assert (home.job().segments_done[StageName.VIDEO], rests(home)) == (before, [(START + 1, count)])
        assert before == 2 * (count - START)


def test_a_task_stops_where_viewers_were_faster(tmp_path: Path, film: bytes) -> None:
    with house(tmp_path, **SMALL) as home:
        job, count = begin(home, film)
        assert count > START + 2

        def viewer(key: str) -> None:
            if key.endswith(f"seg_{START}.m4s"):
                for track in (HIGH, LOW):
                    make_segment(home.services, job.hash, track, START + 1)

        counting = Counting(home.services.storage, viewer)
        services = dataclasses.replace(home.services, storage=counting)
        task = {"task": "encode", "job": job.id, "first": START, "stop": count, "renditions": "encoded"}
        perform(services, task)
        assert sorted(key.rpartition("seg_")[2] for key in counting.segments) == [f"{START}.m4s"] * 2
        assert rests(home) == [(START + 1, count)]
        home.work()
        assert set(counting.segments.values()) == {1}
        assert home.job().segments_done[StageName.VIDEO] == 2 * (count - START)


def test_only_renditions_that_are_missing_are_encoded(tmp_path: Path, film: bytes) -> None:
    with house(tmp_path, **SMALL) as home:
        job, count = begin(home, film)
        for n in range(START, count):
            make_segment(home.services, job.hash, LOW, n)
        counting = Counting(home.services.storage)
        task = {"task": "encode", "job": job.id, "first": START, "stop": count, "renditions": "encoded"}
        perform(dataclasses.replace(home.services, storage=counting), task)
        wanted = {video_key(job.hash, segment_path(HIGH, n)): 1 for n in range(START, count)}
        assert counting.segments == wanted
        assert home.job().segments_done[StageName.VIDEO] == 2 * (count - START)


def test_a_retry_encodes_only_what_is_missing(tmp_path: Path, film: bytes) -> None:
    with house(tmp_path, **SMALL) as home:
        counting = Counting(home.services.storage)
        home.services = dataclasses.replace(home.services, storage=counting)
        home.ingest(home.put("clip.mp4", film))
        home.work("prepare")
        home.work("encode", limit=3)
        assert 0 < home.job().progress < 1
        fail(home.services, home.job().id, failure_of(RuntimeError()))
        home.work()
        assert home.job().state is JobState.FAILED
        retry(home.services, home.job().id)
        home.work()
        assert (home.job().state, home.job().progress) == (JobState.READY, 1.0)
        assert set(counting.segments.values()) == {1}
        assert len(counting.segments) == sum(home.job().segments_planned.values())
