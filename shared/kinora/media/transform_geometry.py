"""Sizes and places of a transformed picture: pure arithmetic on pixels and shares of sides. Used by the transforming rooms."""

from __future__ import annotations

from dataclasses import dataclass

from kinora.errors import LimitExceeded
from kinora.image_options import COMPASS, MAX_SIDE, ImageOptions
from kinora.media.crop import Box

Part = tuple[float, float, float, float]  # left, top, width and height as shares of a picture's sides
WHOLE: Part = (0.0, 0.0, 1.0, 1.0)


@dataclass(frozen=True, slots=True)
class Layout:
    """`scaled` is the size of all that is shown, shrunk and turned; `canvas` that of the result, which may be less of it
    (cover) or more around it (contain)."""

    scaled: tuple[int, int]
    canvas: tuple[int, int]

    def unturned(self, options: ImageOptions) -> tuple[int, int]:
        """The size to shrink to before turning."""
        return self.scaled[::-1] if options.rotate in {90, 270} else self.scaled


def shown_part(options: ImageOptions, width: int, height: int) -> Part:
    """What of an upright picture of that size is shown, in whole pixels of it."""
    if options.crop is None:
        return WHOLE
    box = Box("", *options.crop, is_fraction=options.crop_is_fraction)
    left, top, wide, high = box.within(width, height)
    return left / width, top / height, wide / width, high / height


def pixels(part: Part, width: int, height: int) -> tuple[int, int, int, int]:
    """Left, top, width and height of `part` in a picture of that size; at least one pixel."""
    left, top = min(round(part[0] * width), width - 1), min(round(part[1] * height), height - 1)
    return left, top, max(1, min(round(part[2] * width), width - left)), max(1, min(round(part[3] * height), height - top))


def as_stored(part: Part, orientation: int) -> Part:
    """Where `part` of the upright picture lies in one that is stored with that EXIF orientation (CIPA DC-008 §4.6.4)."""
    left, top, width, height = part
    right, bottom = 1 - left - width, 1 - top - height
    return {
        2: (right, top, width, height),
        3: (right, bottom, width, height),
        4: (left, bottom, width, height),
        5: (top, left, height, width),
        6: (top, right, height, width),
        7: (bottom, right, height, width),
        8: (bottom, left, height, width),
    }.get(orientation, part)


def lay_out(options: ImageOptions, width: int, height: int, *, frames: int = 1, max_output: int) -> Layout:
    """Of a shown part of `width` × `height` pixels, upright and not turned yet. Nothing is made larger; a picture too small
    for a box that it is to cover is only cut to its shape.

    Raises LimitExceeded with the code `output-too-large` above `max_output` pixels, all frames together.
    """
    if options.rotate in {90, 270}:
        width, height = height, width
    layout = _cover(options, width, height) if options.fit == "cover" else _inside(options, width, height)
    for wide, high in (layout.scaled, layout.canvas):
        if wide * high * frames > max_output:
            raise LimitExceeded(
                public_message=f"{wide} × {high} × {frames} pixels would be made; this installation allows {max_output}.",
                code="output-too-large",
            )
    return layout


def place(gravity: str, inner: tuple[int, int], outer: tuple[int, int]) -> tuple[int, int]:
    """Left and top of `inner` in `outer`."""
    across, down = COMPASS[gravity]
    return round((outer[0] - inner[0]) * across), round((outer[1] - inner[1]) * down)


def _inside(options: ImageOptions, width: int, height: int) -> Layout:
    wanted_width, wanted_height = options.width or MAX_SIDE, options.height or MAX_SIDE
    scaled = _scaled(width, height, min(1.0, wanted_width / width, wanted_height / height))
    return Layout(scaled, (wanted_width, wanted_height) if options.fit == "contain" else scaled)


def _cover(options: ImageOptions, width: int, height: int) -> Layout:
    wanted_width, wanted_height = float(options.width or 1), float(options.height or 1)
    scale = max(wanted_width / width, wanted_height / height)
    if scale > 1:
        wanted_width, wanted_height, scale = wanted_width / scale, wanted_height / scale, 1.0
    canvas = max(1, round(wanted_width)), max(1, round(wanted_height))
    scaled = _scaled(width, height, scale)
    return Layout((max(scaled[0], canvas[0]), max(scaled[1], canvas[1])), canvas)


def _scaled(width: int, height: int, scale: float) -> tuple[int, int]:
    return max(1, round(width * scale)), max(1, round(height * scale))
