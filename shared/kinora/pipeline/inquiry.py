"""Asking whether the tasks of a job that stands still are lost, or only wait behind the work of others.

The question is a message behind them in their queue: when it is received they all have been. Asked by the sweep, answered by
the task `repair`; sends nothing else.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import replace

from kinora.errors import NotFound, StaleState
from kinora.model import Job, JobState
from kinora.pipeline.start import send_first_task
from kinora.queues.base import QueueName
from kinora.services import Services

QUESTION_SECONDS = 86_400.0  # after which an unanswered question may be asked again


def ask(services: Services, job: Job) -> None:
    """Ask about a job, unless it moves again or an earlier question is still on its way. One whose first task may be lost is
    sent that: it needs no question, since to perform it twice changes nothing."""

    now = services.clock()
    try:
        services.jobs.change(replace(job, updated_at=now))
    except (NotFound, StaleState):  # deleted, or it has moved meanwhile
        return
    owner = uuid.uuid4().hex
    if not services.leases.acquire(_lease(job), owner, now + QUESTION_SECONDS, now):
        return
    if job.state in {JobState.QUEUED, JobState.PREPARING}:
        send_first_task(services, job)
        return
    question = {"task": "repair", "job": job.id, "asked": owner, "seen": _progress(job)}
    services.queues.send(QueueName.ENCODE, [question])


def is_unmoved(job: Job, question: Mapping[str, object]) -> bool:
    """Whether nothing has happened to the job since the question was asked."""
    return question.get("seen") == _progress(job)


def close(services: Services, job: Job, question: Mapping[str, object]) -> None:
    """The question is answered: the next one may be asked."""
    services.leases.release(_lease(job), str(question.get("asked")))


def _progress(job: Job) -> list[object]:
    """What changes when a task has done something, as JSON keeps it."""
    stages = sorted([name.value, stage.state.value] for name, stage in job.stages.items())
    return [job.state.value, sum(job.segments_done.values()), stages]


def _lease(job: Job) -> str:
    return f"repair#{job.id}"
