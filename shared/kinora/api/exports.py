"""Files made on request: the progressive MP4 of a video."""

from __future__ import annotations

from fastapi import APIRouter, Response, status
from pydantic import BaseModel, Field

from kinora.api.links import Links
from kinora.api.media import Hash
from kinora.api.schemas import FailureView, view_failure
from kinora.object_keys import proxy_path
from kinora.pipeline.exports import request_proxy
from kinora.services import Services


class ProxyRequest(BaseModel):
    retry: bool = Field(False, description="Whether one that has failed is tried again")
    rendition: str | None = Field(None, description="Name such as r720_h264; the largest in H.264 if absent", max_length=64)


class ProxyView(BaseModel):
    rendition: str
    state: str = Field(description="`ready`, `pending`: ask again soon, or `failed`")
    error: FailureView | None = Field(None, description="Why it has failed")
    size: int | None = None
    url: str | None = Field(None, description="The MP4, once it is ready")


def exports_router(services: Services, links: Links) -> APIRouter:
    router = APIRouter(prefix="/api/media/{content_hash}", tags=["exports"])

    @router.post(
        "/proxy",
        summary="Have a progressive MP4 made, or say where it is",
        responses={202: {"description": "It is being made", "model": ProxyView}},
    )
    def create_proxy(content_hash: Hash, response: Response, wanted: ProxyRequest | None = None) -> ProxyView:
        name, retry = (wanted.rendition, wanted.retry) if wanted else (None, False)
        rendition, found = request_proxy(services, content_hash, name, retry=retry)
        if found.state == "pending":
            response.status_code = status.HTTP_202_ACCEPTED
        made = found.derivative
        return ProxyView(
            rendition=rendition,
            state=found.state,
            error=view_failure(found.error),
            size=made.size if made else None,
            url=links.stream(content_hash, proxy_path(rendition)) if made else None,
        )

    return router
