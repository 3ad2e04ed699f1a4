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
    whole = (target.width, target.height) == (roll.width, height)
    roll = roll if whole else _shrink(roll, count, height, target)
    if roll.get_typeof("icc-profile-data"):
        roll = roll.icc_transform("srgb", embedded=True)
    roll = roll.colourspace("srgb").copy()
    roll.set_type(pyvips.GValue.gint_type, "page-height", target.height)
    return roll


def _shrink(roll: Any, count: int, height: int, target: Target) -> Any:
    left, top, shown_width, shown_height = target.window(roll.width, height)
    horizontally, vertically = target.width / shown_width, target.height / shown_height
    has_alpha = roll.hasalpha()
    pixels = roll.premultiply() if has_alpha else roll
    frames = [pixels.crop(left, page * height + top, shown_width, shown_height) for page in range(count)]
    frames = [frame.resize(horizontally, vscale=vertically) for frame in frames]
    shrunk = pyvips.Image.arrayjoin(frames, across=1)
    return (shrunk.unpremultiply() if has_alpha else shrunk).rint().cast("uchar")
