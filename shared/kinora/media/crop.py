"""Cutting boxes out of one picture, shrinking and encoding them. Called by the pipeline for crops of images and of video frames.

Boxes are as they are seen: after orientation. They are clamped to the picture, and nothing is made larger.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, BinaryIO

from kinora.image_options import MAX_SIDE
from kinora.media.image import Picture, decode_upright, inspect
from kinora.media.image_encode import encode
from kinora.media.image_open import decoding
from kinora.media.sniffed import Sniffed


@dataclass(frozen=True, slots=True)
class Box:
    """A part of a picture from its top left corner: pixels, or fractions of its sides. The crop is called `name`."""

    name: str
    left: float
    top: float
    width: float
    height: float
    is_fraction: bool

    @classmethod
    def of(cls, raw: Mapping[str, Any]) -> Box:
        left, top, width, height = (float(raw[side]) for side in ("left", "top", "width", "height"))
        return cls(str(raw["name"]), left, top, width, height, bool(raw["is_fraction"]))

    def within(self, width: int, height: int) -> tuple[int, int, int, int]:
        """Left, top, width and height in whole pixels of a picture of that size; at least one pixel of it."""
        across, down = (width, height) if self.is_fraction else (1, 1)
        left = min(max(round(self.left * across), 0), width - 1)
        top = min(max(round(self.top * down), 0), height - 1)
        right = min(max(round((self.left + self.width) * across), left + 1), width)
        bottom = min(max(round((self.top + self.height) * down), top + 1), height)
        return left, top, right - left, bottom - top


def crop_image(
    file: BinaryIO, sniffed: Sniffed, boxes: Sequence[Box], longest: int, image_format: str, quality: int, *, max_pixels: int
) -> Iterator[Picture]:
    """The boxes of a picture, of an animation's first frame; neither side over `longest`.

    Raises LimitExceeded, CorruptMedia, and whatever `file` raises.
    """
    info = inspect(file, sniffed, max_pixels=max_pixels)
    yield from crop(decode_upright(file, sniffed, info), boxes, longest, image_format, quality)


def crop(picture: Any, boxes: Sequence[Box], longest: int, image_format: str, quality: int) -> Iterator[Picture]:
    """The boxes of a libvips image that is upright sRGB."""
    for box in boxes:
        with decoding():
            cut = picture.crop(*box.within(picture.width, picture.height))
            scale = min(1.0, min(longest, MAX_SIDE) / max(cut.width, cut.height))
            size = max(1, round(cut.width * scale)), max(1, round(cut.height * scale))
            if scale < 1:
                cut = cut.thumbnail_image(size[0], height=size[1], size="force")
            data = encode(cut, image_format, quality)
        yield Picture(box.name, image_format, data, *size)
