"""Asking for a picture on demand: of which medium, who may, and having it made. Called by the API; imports nothing that decodes."""

from __future__ import annotations

from kinora.errors import NotFound, UnsupportedMedia
from kinora.image_options import ImageOptions
from kinora.invoking.base import picture_request
from kinora.model import Blob, BlobState, Kind, MediaAccess
from kinora.object_keys import check_key
from kinora.pipeline.cached_images import cache_key, is_cached
from kinora.pipeline.having_made import have_made
from kinora.services import Services

_SVG = "image/svg+xml"


def pictured_medium(services: Services, key: str) -> Blob:
    """The content of the original at `key`, as the catalog knows it now. Raises InvalidKey, NotFound, UnsupportedMedia."""
    original = services.catalog.original(check_key(key))
    blob = services.catalog.blob(original.hash) if original is not None and not original.removed else None
    if blob is None or blob.state is BlobState.CONDEMNED:
        raise NotFound(f"no original {key!r}")
    if blob.kind not in {Kind.IMAGE, Kind.VIDEO} or (blob.media_type == _SVG and not services.settings.allow_svg):
        raise UnsupportedMedia(f"no picture is made of {blob.media_type}")
    return blob


def may_be_public(services: Services, blob: Blob) -> bool:
    """Whether pictures of the medium may go without a signature: not if it needs a token to be played, or is encrypted."""
    access = services.catalog.access(blob.hash)
    if blob.kind is not Kind.VIDEO:
        return access is not MediaAccess.TOKEN
    is_open = (access or MediaAccess(services.settings.stream_access)) is MediaAccess.PUBLIC
    return is_open and not services.content_keys.list(blob.hash)


def have_image(services: Services, blob: Blob, options: ImageOptions) -> None:
    """Return when the picture is stored. Raises Pending if it takes too long, and what making it raises."""
    key = cache_key(blob.hash, options)
    request = picture_request(blob.hash, options.to_dict(), is_video=blob.kind is Kind.VIDEO)
    have_made(services, request, lambda: is_cached(services, key))
