"""Which picture of a storyboard lies where, and its WebVTT file: pure arithmetic on a plan, the same at every call.

Called by the storyboard tool; the API rewrites the file for viewers with a token.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from fractions import Fraction

from kinora.media.plan import Plan

COLUMNS, ROWS = 5, 5
_FINEST, _COARSEST_WHEN_SHORT = 1, 2  # seconds between two pictures
_SHORT = 120  # seconds; shorter videos are cut evenly, longer ones at segments, whose first pictures are cheap
_USUAL = Fraction(4)
_MOST_TILES = 300
_SHEET = re.compile(r"^(sheet_[0-9]+\.jpg)(#xywh=)", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Layout:
    """`times` are the pictures' times in the video's time base. Tiles fill sheets of 5 × 5 row by row, the last one as far as
    needed; sizes are pixels."""

    times: tuple[int, ...]
    tile_width: int
    tile_height: int

    @property
    def columns(self) -> int:
        return min(COLUMNS, len(self.times))

    @property
    def sheets(self) -> int:
        return -(-len(self.times) // (COLUMNS * ROWS))

    def times_of(self, sheet: int) -> tuple[int, ...]:
        return self.times[sheet * COLUMNS * ROWS : (sheet + 1) * COLUMNS * ROWS]

    def place(self, tile: int) -> tuple[int, int, int]:
        """Sheet, x and y of the tile with that number."""
        sheet, rest = divmod(tile, COLUMNS * ROWS)
        row, column = divmod(rest, COLUMNS)
        return sheet, column * self.tile_width, row * self.tile_height


def tile_times(plan: Plan, time_base: Fraction) -> tuple[int, ...]:
    """When the storyboard's pictures are shown: every 1 to 2 s of a video of up to 2 minutes, else about every 4 s, and in
    very long ones so seldom that there are at most 300."""
    start, end = plan.timeline[0], plan.timeline[-1]
    seconds = (end - start) * time_base
    if seconds <= _SHORT:
        step = min(max(seconds / (COLUMNS * ROWS), Fraction(_FINEST)), Fraction(_COARSEST_WHEN_SHORT)) / time_base
        count = max(-int(-(end - start) // step), 1)
        return tuple(sorted({start + round(step * tile) for tile in range(count) if start + round(step * tile) < end}))
    least = max(_USUAL * Fraction(3, 4), seconds / _MOST_TILES) / time_base
    chosen = [start]
    for cut in plan.timeline[1:-1]:
        if cut - chosen[-1] >= least:
            chosen.append(cut)
    return tuple(chosen)


def write_vtt(plan: Plan, layout: Layout) -> str:
    """The WebVTT file (https://www.w3.org/TR/webvtt1/) whose cues name a sheet and a spatial fragment of it (Media Fragments
    URI 1.0 §4.2.2). They follow each other without gap from 0 to the end of what is played."""
    video = plan.probe.video
    if video is None:
        return "WEBVTT\n"
    starts = [Fraction(0), *(time * video.time_base - plan.origin for time in layout.times[1:])]
    end = max(plan.timeline[-1] * video.time_base - plan.origin, Fraction(plan.probe.duration))
    cues = []
    for tile, (begin, stop) in enumerate(zip(starts, [*starts[1:], end], strict=True)):
        sheet, x, y = layout.place(tile)
        fragment = f"{x},{y},{layout.tile_width},{layout.tile_height}"
        cues.append(f"{timestamp(begin)} --> {timestamp(stop)}\nsheet_{sheet}.jpg#xywh={fragment}\n")
    return "WEBVTT\n\n" + "\n".join(cues)


def timestamp(seconds: Fraction) -> str:
    """`HH:MM:SS.mmm`, to the nearest millisecond."""
    whole, milliseconds = divmod(round(seconds * 1000), 1000)
    minutes, second = divmod(whole, 60)
    return f"{minutes // 60:02d}:{minutes % 60:02d}:{second:02d}.{milliseconds:03d}"


def rewrite_sheets(vtt: str, query: str) -> str:
    """Append `query` (`token=…`, encoded) to the address of every sheet."""
    return _SHEET.sub(lambda match: f"{match[1]}?{query}{match[2]}", vtt)
