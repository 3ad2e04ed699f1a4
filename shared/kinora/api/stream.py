"""`/stream/{hash}/{path}`: files that name others from the API, rewritten with the viewer's token; the rest as stored objects."""

from __future__ import annotations

from typing import Annotated
from urllib.parse import urlencode

from fastapi import APIRouter, Header, Query, Request, Response

from kinora.api.access import Access, bearer
from kinora.api.routes import get_and_head
from kinora.api.serving import IMMUTABLE, PRIVATE, REVALIDATE, send_object, send_text
from kinora.errors import NotFound
from kinora.media.hls import rewrite_uris
from kinora.media.storyboard_layout import rewrite_sheets
from kinora.model import Scope
from kinora.object_keys import STORYBOARD_PATH, media_type_of
from kinora.pipeline.playback import explain_absence, make_missing, read_index, stream_key
from kinora.services import Services


def stream_router(services: Services, access: Access) -> APIRouter:
    router = APIRouter(tags=["stream"])
    is_private = services.settings.stream_access == "token"

    @get_and_head(
        router,
        "/stream/{content_hash}/{path:path}",
        summary="A playlist, init segment, segment, cover, preview, storyboard or waveform",
        responses={
            206: {"description": "The range asked for"},
            302: {"description": "Where the bytes are (AWS)"},
            404: {"description": "Not planned, or it could not be made: `code` says why"},
            503: {"description": "Planned, not made yet: ask again"},
        },
    )
    def stream(
        request: Request,
        content_hash: str,
        path: str,
        token: Annotated[str | None, Query(description="Playback token, for players that send no headers")] = None,
        authorization: Annotated[str | None, Header()] = None,
    ) -> Response:
        key = stream_key(content_hash, path)
        if is_private:
            token = token or bearer(authorization)
            access.check_playback(content_hash, token)
        try:
            if path.endswith(".m3u8") or path == STORYBOARD_PATH:
                text = read_index(services, content_hash, path)
                if is_private and token:
                    rewrite = rewrite_sheets if path == STORYBOARD_PATH else rewrite_uris
                    text = rewrite(text, urlencode({"token": token}))
                return send_text(request, text.encode(), media_type_of(path), PRIVATE if is_private else REVALIDATE)
            fixed = path.endswith((".m4s", ".mp4"))
            cache = PRIVATE if is_private else (IMMUTABLE if fixed else REVALIDATE)
            return send_object(services, request, Scope.MEDIA, key, cache=cache)
        except NotFound:
            if request.method == "HEAD":
                raise explain_absence(services, content_hash, path) from None
            make_missing(services, content_hash, path)
            return send_object(services, request, Scope.MEDIA, key, cache=cache)

    return router
