"""Making a picture of a picture because somebody waits for it. Called by the image function when it is invoked directly."""

from __future__ import annotations

from kinora.errors import InvalidEvent, UnsupportedMedia
from kinora.image_options import ImageOptions
from kinora.invoking.base import Request
from kinora.media.image import Picture
from kinora.media.sniff import sniff
from kinora.media.transform import transform
from kinora.model import Kind
from kinora.pipeline.cached_images import make_once
from kinora.pipeline.fingerprint import read_head
from kinora.pipeline.originals import open_content
from kinora.services import Services

SECONDS = 20.0  # for one picture: less than its viewer waits


def make_picture(services: Services, request: Request) -> bool:
    """Whether the picture is stored now; False if somebody else is making it. Raises CorruptMedia, LimitExceeded, OriginalGone,
    UnsupportedMedia, and InvalidInput for what only the content could tell."""
    content_hash, options = what_is_wanted(request)
    return make_once(services, content_hash, options, lambda: _make(services, content_hash, options))


def what_is_wanted(request: Request) -> tuple[str, ImageOptions]:
    """Content hash and options of a `picture_request`; raises InvalidEvent."""
    content_hash, raw = request.get("hash"), request.get("options")
    if not isinstance(content_hash, str) or not isinstance(raw, dict):
        raise InvalidEvent(f"no picture is named by {request}")
    return content_hash, ImageOptions.from_dict(raw)


def _make(services: Services, content_hash: str, options: ImageOptions) -> Picture:
    settings = services.settings
    with open_content(services, content_hash) as original:
        sniffed = sniff(read_head(original))
        if sniffed.kind is not Kind.IMAGE or (sniffed.media_type == "image/svg+xml" and not settings.allow_svg):
            raise UnsupportedMedia(f"no picture is made of {sniffed.media_type}")
        return transform(
            original,
            sniffed,
            options,
            max_pixels=settings.max_pixels,
            max_output=settings.max_output_pixels,
            seconds=SECONDS,
        )
