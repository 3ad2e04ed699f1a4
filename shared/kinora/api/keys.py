"""`/keys/{key_id}`: a content key for who may play its stream. Nothing keeps the answer, and nobody gets one without a token."""

from __future__ import annotations

from contextlib import suppress
from typing import Annotated

from fastapi import APIRouter, Path, Request, Response

from kinora.api.access import Access
from kinora.api.playback import PLAYBACK_PARAMETERS
from kinora.errors import Forbidden, Gone, NotFound, SignatureExpired
from kinora.model import ContentKey
from kinora.pipeline.revisions import is_retired, revision_name
from kinora.pipeline.segment_keys import plain_key
from kinora.services import Services

KeyId = Annotated[str, Path(pattern="^[0-9a-f]{32}$", description="As EXT-X-KEY names it")]
_HEADERS = {"Cache-Control": "no-store", "Vary": "Authorization, Cookie", "X-Content-Type-Options": "nosniff"}


def keys_router(services: Services, access: Access) -> APIRouter:
    router = APIRouter(tags=["stream"])

    @router.get(
        "/keys/{key_id}",
        summary="A content key",
        response_class=Response,
        responses={
            200: {"content": {"application/octet-stream": {}}, "description": "The 16 bytes of an AES-128 key"},
            401: {"description": "It needs a playback token"},
            403: {"description": "The token is not valid, or for another stream"},
            404: {"description": "There is no such key"},
            410: {"description": "The token has expired, or another key has taken this one's place"},
        },
        openapi_extra={"parameters": PLAYBACK_PARAMETERS},
    )
    def content_key(request: Request, key_id: KeyId) -> Response:
        try:
            key = services.content_keys.get(key_id)
        except NotFound:
            with suppress(Forbidden, SignatureExpired):  # whoever brings no token at all is not told what there is
                access.check_playback("", request)
            raise
        access.check_playback(key.hash, request)
        _check_current(services, key)
        return Response(plain_key(services, key), media_type="application/octet-stream", headers=_HEADERS)

    return router


def _check_current(services: Services, key: ContentKey) -> None:
    export = services.catalog.export(key.hash, revision_name(key.revision))
    if export is None:
        raise NotFound(f"revision {key.revision} of {key.hash} is gone")
    if key.revoked or is_retired(export):
        raise Gone(public_message="Another key has taken this one's place: load the stream anew.")
