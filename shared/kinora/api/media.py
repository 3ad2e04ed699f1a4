"""`/api/media`: everything that is known and derived, with addresses; and its removal."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path, Query

from kinora.api.links import Links
from kinora.api.schemas import (
    MediaPage,
    MediaView,
    RemovalView,
    stream_url,
    view_derivative,
    view_export,
    view_job,
    view_original,
    view_summary,
)
from kinora.api.subtitle_views import view_subtitles
from kinora.errors import NotFound
from kinora.media.subtitle_file import SUBTITLE_TYPES
from kinora.model import BlobState
from kinora.pipeline.cached_images import is_cache_row
from kinora.pipeline.export_states import unmade
from kinora.pipeline.remove import remove_media
from kinora.services import Services

Hash = Annotated[str, Path(pattern="^[0-9a-f]{64}$", description="SHA-256 of the content, hex")]


def media_router(services: Services, links: Links) -> APIRouter:
    router = APIRouter(prefix="/api/media", tags=["media"])

    @router.get("", summary="All media, newest first")
    def list_media(
        cursor: Annotated[str | None, Query(max_length=2048)] = None,
        limit: Annotated[int, Query(ge=1, le=100)] = 25,
    ) -> MediaPage:
        catalog = services.catalog
        page = catalog.blobs(cursor=cursor, limit=limit)
        shown = [one for one in page.items if one.media_type not in SUBTITLE_TYPES]  # those are shown with their media
        summaries = [view_summary(one, catalog.derivatives(one.hash), catalog.originals(one.hash), links) for one in shown]
        return MediaPage(media=summaries, cursor=page.cursor)

    @router.get("/{content_hash}", summary="One medium with everything derived from it")
    def get_media(content_hash: Hash) -> MediaView:
        blob = services.catalog.blob(content_hash)
        if blob is None or blob.state is BlobState.CONDEMNED:
            raise NotFound(f"no blob {content_hash}")
        derivatives = services.catalog.derivatives(content_hash)
        return MediaView(
            hash=blob.hash,
            size=blob.size,
            media_type=blob.media_type,
            kind=blob.kind.value,
            state=blob.state.value,
            created_at=blob.created_at,
            stream_url=stream_url(derivatives, links),
            originals=[view_original(one, links) for one in services.catalog.originals(content_hash)],
            derivatives=[view_derivative(one, links) for one in derivatives if not is_cache_row(one)],
            subtitles=view_subtitles(services, content_hash, links),
            exports=[view_export(one) for one in unmade(services, content_hash)],
            jobs=[view_job(job, links) for job in services.jobs.list(content_hash=content_hash).items],
        )

    @router.delete("/{content_hash}", summary="Delete everything derived, and the originals if asked")
    def delete_media(
        content_hash: Hash,
        originals: Annotated[bool, Query(description="Delete the originals too")] = False,
    ) -> RemovalView:
        return RemovalView.model_validate(remove_media(services, content_hash, originals=originals))

    return router
