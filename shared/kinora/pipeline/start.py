"""Starting work: the job is created once per (hash, recipe) and its first task is sent. Called by ingest, retry and the sweep."""

from __future__ import annotations

import hashlib
from contextlib import suppress
from dataclasses import replace

from kinora.errors import InvalidInput, OriginalGone
from kinora.metrics.base import JOBS
from kinora.model import Failure, Job, JobState, Kind, Stage, StageState
from kinora.pipeline.work import announcement, job_id, new_job, update
from kinora.queues.base import QueueName
from kinora.services import Services


def start(services: Services, content_hash: str, kind: Kind, original_key: str) -> str:
    """Make sure that the job for this content exists and is under way; `started`, or `known` if there was one already."""
    job, created = services.jobs.create(new_job(services, content_hash, kind, original_key))
    if job.state is JobState.QUEUED:
        send_first_task(services, job)  # also when it existed: its creator may have been killed before this line
    elif _lost_its_original(job):
        with suppress(InvalidInput):  # somebody else was faster: it is under way
            retry(services, job.id)
    return "started" if created else "known"


def _lost_its_original(job: Job) -> bool:
    """Whether the job, or a stage of one that is ready otherwise, failed for want of the original that has now come back."""
    stages = [stage.error for stage in job.stages.values()] if job.state is JobState.READY or job.is_at_rest else []
    failures = [job.error] if job.state is JobState.FAILED else stages
    return any(failure is not None and failure.code == OriginalGone.code for failure in failures)


def send_first_task(services: Services, job: Job) -> None:
    """Send the task from which all others follow. Sending it twice is harmless."""
    queue, task = (QueueName.IMAGE, "image") if job.kind is Kind.IMAGE else (QueueName.PREPARE, "prepare")
    services.queues.send(queue, [{"task": task, "job": job.id}])


def refuse(services: Services, key: str, content_hash: str, state: str, failure: Failure) -> None:
    """Record an original that is not processed as a failed job, once per content (or per object state when unhashed)."""
    job = new_job(services, content_hash, Kind.OTHER, key)
    identity = content_hash if content_hash == job.hash and len(content_hash) == 64 else _digest(key, state)
    refused = replace(job, id=job_id(identity, job.recipe), state=JobState.FAILED, error=failure, stages={})
    if services.jobs.create(refused, [announcement(refused)])[1]:
        services.metrics.record({JOBS: 1}, kind=refused.kind.value, state=refused.state.value)


def _digest(*parts: str) -> str:
    return hashlib.sha256("\n".join(parts).encode("utf-8", "surrogatepass")).hexdigest()


def retry(services: Services, identifier: str) -> Job:
    """Start a failed or canceled job again, or the failed stages of one that is ready or at rest; what exists already is not made again.

    Raises NotFound, and InvalidInput for a job that is under way, ready, or was refused because of its content.
    """

    def change(job: Job) -> Job:
        if not _is_retryable(job):
            raise InvalidInput(public_message=f"A job that is {job.state.value} cannot be retried.")
        if job.kind is Kind.OTHER:
            raise InvalidInput(public_message="This content was refused; the same content would be refused again.")
        done = {StageState.READY, StageState.SKIPPED}
        stages = {name: stage if stage.state in done else Stage() for name, stage in job.stages.items()}
        return replace(job, state=JobState.QUEUED, error=None, stages=stages, repairs=0)

    job = update(services, identifier, change)
    send_first_task(services, job)
    return job


def _is_retryable(job: Job) -> bool:
    has_failed_stage = any(stage.state is StageState.FAILED for stage in job.stages.values())
    return job.state in {JobState.FAILED, JobState.CANCELED} or (
        (job.state is JobState.READY or job.is_at_rest) and has_failed_stage
    )
