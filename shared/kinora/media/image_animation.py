"""Shrinks animations: every frame, with its delay and the loop count. Called by the image room for WebP and GIF outputs.

libvips holds an animation as one tall roll of frames; it streams from decoder to encoder here and is never in memory whole.
Frames are shrunk one by one, because neighbours on the roll would bleed into each other.
"""

from __future__ import annotations

from typing import Any

from kinora.media.image_geometry import Target
from kinora.media.image_open import field
from kinora.media.libvips import pyvips


def shrink_roll(roll: Any, target: Target) -> Any:
    """The roll of `target` as 8-bit sRGB, not decoded yet."""
    count, height = field(roll, "n-pages", 1), field(roll, "page-height", roll.height)
    if (target.width, target.height) != (roll.width, height):
        roll = shrink_frames(roll, count, height, target.window(roll.width, height), (target.width, target.height))
    return to_srgb(roll, target.height)


def to_srgb(roll: Any, height: int) -> Any:
    """The roll as 8-bit sRGB, of frames that are `height` pixels high."""
    if roll.get_typeof("icc-profile-data"):
        roll = roll.icc_transform("srgb", embedded=True)
    roll = roll.colourspace("srgb").copy()
    roll.set_type(pyvips.GValue.gint_type, "page-height", height)
    return roll


def shrink_frames(roll: Any, count: int, height: int, window: tuple[int, int, int, int], size: tuple[int, int]) -> Any:
    """Of each of `count` frames the `window` (left, top, width, height), shrunk to `size`, one below the other."""
    left, top, shown_width, shown_height = window
    horizontally, vertically = size[0] / shown_width, size[1] / shown_height
    has_alpha = roll.hasalpha()
    pixels = roll.premultiply() if has_alpha else roll
    frames = [pixels.crop(left, page * height + top, shown_width, shown_height) for page in range(count)]
    frames = [frame.resize(horizontally, vscale=vertically) for frame in frames]
    shrunk = pyvips.Image.arrayjoin(frames, across=1)
    return (shrunk.unpremultiply() if has_alpha else shrunk).rint().cast("uchar")
