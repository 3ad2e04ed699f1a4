"""`/original/{sig}/{key}` and `/thumb/{sig}/{key}`: objects behind a signature, checked before anything else is looked at."""

from __future__ import annotations

from fastapi import APIRouter, Request, Response

from kinora.api.access import Access
from kinora.api.routes import get_and_head
from kinora.api.serving import PRIVATE, send_object
from kinora.errors import NotFound
from kinora.model import Scope
from kinora.services import Services

_REFUSALS = {403: {"description": "The signature is not valid"}, 410: {"description": "The link has expired"}}
_PICTURES = "images/"


def signed_router(services: Services, access: Access) -> APIRouter:
    router = APIRouter(tags=["signed"])

    @get_and_head(router, "/original/{signature}/{key:path}", summary="An original", responses=_REFUSALS)
    def original(request: Request, signature: str, key: str) -> Response:
        access.verify(signature, "original", key)
        known = services.catalog.original(key)
        if known is None or known.removed:
            raise NotFound(f"no original {key!r}")
        blob = services.catalog.blob(known.hash)
        media_type = blob.media_type if blob else "application/octet-stream"
        filename = key.rsplit("/", 1)[-1]
        return send_object(services, request, Scope.SOURCE, key, cache=PRIVATE, media_type=media_type, filename=filename)

    @get_and_head(router, "/thumb/{signature}/{key:path}", summary="A thumbnail", responses=_REFUSALS)
    def thumb(request: Request, signature: str, key: str) -> Response:
        access.verify(signature, "thumb", key)
        if not key.startswith(_PICTURES):
            raise NotFound(f"no picture {key!r}")
        return send_object(services, request, Scope.MEDIA, key, cache="private, max-age=86400")

    return router
