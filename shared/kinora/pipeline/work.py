"""Jobs as use cases see them: what identifies one, how it changes, how it ends. Every change is a compare-and-swap."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import replace

from kinora.errors import KinoraError, NotFound, StaleState
from kinora.metrics.base import JOBS
from kinora.model import Event, Failure, Job, JobState, Kind, Stage, StageName, StageState
from kinora.pipeline.finish import publish_measured
from kinora.services import Services
from kinora.settings import Settings

IMAGE_RECIPE_VERSION = 1
VIDEO_RECIPE_VERSION = 2
REFUSED_RECIPE = "refused-1"

ANNOUNCED = {JobState.PLAYABLE, JobState.READY, JobState.FAILED, JobState.CANCELED}
_ATTEMPTS = 20
_STREAM_STAGES = [
    *(StageName.PROBE, StageName.PLAN, StageName.POSTER, StageName.PREVIEW, StageName.STORYBOARD, StageName.WAVEFORM),
    *(StageName.SUBTITLES, StageName.AUDIO, StageName.VIDEO),
]


def recipe_of(settings: Settings, kind: Kind) -> str:
    """The name of everything that decides what is made from a blob of `kind`: a version and a digest of its parameters."""
    if kind is Kind.IMAGE:
        variants = [[one.name, one.width, one.height] for one in settings.image_variants]
        return _recipe("image", IMAGE_RECIPE_VERSION, [variants, settings.image_formats, settings.image_quality])
    if kind is Kind.OTHER:
        return REFUSED_RECIPE
    return _recipe("video", VIDEO_RECIPE_VERSION, [settings.ladder, settings.codecs, settings.audio_codecs])


def _recipe(name: str, version: int, parameters: object) -> str:
    canonical = json.dumps(parameters, separators=(",", ":")).encode()
    return f"{name}-{version}-{hashlib.sha256(canonical).hexdigest()[:12]}"


def job_id(content_hash: str, recipe: str) -> str:
    """The same blob and recipe have the same job: 32 hex digits."""
    return hashlib.sha256(f"{content_hash}/{recipe}".encode()).hexdigest()[:32]


def new_job(services: Services, content_hash: str, kind: Kind, original_key: str) -> Job:
    """A queued job (not stored yet) with its stages."""
    now = services.clock()
    recipe = recipe_of(services.settings, kind)
    names = [StageName.IMAGE] if kind is Kind.IMAGE else _STREAM_STAGES
    stages = {StageName.HASH: Stage(StageState.READY)} | dict.fromkeys(names, Stage())
    return Job(
        id=job_id(content_hash, recipe),
        hash=content_hash,
        kind=kind,
        recipe=recipe,
        created_at=now,
        updated_at=now,
        stages=stages,
        original_key=original_key,
    )


def update(services: Services, identifier: str, change: Callable[[Job], Job | None]) -> Job:
    """Apply `change` to the stored job until nobody else got in between; None from `change` means nothing to do.

    A change of state to playable, ready, failed or canceled is announced by an outbox event in the same transaction.
    Raises NotFound, and StaleState if the job is too contended.
    """
    for _ in range(_ATTEMPTS):
        job = services.jobs.get(identifier)
        changed = change(job)
        if changed is None:
            return job
        changed = replace(changed, updated_at=services.clock())
        announced = changed.state is not job.state and changed.state in ANNOUNCED
        if changed.state is JobState.PLAYABLE and job.playable_at is not None:
            announced = False  # a retry of what could be played before
        try:
            stored = services.jobs.change(changed, [announcement(changed)] if announced else [])
        except StaleState:
            continue
        if announced:
            services.metrics.record({JOBS: 1}, kind=stored.kind.value, state=stored.state.value)
        return stored
    raise StaleState(f"job {identifier} is too contended")


def announcement(job: Job) -> Event:
    """The event that tells subscribers about the state the job has now."""
    data: dict[str, object] = {"job": job.id, "hash": job.hash, "kind": job.kind.value, "state": job.state.value}
    data["original"] = job.original_key
    if job.error is not None:
        data["error"] = {"code": job.error.code, "message": job.error.message}
    identity = f"{job.id}-{int(job.created_at * 1000)}-{job.version}"  # a job made again after its removal is another one
    return Event(id=identity, type=f"job.{job.state.value}", time=job.updated_at, data=data)


def with_stages(job: Job, state: StageState, *names: StageName, error: Failure | None = None) -> Job:
    """`job` with the named stages in `state`."""
    return replace(job, stages={**job.stages, **dict.fromkeys(names, Stage(state, error))})


def failure_of(error: BaseException) -> Failure:
    """What may be shown of an error; anything unexpected is just `internal`."""
    if isinstance(error, KinoraError):
        return Failure(error.code, error.public_message)
    return Failure(KinoraError.code, KinoraError.public_message)


def fail(
    services: Services, identifier: str, failure: Failure, stage: StageName | None = None, *, made_at: float | None = None
) -> None:
    """End a job that is not final yet as failed; stages under way fail with it. A job that is gone is left alone, and so is
    one that was removed and made anew if `made_at` says when the one that failed was made."""

    def change(job: Job) -> Job | None:
        if job.state.is_final or (made_at is not None and job.created_at != made_at):
            return None
        broken = [name for name, one in job.stages.items() if one.state is StageState.RUNNING or name is stage]
        return replace(with_stages(job, StageState.FAILED, *broken, error=failure), state=JobState.FAILED, error=failure)

    try:
        update(services, identifier, change)
    except NotFound:
        return


def settle(services: Services, identifier: str) -> Job:
    """Draw the conclusions from what is done: stages whose segments all exist are ready; when all stages are over, what is
    known only then is published and the job is ready."""

    def complete_stages(job: Job) -> Job | None:
        complete = [
            name
            for name, planned in job.segments_planned.items()
            if job.stages[name].state is not StageState.READY and job.segments_done.get(name, 0) >= planned
        ]
        return with_stages(job, StageState.READY, *complete) if complete and not job.state.is_final else None

    def end(job: Job) -> Job | None:
        return replace(job, state=JobState.READY, ready_at=services.clock()) if _is_over(job) else None

    job = update(services, identifier, complete_stages)
    if not _is_over(job):
        return job
    if job.segments_planned:
        publish_measured(services, job)
    return update(services, identifier, end)


def _is_over(job: Job) -> bool:
    """Whether a job that is under way has nothing left to do."""
    over = {StageState.READY, StageState.FAILED, StageState.SKIPPED}
    under_way = {JobState.PLAYABLE, JobState.ENCODING}
    return job.state in under_way and all(stage.state in over for stage in job.stages.values())
