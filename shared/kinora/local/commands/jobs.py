"""`kinora jobs`: lists jobs, newest first, or shows one; in the form of the API."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from datetime import datetime

from kinora.local.context import Context
from kinora.local.lock import running_instance
from kinora.model import Job, JobState
from kinora.services import Services


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("id", nargs="?", help="show just this job")
    parser.add_argument("--state", choices=[state.value for state in JobState], help="only jobs in this state")
    parser.add_argument("--limit", type=int, default=50, help="how many at most (default 50)")


def run(context: Context, arguments: argparse.Namespace) -> int:
    services = context.services()
    if arguments.id is not None:
        jobs = iter([services.jobs.get(arguments.id)])
    else:
        state = JobState(arguments.state) if arguments.state else None
        jobs = _jobs(services, state, max(1, arguments.limit))
    running = running_instance(context.data)
    url = running.url if running is not None else None
    for job in jobs:
        context.result(_view(services, job, url or ""), _line(job))
    return 0


def _jobs(services: Services, state: JobState | None, limit: int) -> Iterator[Job]:
    cursor = None
    while limit > 0:
        page = services.jobs.list(state=state, cursor=cursor, limit=min(limit, 100))
        yield from page.items
        limit -= len(page.items)
        cursor = page.cursor
        if cursor is None:
            return


def _view(services: Services, job: Job, url: str) -> dict[str, object]:
    from dataclasses import replace

    from kinora.api.access import Access
    from kinora.api.links import Links
    from kinora.api.schemas import view_job

    public = replace(services, settings=replace(services.settings, public_url=url))
    return view_job(job, Links(public, Access(public))).model_dump()


def _line(job: Job) -> str:
    when = datetime.fromtimestamp(job.created_at).astimezone().strftime("%Y-%m-%d %H:%M:%S")
    error = f"  {job.error.code}: {job.error.message}" if job.error else ""
    return f"{job.id}  {when}  {job.kind.value:5}  {job.state.value:9}  {job.progress:4.0%}  {job.original_key}{error}"
