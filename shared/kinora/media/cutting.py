"""Cutting an exact time range out of a plan: which segments it covers whole, and the plan by which its edges are encoded.

Called by the export of moments. Decides only; reads and encodes nothing.
"""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass, replace
from fractions import Fraction
from itertools import pairwise

from kinora.media.plan import AudioTrack, Plan
from kinora.media.video_clock import SegmentClock, output_timescale


@dataclass(frozen=True, slots=True)
class Cut:
    """`pieces` are, in order, the numbers of stored segments and, for the edges, None with the segment of `plan` that is to be
    encoded. `window` is the range in seconds from the origin, on the pictures' own grid."""

    plan: Plan
    pieces: tuple[tuple[int | None, int], ...]
    window: tuple[Fraction, Fraction]


def cut_video(plan: Plan, start: float, end: float) -> Cut | None:
    """The pictures of `[start, end)` seconds; what is shown at `start` is shown from there on. None if there are none."""
    video = plan.probe.video
    if video is None or not plan.renditions:
        return None
    first, last = (_nearest(plan, seconds, video.time_base) for seconds in (start, end))
    first = max(first, plan.timeline[0])
    last = min(max(last, first + 1), plan.timeline[-1])
    if last <= first:
        return None
    cuts = tuple(sorted({*plan.timeline, first, last}))
    entries = tuple(plan.entries[_segment_at(plan, time)] for time in cuts[:-1])
    finer = replace(plan, timeline=cuts, entries=entries)
    whole = {pair: n for n, pair in enumerate(pairwise(plan.timeline))}
    inside = [n for n, (begin, stop) in enumerate(pairwise(cuts)) if first <= begin and stop <= last]
    pieces = tuple((whole.get((cuts[n], cuts[n + 1])), n) for n in inside)
    timescale = output_timescale(video.time_base)
    clocks = SegmentClock(finer, video, inside[0]), SegmentClock(finer, video, inside[-1])
    return Cut(finer, pieces, (Fraction(clocks[0].start, timescale), Fraction(clocks[1].end, timescale)))


def cut_sound(plan: Plan, track: AudioTrack, window: tuple[Fraction, Fraction]) -> range:
    """The segments of `track` that are heard in `window`, and the one in which the frame before it lies."""
    seconds = Fraction(track.frame_samples, track.sample_rate)
    offset = Fraction(track.offset, track.sample_rate)
    spans = list(pairwise(offset + cut * seconds for cut in plan.audio_timeline[track.name]))
    heard = [n for n, (begin, end) in enumerate(spans) if end > window[0] - seconds and begin < window[1]]
    return range(heard[0], heard[-1] + 1) if heard else range(0)


def _nearest(plan: Plan, seconds: float, time_base: Fraction) -> int:
    return round((plan.origin + Fraction(seconds)) / time_base)


def _segment_at(plan: Plan, time: int) -> int:
    return min(max(bisect_right(plan.timeline, time) - 1, 0), len(plan.timeline) - 2)
