"""The storyboard of a video: sheets of small pictures for the seek bar, made one by one. Called by the video function.

A sheet is a pure function of original, plan and number, so that the work can be handed on between any two of them.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain, islice
from typing import BinaryIO

from kinora.media.container import decoding
from kinora.media.libvips import pyvips
from kinora.media.plan import Plan
from kinora.media.stills import Scaler, film_of, fitted, pictures_at
from kinora.media.storyboard_layout import Layout, tile_times

_LONG_EDGE = 160
_QUALITY = 75


def layout_of(plan: Plan) -> Layout:
    """Raises UnsupportedMedia if the plan has no video."""
    video = film_of(plan)
    width, height = fitted(video, _LONG_EDGE)
    return Layout(tile_times(plan, video.time_base), width, height)


def make_sheets(file: BinaryIO, plan: Plan, first: int = 0) -> Iterator[tuple[int, bytes]]:
    """The sheets from number `first` on as `(number, JPEG)`. The caller may stop between two of them: closing the iterator
    releases all. Raises CorruptMedia if the original cannot be read."""
    layout = layout_of(plan)
    scaler = Scaler(plan, layout.tile_width, layout.tile_height)
    numbers = range(first, layout.sheets)
    times = list(chain.from_iterable(layout.times_of(sheet) for sheet in numbers))
    with decoding():
        tiles = (scaler.render(picture) for picture in pictures_at(file, plan, times))
        for sheet in numbers:
            count = len(layout.times_of(sheet))
            joined = pyvips.Image.arrayjoin(list(islice(tiles, count)), across=layout.columns)
            yield sheet, joined.jpegsave_buffer(Q=_QUALITY, optimize_coding=True, keep="none")
