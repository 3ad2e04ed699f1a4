"""`/api/media/{hash}/crops`: parts of a picture, or of the picture that a video shows at some time."""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import APIRouter, Response, status
from pydantic import BaseModel, Field, model_validator

from kinora.api.links import Links
from kinora.api.media import Hash
from kinora.api.schemas import FailureView, view_failure
from kinora.pipeline.crop_requests import request_crops
from kinora.pipeline.export_states import Requested
from kinora.services import Services

Place = Annotated[float, Field(ge=0, le=1_000_000, allow_inf_nan=False)]
Length = Annotated[float, Field(gt=0, le=1_000_000, allow_inf_nan=False)]


class BoxRequest(BaseModel):
    left: Place
    top: Place
    width: Length
    height: Length
    unit: Literal["pixels", "fractions"] = Field("pixels", description="Of the picture as it is seen, after orientation")

    @model_validator(mode="after")
    def _begins_inside(self) -> BoxRequest:
        if self.unit == "fractions" and max(self.left, self.top) >= 1:
            raise ValueError("the box lies outside the picture")
        return self


class CropsRequest(BaseModel):
    boxes: list[BoxRequest] = Field(min_length=1, max_length=50)
    time: float | None = Field(None, ge=0, allow_inf_nan=False, description="Seconds; for videos only")
    longest: int = Field(512, ge=1, le=8192, description="Pixels of the longer side at most; nothing is made larger")
    format: Literal["webp", "jpg"] = "webp"
    retry: bool = Field(False, description="Whether those that have failed are tried again")


class CropView(BaseModel):
    name: str
    state: str = Field(description="`ready`, `pending`: ask again soon, or `failed`")
    error: FailureView | None = Field(description="Why it has failed")
    width: int | None
    height: int | None
    url: str | None = Field(description="Signed, valid for a limited time")


class CropList(BaseModel):
    crops: list[CropView] = Field(description="In the order of the boxes")


def crops_router(services: Services, links: Links) -> APIRouter:
    router = APIRouter(prefix="/api/media/{content_hash}", tags=["exports"])

    @router.post(
        "/crops",
        summary="Have boxes cut out, or say where the crops are",
        responses={202: {"description": "Some are being made", "model": CropList}},
    )
    def create_crops(content_hash: Hash, wanted: CropsRequest, response: Response) -> CropList:
        boxes = [one.model_dump(exclude={"unit"}) | {"is_fraction": one.unit == "fractions"} for one in wanted.boxes]
        found = request_crops(
            services,
            content_hash,
            boxes,
            time=wanted.time,
            longest=wanted.longest,
            image_format=wanted.format,
            retry=wanted.retry,
        )
        if any(one.state == "pending" for one in found):
            response.status_code = status.HTTP_202_ACCEPTED
        return CropList(crops=[_view(one, links) for one in found])

    return router


def _view(one: Requested, links: Links) -> CropView:
    made = one.derivative
    return CropView(
        name=one.name,
        state=one.state,
        error=view_failure(one.error),
        width=made.width if made else None,
        height=made.height if made else None,
        url=links.thumb(made.key) if made else None,
    )
