"""Answering the question about a job that stood still: it is brought to its end, left alone, or its tasks are sent again.

Performed by the video function for `repair` tasks, which the sweep sends (`inquiry`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from kinora.model import Failure, Job
from kinora.pipeline.inquiry import close, is_unmoved
from kinora.pipeline.prepare import prepare
from kinora.pipeline.work import fail, settle, update
from kinora.services import Services

MAX_REPAIRS = 3  # in a row without anything done in between
_STUCK = Failure("stuck", "The work was started several times and never came to an end.")


def repair(services: Services, job: Job, task: Mapping[str, object], remaining: object) -> None:
    """Send the tasks of the job again if they were lost: they have all been received and nothing has changed.

    After MAX_REPAIRS times in vain the job fails as `stuck`. Raises what settling and preparing raise.
    """
    is_lost = is_unmoved(job, task)
    job = settle(services, job.id)  # its last task may have been killed just before that
    if job.state.is_final:
        return
    if is_lost and job.repairs >= MAX_REPAIRS:
        fail(services, job.id, _STUCK)
        return
    if is_lost:
        prepare(services, job, {"repair": True}, remaining)
    update(services, job.id, lambda current: _counted(current, current.repairs + 1 if is_lost else 0))
    close(services, job, task)


def _counted(job: Job, repairs: int) -> Job | None:
    return None if job.state.is_final or job.repairs == repairs else replace(job, repairs=repairs)
