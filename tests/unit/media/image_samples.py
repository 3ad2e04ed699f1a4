"""Pictures for the image tests: written by Pillow, made by Kinora, judged by Pillow again."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pillow_heif
from PIL import Image, ImageChops, ImageStat

from kinora.media.image import ImageInfo, Picture, inspect, make_variants
from kinora.media.sniff import HEAD_BYTES, sniff
from kinora.settings import ImageVariant

pillow_heif.register_heif_opener()

MEDIA = Path(__file__).parents[2] / "media"
DEFAULT_VARIANTS = (ImageVariant("thumb", 320), ImageVariant("medium", 960), ImageVariant("large", 1920))
MAX_PIXELS = 1 << 28


def photo(width: int = 640, height: int = 427) -> Image.Image:
    with Image.open(MEDIA / "china.jpg") as picture:
        return picture.resize((width, height))


def saved(picture: Image.Image, kind: str, **options: Any) -> bytes:
    out = io.BytesIO()
    picture.save(out, kind, **options)
    return out.getvalue()


def info(content: bytes, *, max_pixels: int = MAX_PIXELS) -> ImageInfo:
    return inspect(io.BytesIO(content), sniff(content[:HEAD_BYTES]), max_pixels=max_pixels)


def made(
    content: bytes,
    variants: Sequence[ImageVariant] = DEFAULT_VARIANTS,
    formats: Sequence[str] = ("webp",),
    *,
    max_pixels: int = MAX_PIXELS,
    quality: int = 80,
) -> list[Picture]:
    file, sniffed = io.BytesIO(content), sniff(content[:HEAD_BYTES])
    return list(make_variants(file, sniffed, variants, formats, quality, max_pixels=max_pixels))


def one(content: bytes, width: int, image_format: str = "png", height: int | None = None) -> Image.Image:
    """The single variant of this size, opened by Pillow; its real size is checked against what was promised."""
    (picture,) = made(content, [ImageVariant("one", width, height)], [image_format])
    opened = Image.open(io.BytesIO(picture.data))
    opened.load()
    assert opened.size == (picture.width, picture.height)
    return opened


def difference(one_picture: Image.Image, other: Image.Image) -> float:
    """Mean difference per channel, 0 to 255."""
    assert one_picture.size == other.size
    delta = ImageChops.difference(one_picture.convert("RGB"), other.convert("RGB"))
    return sum(ImageStat.Stat(delta).mean) / 3
