"""The clock of video output: how many ticks a second has, and which tick an instant of the source is. Pure arithmetic.

Called by the ladder and by everything that writes segments.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from fractions import Fraction
from math import floor

from kinora.media.plan import Plan, VideoSource
from kinora.media.scale import TimedPicture

_LOWEST_TIMESCALE = 10_000
_HIGHEST_TIMESCALE = 10_000_000
_FALLBACK_TIMESCALE = 90_000


def output_timescale(time_base: Fraction) -> int:
    """Ticks per second of the output: the source's own, doubled until there are 10,000; 90,000 where that would be absurd."""
    timescale = time_base.denominator
    while timescale < _LOWEST_TIMESCALE:
        timescale *= 2
    return timescale if timescale <= _HIGHEST_TIMESCALE else _FALLBACK_TIMESCALE


class SegmentClock:
    """Turns times of the source into ticks of the output: `origin` is 0, differences are kept exactly.

    `start` and `end` are the ticks of the segment `n`.
    """

    def __init__(self, plan: Plan, video: VideoSource, n: int) -> None:
        self._seconds = video.time_base
        self._origin = plan.origin
        self._timescale = output_timescale(video.time_base)
        self.start = self.tick(plan.timeline[n])
        self.end = self.tick(plan.timeline[n + 1])

    def timed(self, pictures: Iterable[TimedPicture]) -> Iterator[TimedPicture]:
        """Pictures with ticks; one that shares its time with the picture before it comes one tick later."""
        last = self.start - 1
        for pts, picture in pictures:
            tick = max(self.tick(pts), last + 1)
            if tick < self.end:
                yield tick, picture
                last = tick

    def tick(self, pts: int) -> int:
        """The nearest tick to `pts` in the source's time base."""
        return floor((pts * self._seconds - self._origin) * self._timescale + Fraction(1, 2))
