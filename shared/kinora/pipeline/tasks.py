"""Performing queue messages: one place that decides what is retried, what fails its job, and what is dropped.

Called by the image and video functions. A use case is imported when its first task comes, so that a door stays cheap.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Protocol

from kinora.errors import InvalidEvent, KinoraError, NotFound
from kinora.events import QueueRecord
from kinora.model import Failure, Job, JobState, StageName
from kinora.observability import logger
from kinora.pipeline.export_states import fail_exports
from kinora.pipeline.measuring import measured
from kinora.pipeline.moments import fail_export
from kinora.pipeline.requests import answer_request, is_request
from kinora.pipeline.side_stages import SIDE_STAGES, fail_side_stage
from kinora.pipeline.work import fail, failure_of
from kinora.queues.batch import run_each
from kinora.services import Services

Remaining = Callable[[], int]


class Perform(Protocol):
    def __call__(self, services: Services, job: Job, task: Mapping[str, object], remaining: Remaining) -> None: ...


_TASKS = {
    "image": "kinora.pipeline.derive:derive_images",
    "prepare": "kinora.pipeline.prepare:prepare",
    "audio": "kinora.pipeline.encode:encode_audio",
    "encode": "kinora.pipeline.encode:encode_video",
    "encrypt": "kinora.pipeline.encryption:encrypt_stream",
    "first": "kinora.pipeline.on_demand:make_first_segments",
    "poster": "kinora.pipeline.poster:make_cover",
    "crop": "kinora.pipeline.crops:make_crops",
    "frame-crop": "kinora.pipeline.frame_crops:make_frame_crops",
    "moment": "kinora.pipeline.moment_export:export_moment",
    "proxy": "kinora.pipeline.proxy:make_proxy",
    "repair": "kinora.pipeline.repair:repair",
    "preview": "kinora.pipeline.preview:make_preview",
    "sidecars": "kinora.pipeline.sidecars:make_sidecars",
    "storyboard": "kinora.pipeline.storyboard:make_storyboard",
    "subtitles": "kinora.pipeline.subtitles:make_texts",
    "waveform": "kinora.pipeline.waveform:make_waveform",
}
_STAGES = {
    "image": StageName.IMAGE,
    "prepare": StageName.PLAN,
    "audio": StageName.AUDIO,
    "encode": StageName.VIDEO,
    **{stage.value: stage for stage in SIDE_STAGES},
}
# Also asked for when the job is over, which does not fail with them.
_ON_REQUEST = {"crop", "encrypt", "frame-crop", "moment", "proxy", "sidecars"}
_WITHOUT_PLAN = {"image", "prepare", "repair"}  # all others are sent once there is one
_EXHAUSTED = Failure("exhausted", "The work was tried several times and never came to an end.")


def perform(services: Services, event: Mapping[str, object], remaining: Remaining) -> Mapping[str, object]:
    """An invocation of the image or the video function: a batch of messages, or a request of somebody who waits."""
    return answer_request(services, event) if is_request(event) else run_batch(services, event, remaining)


def run_batch(services: Services, event: Mapping[str, object], remaining: Remaining) -> Mapping[str, object]:
    """Perform each message of an SQS event; the answer names those that SQS shall deliver again.

    `remaining` gives the milliseconds until the function is stopped.
    """
    return run_each(event, lambda record: run_task(services, record, remaining))


def run_task(services: Services, record: QueueRecord, remaining: Remaining) -> None:
    """Perform one message. Raises what SQS should answer with another delivery (or, at the end, the dead-letter queue)."""
    name = str(record.body.get("task"))
    with measured(services, name if name in _TASKS else "unknown") as ending:
        if record.receive_count >= services.settings.max_attempts:
            ending.outcome = "given-up"  # unless it succeeds
        ending.outcome = _run_task(services, record, remaining)


def _run_task(services: Services, record: QueueRecord, remaining: Remaining) -> str:
    """As `run_task`; returns how it ended."""
    task = record.body
    try:
        job = services.jobs.get(str(task.get("job")))
    except NotFound:
        logger.info("task dropped: its job is gone", extra={"task": task})
        return "dropped"
    if _is_premature(job, task):
        logger.info("task dropped: its job has begun anew and will send it again", extra={"task": task})
        return "dropped"
    if record.receive_count > services.settings.max_attempts:  # every attempt was killed before it could say why
        _give_up(services, job, task, _EXHAUSTED)
        raise KinoraError(f"task exhausted: {task}")
    try:
        if not job.state.is_final or (_is_on_request(task) and job.state is not JobState.CANCELED):
            _performer(task)(services, job, task, remaining)
    except KinoraError as error:
        if not error.retryable:
            logger.warning("task failed", extra={"task": task, "code": error.code, "reason": str(error)})
            _give_up(services, job, task, failure_of(error))
            return "failed"
        _note_attempt(services, record, job, error)
        raise
    except Exception as error:
        _note_attempt(services, record, job, error)
        raise
    return "done"


def _performer(task: Mapping[str, object]) -> Perform:
    path = _TASKS.get(str(task.get("task")))
    if path is None:
        raise InvalidEvent(f"there is no task {task.get('task')!r}")
    module, name = path.split(":")
    perform: Perform = getattr(import_module(module), name)
    return perform


def _is_premature(job: Job, task: Mapping[str, object]) -> bool:
    """Whether the task was sent before the medium was removed and came back, or before the job was tried again."""
    return job.state in {JobState.QUEUED, JobState.PREPARING} and task.get("task") not in _WITHOUT_PLAN | _ON_REQUEST


def _is_on_request(task: Mapping[str, object]) -> bool:
    return task.get("task") in _ON_REQUEST


def _note_attempt(services: Services, record: QueueRecord, job: Job, error: BaseException) -> None:
    if record.receive_count >= services.settings.max_attempts:
        _give_up(services, job, record.body, failure_of(error))


def _give_up(services: Services, job: Job, task: Mapping[str, object], failure: Failure) -> None:
    """Fail the job, or only the stage where playback does not depend on it."""
    stage = _STAGES.get(str(task.get("task")))
    if _is_on_request(task):
        logger.error("export failed", extra={"task": task, "code": failure.code})
        if task.get("task") == "moment":
            fail_export(services, job, task, failure)
        fail_exports(services, job.hash, task, failure)
    elif stage in SIDE_STAGES:
        fail_side_stage(services, job.id, stage, failure, made_at=job.created_at)
    else:
        fail(services, job.id, failure, stage, made_at=job.created_at)
