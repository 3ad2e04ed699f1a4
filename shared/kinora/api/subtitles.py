"""`/api/media/{hash}/subtitles`: the subtitles of a medium, and those that are handed in here. They lie beside the stream."""

from __future__ import annotations

from typing import Annotated

from anyio import to_thread
from fastapi import APIRouter, Path, Query, Request, status

from kinora.api.links import Links
from kinora.api.media import Hash
from kinora.api.schemas import SubtitleList, SubtitleView
from kinora.api.subtitle_views import view_subtitles
from kinora.errors import InvalidInput, LimitExceeded, NotFound, UnsupportedMedia
from kinora.media.languages import canonical_tag
from kinora.media.subtitle_file import MOST_FILE_BYTES, SUBRIP_TYPE, WEBVTT_TYPE
from kinora.pipeline.subtitle_uploads import put_subtitles, remove_subtitles
from kinora.services import Services

_TAKEN_IN = {WEBVTT_TYPE, SUBRIP_TYPE, "text/plain", "application/octet-stream", ""}
_BODY = {"schema": {"type": "string", "format": "binary"}}
Language = Annotated[str, Path(description="BCP 47, such as en or pt-BR; und if unknown", max_length=35)]
Forced = Annotated[bool, Query(description="Texts that belong to the picture, beside those of all that is said")]


def subtitles_router(services: Services, links: Links) -> APIRouter:
    router = APIRouter(prefix="/api/media/{content_hash}/subtitles", tags=["subtitles"])

    def find(content_hash: str, language: str, *, forced: bool) -> SubtitleView:
        wanted = (_language(language), forced)
        for view in view_subtitles(services, content_hash, links):
            if (view.language, view.forced) == wanted:
                return view
        raise NotFound(f"no subtitles {language} of {content_hash}")

    @router.get("", summary="The subtitles of a medium, wherever they come from")
    def list_subtitles(content_hash: Hash) -> SubtitleList:
        if services.catalog.blob(content_hash) is None:
            raise NotFound(f"no blob {content_hash}")
        return SubtitleList(subtitles=view_subtitles(services, content_hash, links))

    @router.get("/{language}", summary="The first subtitles in a language")
    def get_subtitles(content_hash: Hash, language: Language, forced: Forced = False) -> SubtitleView:
        return find(content_hash, language, forced=forced)

    @router.put(
        "/{language}",
        summary="Hand in subtitles, WebVTT or SubRip of 4 MB at most; they replace those in the same language",
        openapi_extra={"requestBody": {"required": True, "content": {WEBVTT_TYPE: _BODY, SUBRIP_TYPE: _BODY}}},
    )
    async def store(
        request: Request,
        content_hash: Hash,
        language: Language,
        name: Annotated[str, Query(description="What viewers choose by", max_length=200)] = "",
        default: Annotated[bool, Query(description="Whether they are shown unless the viewer chooses")] = False,
        forced: Forced = False,
    ) -> SubtitleView:
        tag = _language(language)
        _check_type(request.headers.get("content-type", ""))
        data = await _read(request)

        def put() -> SubtitleView:
            put_subtitles(services, content_hash, tag, data, title=name, default=default, forced=forced)
            return find(content_hash, tag, forced=forced)

        return await to_thread.run_sync(put)

    @router.delete("/{language}", status_code=status.HTTP_204_NO_CONTENT, summary="Remove subtitles that were handed in")
    def delete_subtitles(content_hash: Hash, language: Language, forced: Forced = False) -> None:
        remove_subtitles(services, content_hash, _language(language), forced=forced)

    return router


def _language(text: str) -> str:
    tag = canonical_tag(text)
    if tag is None:
        raise InvalidInput(code="invalid-language", public_message="The language is no tag of BCP 47, such as en or pt-BR.")
    return tag


def _check_type(declared: str) -> None:
    if declared.partition(";")[0].strip().lower() not in _TAKEN_IN:
        raise UnsupportedMedia(public_message="Subtitles are sent as text/vtt or application/x-subrip.")


async def _read(request: Request) -> bytes:
    data = bytearray()
    async for chunk in request.stream():
        data += chunk
        if len(data) > MOST_FILE_BYTES:
            raise LimitExceeded(public_message=f"Subtitles have {MOST_FILE_BYTES} bytes at most.")
    return bytes(data)
