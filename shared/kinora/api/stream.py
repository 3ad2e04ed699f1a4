"""`/stream/{hash}/{path}`: files that name others from the API, rewritten with the viewer's token; the rest as stored objects."""

from __future__ import annotations

from fastapi import APIRouter, Request, Response

from kinora.api.access import Access
from kinora.api.playback import PLAYBACK_PARAMETERS, Admission
from kinora.api.routes import get_and_head
from kinora.api.serving import IMMUTABLE, PRIVATE, REVALIDATE, send_object, send_text
from kinora.errors import NotFound
from kinora.media.hls import rewrite_uris
from kinora.media.hls_choice import has_variants, only_rendition
from kinora.media.storyboard_layout import rewrite_sheets
from kinora.model import Scope
from kinora.object_keys import STORYBOARD_PATH, media_type_of
from kinora.pipeline.playback import explain_absence, make_missing, note_stored, read_index, stream_key
from kinora.services import Services

_NEVER_STORED = "private, no-store"


def stream_router(services: Services, access: Access) -> APIRouter:
    router = APIRouter(tags=["stream"])

    @get_and_head(
        router,
        "/stream/{content_hash}/{path:path}",
        summary="A playlist, init segment, segment, cover, preview, storyboard or waveform",
        responses={
            206: {"description": "The range asked for"},
            302: {"description": "Where the bytes are (AWS)"},
            404: {"description": "Not planned, or it could not be made: `code` says why"},
            401: {"description": "It needs a playback token"},
            403: {"description": "The token is not valid, or not for this viewer or file"},
            410: {"description": "The token has expired"},
            503: {"description": "Planned, not made yet: ask again"},
        },
        openapi_extra={"parameters": PLAYBACK_PARAMETERS},
    )
    def stream(
        request: Request,
        content_hash: str,
        path: str,
    ) -> Response:
        stream_key(content_hash, path)
        is_index = path.endswith(".m3u8") or path == STORYBOARD_PATH
        admission = access.playback.admit(request, content_hash, path, begins=is_index)
        try:
            if is_index:
                return send_index(request, content_hash, path, admission)
            answer = send_file(request, content_hash, path, admission)
            note_stored(services, path)
            return answer
        except NotFound:
            if request.method == "HEAD":
                raise explain_absence(services, content_hash, path) from None
            make_missing(services, content_hash, path)
            return send_file(request, content_hash, path, admission)

    def send_index(request: Request, content_hash: str, path: str, admission: Admission) -> Response:
        """A file that names others: as the viewer may see it, every address with what the next request needs."""
        text = read_index(services, content_hash, path)
        if path == "master.m3u8" and admission.limits.rendition:
            text = only_rendition(text, admission.limits.rendition)
            if not has_variants(text):
                raise NotFound(f"{content_hash} has no rendition {admission.limits.rendition}")
        admission = access.playback.begin(request, admission)
        if admission.query:
            rewrite = rewrite_sheets if path == STORYBOARD_PATH else rewrite_uris
            text = rewrite(text, admission.query)
        cache = _NEVER_STORED if admission.is_private or admission.query else REVALIDATE
        return access.playback.mark(request, send_text(request, text.encode(), media_type_of(path), cache), admission)

    def send_file(request: Request, content_hash: str, path: str, admission: Admission) -> Response:
        public = IMMUTABLE if path.endswith((".m4s", ".mp4")) else REVALIDATE
        seconds = admission.presigned_seconds(path, services.clock(), services.settings.url_seconds)
        cache = PRIVATE if admission.is_private else public
        key = stream_key(content_hash, path)
        answer = send_object(services, request, Scope.MEDIA, key, cache=cache, presigned_seconds=seconds)
        return access.playback.mark(request, answer, admission)

    return router
