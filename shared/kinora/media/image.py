"""Pictures: how large they are, and their thumbnails. Called by the image function; knows bytes, not storage.

The size is read from the header and checked before anything is decoded. Thumbnails are upright, sRGB and carry no metadata.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, BinaryIO

from kinora.errors import LimitExceeded
from kinora.image_options import ANIMATED_FORMATS, ANIMATED_TYPES
from kinora.media.heic import decode_heic
from kinora.media.image_animation import shrink_roll
from kinora.media.image_encode import encode
from kinora.media.image_geometry import Target, fit, jpeg_shrink
from kinora.media.image_open import decoding, field, load, reading
from kinora.media.sniffed import Sniffed
from kinora.settings import ImageVariant

_MAX_FRAMES = 2000  # libvips needs about 300 kB to shrink each, however small it is
HEVC_TYPES = {"image/heic", "image/heif"}
PAGED_TYPES = {"image/gif", "image/webp", "image/tiff"}


@dataclass(frozen=True, slots=True)
class ImageInfo:
    """Pixels as shown, after orientation; `frames` counts the frames of an animation or the pages of a TIFF."""

    width: int
    height: int
    frames: int
    has_alpha: bool


@dataclass(frozen=True, slots=True)
class Picture:
    """One encoded variant; `format` is webp, avif, jpg, png or gif."""

    name: str
    format: str
    data: bytes
    width: int
    height: int


def inspect(file: BinaryIO, sniffed: Sniffed, *, max_pixels: int) -> ImageInfo:
    """Describe a picture by its header alone. `max_pixels` limits width × height × frames.

    Raises LimitExceeded, CorruptMedia, and whatever `file` raises.
    """
    with reading(file, sniffed) as source:
        image = load(source, sniffed)
        frames = field(image, "n-pages", 1) if sniffed.media_type in PAGED_TYPES else 1
        width, height = image.width, field(image, "page-height", image.height)
        if field(image, "orientation", 1) >= 5:
            width, height = height, width
        info = ImageInfo(width, height, frames, bool(image.hasalpha()))
    if frames > _MAX_FRAMES:
        raise LimitExceeded(public_message=f"The picture has {frames} frames; allowed are {_MAX_FRAMES}.")
    if width * height * frames > max_pixels:
        raise LimitExceeded(
            f"{width} × {height} × {frames} pixels, allowed are {max_pixels}",
            public_message=f"The picture has {width} × {height} × {frames} pixels; this installation allows {max_pixels}.",
        )
    return info


def make_variants(
    file: BinaryIO,
    sniffed: Sniffed,
    variants: Sequence[ImageVariant],
    formats: Sequence[str],
    quality: int,
    *,
    max_pixels: int,
) -> Iterator[Picture]:
    """Make every variant in every format, the largest first.

    An animated GIF or WebP stays animated in WebP and GIF; other formats show its first frame. `quality` is WebP's and
    JPEG's, 1 to 100. Raises LimitExceeded, CorruptMedia, and whatever `file` raises.
    """
    info = inspect(file, sniffed, max_pixels=max_pixels)
    targets = [fit(variant, info.width, info.height) for variant in variants]
    targets.sort(key=lambda target: target.scale, reverse=True)
    animated = info.frames > 1 and sniffed.media_type in ANIMATED_TYPES
    rolled = [one for one in formats if animated and one in ANIMATED_FORMATS]
    for target in targets if rolled else ():
        for image_format in rolled:
            data = _animation(file, sniffed, target, image_format, quality)
            yield Picture(target.name, image_format, data, target.width, target.height)
    still = [one for one in formats if one not in rolled]
    for target, image in _stills(file, sniffed, info, targets) if still else ():
        for image_format in still:
            with decoding():
                data = encode(image, image_format, quality)
            yield Picture(target.name, image_format, data, target.width, target.height)


def _animation(file: BinaryIO, sniffed: Sniffed, target: Target, image_format: str, quality: int) -> bytes:
    """Decoded anew for each output, because a decoded animation is too large to be kept."""
    with reading(file, sniffed) as source:
        return encode(shrink_roll(load(source, sniffed, n=-1), target), image_format, quality)


def _stills(file: BinaryIO, sniffed: Sniffed, info: ImageInfo, targets: Sequence[Target]) -> Iterator[tuple[Target, Any]]:
    """Each target in memory, decoded once: each is shrunk from the one before."""
    if not targets:
        return
    size = targets[0].scaled(info.width, info.height)
    if sniffed.media_type in HEVC_TYPES:
        with decoding():
            image = shrink_upright(decode_heic(file), *size)
    else:
        with reading(file, sniffed) as source:
            image = shrink_upright(load(source, sniffed, **_shrunk(sniffed, info, targets[0].scale)), *size)
    for target in targets:
        width, height = target.scaled(info.width, info.height)
        with decoding():
            if (width, height) != (image.width, image.height):
                image = image.thumbnail_image(width, height=height, size="force").copy_memory()
            left, top = (width - target.width) // 2, (height - target.height) // 2
            cut = image.crop(left, top, target.width, target.height)
        yield target, cut


def decode_upright(file: BinaryIO, sniffed: Sniffed, info: ImageInfo) -> Any:
    """The whole picture (of an animation the first frame) in its own size as a libvips image: upright, 8-bit sRGB.

    Raises CorruptMedia, and whatever `file` raises.
    """
    if sniffed.media_type in HEVC_TYPES:
        with decoding():
            return shrink_upright(decode_heic(file), info.width, info.height)
    with reading(file, sniffed) as source:
        return shrink_upright(load(source, sniffed), info.width, info.height)


def _shrunk(sniffed: Sniffed, info: ImageInfo, scale: float) -> dict[str, int]:
    return {"shrink": jpeg_shrink(info.width, info.height, scale)} if sniffed.media_type == "image/jpeg" else {}


def shrink_upright(image: Any, width: int, height: int) -> Any:
    """Decode, shrink to exactly `width` × `height` upright pixels, and convert to 8-bit sRGB."""
    has_own_colours = image.get_typeof("icc-profile-data") or image.interpretation == "cmyk" or image.format != "uchar"
    # Naming a profile where there is nothing to convert changes no pixel and costs ten times the rest.
    profile = {"output_profile": "srgb"} if has_own_colours else {}
    small = image.thumbnail_image(width, height=height, size="force", **profile).colourspace("srgb").copy_memory()
    for name in small.get_fields():
        if name in {"icc-profile-data", "orientation", "page-height", "n-pages"}:
            small.remove(name)
    return small
