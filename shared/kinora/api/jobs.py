"""`/api/jobs`: what is being done, and doing it again."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, status

from kinora.api.links import Links
from kinora.api.schemas import JobPage, JobView, view_job
from kinora.model import JobState
from kinora.pipeline.start import retry
from kinora.services import Services


def jobs_router(services: Services, links: Links) -> APIRouter:
    router = APIRouter(prefix="/api/jobs", tags=["jobs"])

    @router.get("", summary="Jobs, newest first")
    def list_jobs(
        state: Annotated[JobState | None, Query(description="Only jobs in this state")] = None,
        content_hash: Annotated[str | None, Query(alias="hash", pattern="^([0-9a-f]{64}|unhashed)$")] = None,
        cursor: Annotated[str | None, Query(max_length=2048)] = None,
        limit: Annotated[int, Query(ge=1, le=200)] = 50,
    ) -> JobPage:
        page = services.jobs.list(content_hash=content_hash, state=state, cursor=cursor, limit=limit)
        return JobPage(jobs=[view_job(job, links) for job in page.items], cursor=page.cursor)

    @router.get("/{job_id}", summary="One job")
    def get_job(job_id: str) -> JobView:
        return view_job(services.jobs.get(job_id), links)

    @router.post(
        "/{job_id}/retry",
        status_code=status.HTTP_202_ACCEPTED,
        summary="Start a failed or canceled job, or what failed of a ready one, again",
    )
    def retry_job(job_id: str) -> JobView:
        return view_job(retry(services, job_id), links)

    return router
