"""Jobs that stand still: those whose tasks only wait are left alone, those whose tasks are lost get them again."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import pytest

from kinora.model import Failure, Job, JobState, SegmentId, StageName, StageState
from kinora.pipeline.inquiry import QUESTION_SECONDS
from kinora.pipeline.on_demand import make_segment
from kinora.pipeline.plans import load_plan
from kinora.pipeline.repair import MAX_REPAIRS
from kinora.pipeline.start import retry
from kinora.pipeline.sweep import sweep
from kinora.pipeline.tasks import run_batch
from kinora.pipeline.work import fail
from kinora.services import Services
from tests.e2e.hostile import clip
from tests.house import HOUR, House, house, sqs_record

TINY = {"ladder": "48", "image_variants": "small=20", "stuck_seconds": "100"}


class Clock:
    now = 1_800_000_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture(scope="module")
def film() -> bytes:
    return clip("mp4", pictures=60)


def sweep_later(home: House, clock: Clock, seconds: float = 101.0) -> object:
    clock.now += seconds
    return sweep(home.services, lambda: HOUR)["repaired"]


def lose_tasks(home: House, but: str = "") -> None:
    queues = home.services.queues
    for message in queues.receive("encode", 1000):
        if json.loads(message.body)["task"] == but:
            queues.change_visibility("encode", message.receipt, 0)
        else:
            queues.delete("encode", message.receipt)


def work_until_killed(home: House, services: Services) -> None:
    """The message that was under way comes back to the queue."""
    queues = home.services.queues
    while found := queues.receive("encode", 1):
        try:
            run_batch(services, sqs_record(found[0], 1), lambda: HOUR)
        except Killed:
            queues.change_visibility("encode", found[0].receipt, 0)
            return
        queues.delete("encode", found[0].receipt)


def segment_tasks(home: House) -> list[dict[str, object]]:
    return [body for body in home.waiting("encode") if body["task"] in {"encode", "audio"}]


class Killed(BaseException):
    """Ends a process at the worst moment."""


class KilledAt:
    """Jobs whose process dies when a job is about to change into `state`."""

    def __init__(self, jobs: Any, state: JobState) -> None:
        self._jobs, self._state = jobs, state

    def __getattr__(self, name: str) -> Any:
        return getattr(self._jobs, name)

    def change(self, job: Job, *events: Any) -> Job:
        if job.state is self._state:
            raise Killed
        return self._jobs.change(job, *events)


@pytest.fixture
def clock() -> Clock:
    return Clock()


def test_a_job_whose_tasks_wait_behind_others_is_neither_failed_nor_multiplied(
    tmp_path: Path, film: bytes, clock: Clock
) -> None:
    with house(tmp_path, clock=clock, **TINY) as home:
        home.ingest(home.put("clip.mp4", film))
        home.work("prepare")
        tasks = segment_tasks(home)
        for _ in range(30):
            sweep_later(home, clock)
        assert home.job().state is JobState.ENCODING
        assert [body["task"] for body in home.waiting("encode")].count("repair") == 1
        sweep_later(home, clock, QUESTION_SECONDS)
        home.work("encode", limit=1)
        assert len(segment_tasks(home)) == len(tasks) - 1
        home.work()
        assert (home.job().state, home.job().repairs) == (JobState.READY, 0)


def test_a_job_that_waits_to_be_prepared_is_not_failed_either(tmp_path: Path, film: bytes, clock: Clock) -> None:
    with house(tmp_path, clock=clock, **TINY) as home:
        home.ingest(home.put("clip.mp4", film))
        for _ in range(30):
            sweep_later(home, clock)
        assert len(home.waiting("prepare")) == 2
        home.work("prepare")
        tasks = segment_tasks(home)
        assert len(tasks) == len({str(body) for body in tasks})
        home.work()
        assert home.job().state is JobState.READY


def test_lost_tasks_are_sent_again_but_not_for_ever(tmp_path: Path, film: bytes, clock: Clock) -> None:
    with house(tmp_path, clock=clock, **TINY) as home:
        home.ingest(home.put("clip.mp4", film))
        home.work("prepare")
        for attempt in range(MAX_REPAIRS):
            lose_tasks(home)
            assert sweep_later(home, clock) == 1
            home.work("encode", limit=1)
            assert segment_tasks(home)
            assert home.job().repairs == attempt + 1
        lose_tasks(home)
        sweep_later(home, clock)
        home.work("encode", limit=1)
        assert (home.job().state, home.job().error.code) == (JobState.FAILED, "stuck")


def test_a_job_that_moves_after_a_repair_has_all_its_attempts_again(tmp_path: Path, film: bytes, clock: Clock) -> None:
    with house(tmp_path, clock=clock, **TINY) as home:
        home.ingest(home.put("clip.mp4", film))
        home.work("prepare")
        lose_tasks(home)
        sweep_later(home, clock)
        home.work("encode", limit=2)
        assert home.job().repairs == 1
        sweep_later(home, clock)
        home.work("encode", limit=1)
        lose_tasks(home, but="repair")
        home.work("encode")
        assert (home.job().state, home.job().repairs, segment_tasks(home)) == (JobState.ENCODING, 0, [])
        sweep_later(home, clock)
        home.work()
        assert (home.job().state, home.job().repairs) == (JobState.READY, 1)


def test_a_question_that_got_lost_is_asked_again_after_a_day(tmp_path: Path, film: bytes, clock: Clock) -> None:
    with house(tmp_path, clock=clock, **TINY) as home:
        home.ingest(home.put("clip.mp4", film))
        home.work("prepare")
        sweep_later(home, clock)
        lose_tasks(home)
        sweep_later(home, clock)
        assert home.waiting("encode") == []
        sweep_later(home, clock, QUESTION_SECONDS)
        home.work()
        assert home.job().state is JobState.READY


def test_a_question_that_arrives_after_a_retry_does_not_keep_the_next_one_away(
    tmp_path: Path, film: bytes, clock: Clock
) -> None:
    with house(tmp_path, clock=clock, **TINY) as home:
        home.ingest(home.put("clip.mp4", film))
        home.work("prepare")
        sweep_later(home, clock)
        fail(home.services, home.job().id, Failure("internal", "It failed."))
        retry(home.services, home.job().id)
        home.work("encode")
        home.work("prepare")
        lose_tasks(home)
        sweep_later(home, clock)
        home.work()
        assert home.job().state is JobState.READY


def test_a_job_that_is_deleted_meanwhile_does_not_stop_the_sweep(tmp_path: Path, film: bytes, clock: Clock) -> None:
    with house(tmp_path, clock=clock, **TINY) as home:
        home.ingest(home.put("clip.mp4", film))
        (job,) = home.jobs()

        class Gone:
            def __getattr__(self, name: str) -> Any:
                return getattr(home.services.jobs, name)

            def idle(self, before: float, limit: int) -> tuple[Job, ...]:
                return (dataclasses.replace(job, id="0" * 32), *home.services.jobs.idle(before, limit))

        clock.now += 101
        sweep(dataclasses.replace(home.services, jobs=Gone()), lambda: HOUR)
        assert len(home.waiting("prepare")) == 2


def test_the_last_segment_on_demand_whose_maker_died_before_settling_is_settled(tmp_path: Path, clock: Clock) -> None:
    with house(tmp_path, clock=clock, encode="on_demand", **TINY) as home:
        home.ingest(home.put("clip.mp4", clip("mp4", pictures=300)))
        home.work()
        job = home.job()
        plan = load_plan(home.services, job.hash)
        wanted = [(track, n) for track in sorted(plan.tracks()) for n in range(plan.segment_count(track))]
        for track, n in wanted[:-1]:
            make_segment(home.services, job.hash, track, n)
        assert home.job().is_at_rest
        track, n = wanted[-1]
        home.services.jobs.mark_segments(job.id, StageName.VIDEO, [SegmentId(track, n)], clock.now)
        assert (home.job().state, home.job().progress) == (JobState.PLAYABLE, 1.0)
        assert sweep_later(home, clock) == 1
        home.work()
        assert home.job().state is JobState.READY


@pytest.mark.parametrize("is_delivered_again", [True, False])
def test_a_process_that_dies_before_the_job_is_ready_leaves_it_to_the_next(
    tmp_path: Path, film: bytes, clock: Clock, is_delivered_again: bool
) -> None:
    with house(tmp_path, clock=clock, **TINY) as home:
        home.ingest(home.put("clip.mp4", film))
        home.work("prepare")
        work_until_killed(home, dataclasses.replace(home.services, jobs=KilledAt(home.services.jobs, JobState.READY)))
        assert {stage.state for stage in home.job().stages.values()} <= {StageState.READY, StageState.SKIPPED}
        if not is_delivered_again:
            lose_tasks(home)
            assert sweep_later(home, clock) == 1
        home.work()
        assert home.job().state is JobState.READY
