"""Sizes of the variants of a picture: pure arithmetic on pixels, used for stills and animations alike."""

from __future__ import annotations

from dataclasses import dataclass

from kinora.image_options import MAX_SIDE
from kinora.settings import ImageVariant

_LARGE = 4_000_000  # pixels


@dataclass(frozen=True, slots=True)
class Target:
    """A variant of one picture: shrink by `scale` (at most 1), then cut `width` × `height` from the centre."""

    name: str
    scale: float
    width: int
    height: int

    def scaled(self, width: int, height: int) -> tuple[int, int]:
        """The size of the whole picture of `width` × `height` pixels after shrinking, before the cut."""
        return max(self.width, round(width * self.scale)), max(self.height, round(height * self.scale))

    def window(self, width: int, height: int) -> tuple[int, int, int, int]:
        """Left, top, width and height of the part of the unshrunk picture that is shown."""
        wide, high = self.scaled(width, height)
        shown_width = max(1, min(width, round(width * self.width / wide)))
        shown_height = max(1, min(height, round(height * self.height / high)))
        return (width - shown_width) // 2, (height - shown_height) // 2, shown_width, shown_height


def jpeg_shrink(width: int, height: int, scale: float) -> int:
    """By how much a JPEG of that size is shrunk while it is decoded, if it is to be shrunk to `scale` in all: 1, 2, 4 or 8.

    Twice the wanted size is left, so that the resampling stays sharp. Of large photos, where decoding is most of the work, only
    the wanted size is; not where the decoder would round the sides up and so shift the picture.
    """
    for shrink in (8, 4, 2):
        is_exact = width * height >= _LARGE and width % shrink == 0 and height % shrink == 0
        if scale * shrink * (1 if is_exact else 2) <= 1:
            return shrink
    return 1


def fit(variant: ImageVariant, width: int, height: int) -> Target:
    """How `variant` looks for a picture of `width` × `height` pixels. Never upscaled, no side above MAX_SIDE.

    With a height, the variant's box is filled and the rest cut off; a picture too small for that is only cut to its shape.
    """
    if variant.height is None:
        scale = min(1.0, variant.width / width, MAX_SIDE / height, MAX_SIDE / width)
        return Target(variant.name, scale, max(1, round(width * scale)), max(1, round(height * scale)))
    box_width, box_height = float(min(variant.width, MAX_SIDE)), float(min(variant.height, MAX_SIDE))
    scale = max(box_width / width, box_height / height)
    if scale > 1:
        box_width, box_height, scale = box_width / scale, box_height / scale, 1.0
    fitted = max(1, min(width, round(box_width))), max(1, min(height, round(box_height)))
    return Target(variant.name, scale, *fitted)
