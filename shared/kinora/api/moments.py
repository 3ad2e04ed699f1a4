"""`/api/media/{hash}/moments`: named time ranges of a video, exported as MP4."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path, status
from pydantic import BaseModel, Field

from kinora.api.links import Links
from kinora.api.media import Hash
from kinora.api.schemas import FailureView, view_failure
from kinora.model import Moment, MomentState
from kinora.object_keys import moment_path
from kinora.pipeline.moments import create_moment, edit_moment, find_moment, remove_moment
from kinora.services import Services

MomentId = Annotated[str, Path(pattern="^[0-9a-f]{32}$")]
Seconds = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Name = Annotated[str, Field(min_length=1, max_length=200)]


class MomentRequest(BaseModel):
    name: Name
    start: Seconds
    end: Seconds


class MomentChange(BaseModel):
    name: Name | None = None
    start: Seconds | None = None
    end: Seconds | None = None


class MomentView(BaseModel):
    id: str
    name: str
    start: float = Field(description="Seconds")
    end: float = Field(description="Seconds")
    version: int = Field(description="Grows with every change of the range")
    state: str = Field(description="Of that version: pending, ready or failed")
    error: FailureView | None
    served: int | None = Field(description="The version that `url` gives, which may be an older one")
    url: str | None
    created_at: float
    updated_at: float


class MomentList(BaseModel):
    moments: list[MomentView]


def moments_router(services: Services, links: Links) -> APIRouter:
    router = APIRouter(prefix="/api/media/{content_hash}/moments", tags=["moments"])

    def view(moment: Moment) -> MomentView:
        return MomentView(
            id=moment.id,
            name=moment.name,
            start=moment.start,
            end=moment.end,
            version=moment.version,
            state=moment.state.value,
            error=view_failure(moment.error),
            served=moment.served or None,
            url=links.stream(moment.hash, moment_path(moment.id, moment.served)) if moment.served else None,
            created_at=moment.created_at,
            updated_at=moment.updated_at,
        )

    @router.get("", summary="The moments of a video, oldest first")
    def list_moments(content_hash: Hash) -> MomentList:
        found = services.catalog.moments(content_hash)
        return MomentList(moments=[view(one) for one in found if one.state is not MomentState.REMOVED])

    @router.post("", status_code=status.HTTP_202_ACCEPTED, summary="Name a time range and have it exported as MP4")
    def add_moment(content_hash: Hash, wanted: MomentRequest) -> MomentView:
        return view(create_moment(services, content_hash, wanted.name, wanted.start, wanted.end))

    @router.get("/{moment_id}", summary="One moment")
    def get_moment(content_hash: Hash, moment_id: MomentId) -> MomentView:
        return view(find_moment(services, content_hash, moment_id))

    @router.patch("/{moment_id}", summary="Rename a moment, or change its range, which is exported anew")
    def change_moment(content_hash: Hash, moment_id: MomentId, change: MomentChange) -> MomentView:
        return view(edit_moment(services, content_hash, moment_id, change.name, change.start, change.end))

    @router.delete("/{moment_id}", status_code=status.HTTP_204_NO_CONTENT, summary="Remove a moment and its exports")
    def delete_moment(content_hash: Hash, moment_id: MomentId) -> None:
        remove_moment(services, content_hash, moment_id)

    return router
