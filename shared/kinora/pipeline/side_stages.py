"""The stages beside the stream (subtitles, cover, preview, storyboard, waveform): each is a task of its own with a state of its own.

None of them blocks playback, and what goes wrong stays in its stage. Called by prepare, by the dispatcher of tasks and, as a
decorator, by the modules that perform one.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from functools import wraps

from kinora.errors import NotFound
from kinora.media.plan import Plan
from kinora.model import Failure, Job, StageName, StageState
from kinora.pipeline.work import settle, update, with_stages
from kinora.services import Services

SIDE_STAGES = (StageName.SUBTITLES, StageName.POSTER, StageName.WAVEFORM, StageName.PREVIEW, StageName.STORYBOARD)
_OPEN = {StageState.PENDING, StageState.RUNNING}

Remaining = Callable[[], int]
Make = Callable[[Services, Job, Mapping[str, object], Remaining], bool]


def absent_stages(plan: Plan) -> list[StageName]:
    """The side stages for which the media has nothing: no pictures, no sound, or no text."""
    absent = [] if plan.renditions else [StageName.POSTER, StageName.PREVIEW, StageName.STORYBOARD]
    absent += [] if plan.audio_tracks else [StageName.WAVEFORM]
    return absent if plan.subtitles else [*absent, StageName.SUBTITLES]


def side_tasks(job: Job) -> list[dict[str, object]]:
    """The tasks of all side stages that are not over; a stage's task is called like the stage."""
    open_stages = [name for name in SIDE_STAGES if name in job.stages and job.stages[name].state in _OPEN]
    return [{"task": name.value, "job": job.id} for name in open_stages]


def side_stage(stage: StageName) -> Callable[[Make], Callable[[Services, Job, Mapping[str, object], Remaining], None]]:
    """Let a function perform `stage`: it runs while the stage is open and returns whether the stage is complete, or False
    if it has sent another task that goes on."""

    def decorate(make: Make) -> Callable[[Services, Job, Mapping[str, object], Remaining], None]:
        @wraps(make)
        def perform(services: Services, job: Job, task: Mapping[str, object], remaining: Remaining) -> None:
            job = _move(services, job.id, stage, StageState.RUNNING)
            if _is_open(job, stage):
                if not make(services, job, task, remaining):
                    return
                _move(services, job.id, stage, StageState.READY)
            settle(services, job.id)  # also for an attempt that was killed between the end of its stage and this

        return perform

    return decorate


def fail_side_stage(
    services: Services, identifier: str, stage: StageName, failure: Failure, *, made_at: float | None = None
) -> None:
    """Only the stage fails. One that is over stays as it is, and so does a job that is over or gone, or not `made_at` then."""

    def change(job: Job) -> Job | None:
        if not _is_open(job, stage) or (made_at is not None and job.created_at != made_at):
            return None
        return with_stages(job, StageState.FAILED, stage, error=failure)

    with suppress(NotFound):
        update(services, identifier, change)
        settle(services, identifier)


def _move(services: Services, identifier: str, stage: StageName, state: StageState) -> Job:
    def change(job: Job) -> Job | None:
        if not _is_open(job, stage) or job.stages[stage].state is state:
            return None
        return with_stages(job, state, stage)

    return update(services, identifier, change)


def _is_open(job: Job, stage: StageName) -> bool:
    return not job.state.is_final and stage in job.stages and job.stages[stage].state in _OPEN
