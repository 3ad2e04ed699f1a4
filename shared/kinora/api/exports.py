"""Files made on request: the progressive MP4 of a video."""

from __future__ import annotations

from fastapi import APIRouter, Response, status
from pydantic import BaseModel, Field

from kinora.api.links import Links
from kinora.api.media import Hash
from kinora.object_keys import proxy_path
from kinora.pipeline.exports import request_proxy
from kinora.services import Services


class ProxyRequest(BaseModel):
    rendition: str | None = Field(None, description="Name such as r720_h264; the largest in H.264 if absent", max_length=64)


class ProxyView(BaseModel):
    rendition: str
    state: str = Field(description="`ready`, or `pending`: ask again soon")
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
        name, made = request_proxy(services, content_hash, wanted.rendition if wanted else None)
        if made is None:
            response.status_code = status.HTTP_202_ACCEPTED
            return ProxyView(rendition=name, state="pending", url=None)
        return ProxyView(rendition=name, state="ready", size=made.size, url=links.stream(content_hash, proxy_path(name)))

    return router
