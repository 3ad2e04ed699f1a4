"""`/img/{sig}/{options}/{key}.{format}`: pictures made on demand. The signature is checked before the options are parsed, over
their text as it stands in the URL; a public preset needs none."""

from __future__ import annotations

import re
from typing import Annotated, Any

from fastapi import APIRouter, Header, Request, Response

from kinora.api.access import Access
from kinora.api.conditions import is_unchanged
from kinora.api.routes import get_and_head
from kinora.api.serving import IMMUTABLE, PRIVATE, REVALIDATE, send_object
from kinora.api.signed import signed_key
from kinora.errors import InvalidInput, NotFound, SignatureInvalid
from kinora.image_grammar import Words, canonical, expand, parse_options
from kinora.image_options import ANIMATED_TYPES, FORMATS, ImageOptions, processing_hash
from kinora.model import Blob, Kind, Scope
from kinora.object_keys import cached_image_key
from kinora.pipeline.having_made import note_hit
from kinora.pipeline.image_requests import have_image, may_be_public, pictured_medium
from kinora.services import Services

PUBLIC = "public"
_AUTO = "auto"
_YEAR = 31_536_000  # seconds
_PUBLIC_OPTIONS = re.compile(r"preset:([a-z0-9][a-z0-9_-]{0,31})(?:,v:[0-9a-f]{8,64})?")
_WITHOUT_ACCEPT = {"image/gif": "gif", "image/png": "png"}  # formats that show what JPEG cannot
_RESPONSES: dict[int | str, dict[str, Any]] = {
    206: {"description": "The range asked for"},
    302: {"description": "Where the bytes are (AWS)"},
    400: {"description": "An option that is not in the grammar or out of its bounds"},
    403: {"description": "The signature is not valid, or the preset is not public"},
    404: {"description": "There is no such original, or it was replaced since the URL was made"},
    410: {"description": "The link has expired"},
    413: {"description": "More pixels or time than this installation allows"},
    415: {"description": "The original is neither a picture nor a video"},
    422: {"description": "The original is damaged"},
    503: {"description": "Not made in time: ask again"},
}


def img_router(services: Services, access: Access) -> APIRouter:
    router = APIRouter(tags=["signed"])

    @get_and_head(router, "/img/{signature}/{options}/{path:path}", summary="A picture made on demand", responses=_RESPONSES)
    def img(
        request: Request, signature: str, options: str, path: str, accept: Annotated[str | None, Header()] = None
    ) -> Response:
        is_public, seconds = signature == PUBLIC, _YEAR
        if not is_public:
            path, seconds = signed_key(access, request, signature, "img", path, options=options)
        elif not _is_public_preset(services, options):
            raise SignatureInvalid(f"not public: {options!r}")
        words = expand(parse_options(options), services.settings.image_presets)
        key, _, extension = path.rpartition(".")
        blob = pictured_medium(services, key)
        if is_public and not may_be_public(services, blob):
            raise SignatureInvalid(f"pictures of {blob.hash} are not public")
        wanted = _canonical(services, words, blob, extension, accept)
        answer = _answer(
            services,
            request,
            blob,
            wanted,
            _cache(words, blob, None if is_public else seconds),
            min(seconds, services.settings.url_seconds),
        )
        if extension == _AUTO:
            answer.headers["Vary"] = "Accept"
        return answer

    return router


def _is_public_preset(services: Services, options: str) -> bool:
    named = _PUBLIC_OPTIONS.fullmatch(options)
    preset = services.settings.image_presets.get(named[1]) if named else None
    return preset is not None and preset.is_public


def _canonical(services: Services, words: Words, blob: Blob, extension: str, accept: str | None) -> ImageOptions:
    image_format = _best_format(accept or "", blob.media_type, words) if extension == _AUTO else extension
    image_format = "jpg" if image_format == "jpeg" else image_format
    if image_format not in FORMATS:
        raise InvalidInput(public_message=f"There is no picture format {extension[:20]!r}.", code="invalid-option")
    return canonical(words, image_format, blob.media_type, services.settings.image_quality)


def _best_format(accept: str, media_type: str, words: Words) -> str:
    """The smallest that the client names (RFC 9110 §12.5.1); one that moves for what may move. `*/*` alone names nothing."""
    named = {part.partition(";")[0].strip().lower() for part in accept.split(",") if not _is_refused(part)}
    may_move = media_type in ANIMATED_TYPES and "page" not in words
    for image_format in ("webp",) if may_move else ("avif", "webp"):
        if f"image/{image_format}" in named:
            return image_format
    return _WITHOUT_ACCEPT.get(media_type, "jpg")


def _is_refused(part: str) -> bool:
    return re.search(r";\s*q=0(?:\.0{0,3})?\s*(?:;|$)", part, re.IGNORECASE) is not None


def _cache(words: Words, blob: Blob, signed_for: int | None) -> str:
    """For long only where the URL names the content, so that a replaced original is seen at once everywhere else; behind a
    signature no longer than that holds, for `signed_for` seconds."""
    pinned = words.get("v")
    if pinned is None:
        return REVALIDATE if signed_for is None else PRIVATE
    if not blob.hash.startswith(pinned):
        raise NotFound(public_message="The original was replaced since this address was made.", code="content-replaced")
    return IMMUTABLE if signed_for is None else f"private, max-age={min(signed_for, _YEAR)}, immutable"


def _answer(services: Services, request: Request, blob: Blob, wanted: ImageOptions, cache: str, seconds: int) -> Response:
    tag = processing_hash(blob.hash, wanted)
    if _has_it(request, tag):
        note_hit(services, "picture" if blob.kind is Kind.IMAGE else "frame")
        return Response(status_code=304, headers={"ETag": f'"{tag}"', "Cache-Control": cache})
    key = cached_image_key(tag, wanted.format)
    try:
        answer = send_object(services, request, Scope.MEDIA, key, cache=cache, presigned_seconds=seconds, shown_etag=tag)
        note_hit(services, "picture" if blob.kind is Kind.IMAGE else "frame")
        return answer
    except NotFound:
        have_image(services, blob, wanted)
        return send_object(services, request, Scope.MEDIA, key, cache=cache, presigned_seconds=seconds, shown_etag=tag)


def _has_it(request: Request, tag: str) -> bool:
    """Whether the client names this very picture: its name says all, so nothing needs to be looked up, or even be there."""
    condition = request.headers.get("if-none-match")
    return condition is not None and is_unchanged({"if-none-match": condition.replace("*", "")}, tag, 0.0)
