"""`/original/{sig}/{key}` and `/thumb/{sig}/{key}`: objects behind a signature, checked before anything else is looked at."""

from __future__ import annotations

from fastapi import APIRouter, Request, Response

from kinora.api.access import Access
from kinora.api.routes import get_and_head
from kinora.api.serving import PRIVATE, send_object
from kinora.errors import NotFound, SignatureInvalid
from kinora.model import Scope
from kinora.services import Services

_REFUSALS = {403: {"description": "The signature is not valid"}, 410: {"description": "The link has expired"}}
_PICTURES = "images/"


def signed_router(services: Services, access: Access) -> APIRouter:
    router = APIRouter(tags=["signed"])

    @get_and_head(router, "/original/{signature}/{key:path}", summary="An original", responses=_REFUSALS)
    def original(request: Request, signature: str, key: str) -> Response:
        key, seconds = signed_key(access, request, signature, "original", key)
        known = services.catalog.original(key)
        if known is None or known.removed:
            raise NotFound(f"no original {key!r}")
        blob = services.catalog.blob(known.hash)
        return send_object(
            services,
            request,
            Scope.SOURCE,
            key,
            cache=PRIVATE,
            media_type=blob.media_type if blob else "application/octet-stream",
            filename=key.rsplit("/", 1)[-1],
            presigned_seconds=min(seconds, services.settings.url_seconds),
        )

    @get_and_head(router, "/thumb/{signature}/{key:path}", summary="A thumbnail", responses=_REFUSALS)
    def thumb(request: Request, signature: str, key: str) -> Response:
        key, seconds = signed_key(access, request, signature, "thumb", key)
        if not key.startswith(_PICTURES):
            raise NotFound(f"no picture {key!r}")
        lasting = min(seconds, services.settings.url_seconds)
        cache = f"private, max-age={min(seconds, 86400)}"
        return send_object(services, request, Scope.MEDIA, key, cache=cache, presigned_seconds=lasting)

    return router


def signed_key(access: Access, request: Request, signature: str, route: str, key: str, *, options: str = "") -> tuple[str, int]:
    """The key that was signed, with the `options` before it in the path where the route has some, and for how many seconds the
    signature still holds.

    API Gateway decodes the path of an HTTP API's event, and Mangum does so once more: a key with a per cent sign can come as
    another one. What the event says is then tried too; the signature tells which of both is meant. Raises SignatureInvalid,
    SignatureExpired.
    """
    try:
        return key, access.verify(signature, route, key, options=options)
    except SignatureInvalid:
        before = f"/{route}/{signature}/{options}/" if options else f"/{route}/{signature}/"
        head, _, sent = _path_in_event(request).partition(before)
        if head or not sent or sent == key:
            raise
        return sent, access.verify(signature, route, sent, options=options)


def _path_in_event(request: Request) -> str:
    event = request.scope.get("aws.event") or {}
    return str(event.get("requestContext", {}).get("http", {}).get("path", ""))
