"""Cuts a video stream into segments: pure arithmetic on picture times, called by planning. Reads nothing, decodes nothing.

Boundaries are times of real pictures, keyframes wherever possible, so that a segment needs no decode before it.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import partial
from itertools import pairwise
from math import ceil

from kinora.media.index import PictureTime

TARGET = Fraction(4)  # seconds that a segment should last
FIRST_TARGETS = (Fraction(1), Fraction(1), Fraction(2))  # and the first ones, so that the first picture is made soon
LONGEST = Fraction(10)
SHORTEST = Fraction(1)
_TOO_LATE = Fraction(3, 2)  # times a first target, when a keyframe comes so late that its group of pictures is divided
_FALLBACK_RATE = Fraction(25)


@dataclass(frozen=True, slots=True)
class Timeline:
    """`cuts` are n + 1 ascending pts; `entries` are, for each of the n segments, the pts of the keyframe to decode from."""

    cuts: tuple[int, ...]
    entries: tuple[int, ...]


def cut_timeline(
    pictures: Sequence[PictureTime],
    first: int,
    time_base: Fraction,
    frame_rate: Fraction | None,
    *,
    at_keyframes: bool = False,
) -> Timeline | None:
    """Cut the stream whose first visible picture has the pts `first`; None if nothing can be shown.

    Segments last about 4 s and at most 10 s unless a single picture lasts longer; a tail under 1 s joins its predecessor. The
    first three are shorter, 1 s, 1 s and 2 s; `at_keyframes` does not divide GOPs for that, as copying wants it.
    """
    keyframes = sorted({picture.pts for picture in pictures if picture.is_keyframe}) or [first]
    shown = sorted({picture.pts for picture in pictures if picture.is_shown and picture.pts >= first})
    if not shown:
        return None
    end = shown[-1] + _last_duration(pictures, shown, time_base, frame_rate)
    is_shown = set(shown)
    candidates = [time for time in keyframes if time in is_shown]
    cuts = _join_tail(_cuts(shown, candidates, end, time_base, at_keyframes=at_keyframes), shown, time_base)
    entries = tuple(keyframes[max(bisect_right(keyframes, cut) - 1, 0)] for cut in cuts[:-1])
    return Timeline(tuple(cuts), entries)


def _last_duration(
    pictures: Sequence[PictureTime], shown: Sequence[int], time_base: Fraction, frame_rate: Fraction | None
) -> int:
    """What the container says about the last picture, else as long as the one before, else one frame of the rate."""
    declared = max((picture.duration for picture in pictures if picture.pts == shown[-1]), default=0)
    if declared > 0:
        return declared
    if len(shown) > 1:
        return shown[-1] - shown[-2]
    return max(round(1 / (frame_rate or _FALLBACK_RATE) / time_base), 1)


def _cuts(shown: Sequence[int], keyframes: Sequence[int], end: int, time_base: Fraction, *, at_keyframes: bool) -> list[int]:
    first_targets = [one / time_base for one in FIRST_TARGETS]
    target, longest, shortest = TARGET / time_base, LONGEST / time_base, SHORTEST / time_base
    cuts = [shown[0]]
    while end - cuts[-1] > (wanted := first_targets[len(cuts) - 1] if len(cuts) <= len(first_targets) else target):
        start = cuts[-1]
        ahead = bisect_left(keyframes, start + shortest)
        near = keyframes[ahead : bisect_right(keyframes, start + longest)] or keyframes[ahead : ahead + 1]
        goal = min(near, key=partial(_distance, start + wanted), default=end)
        if wanted < target and goal - start > _TOO_LATE * wanted and not at_keyframes:
            goal = _picture_near(shown, start + wanted, start + _TOO_LATE * wanted) or goal
        cuts += [*_subdivide(shown, start, goal, longest, target), goal]
    return cuts if cuts[-1] == end else [*cuts, end]


def _picture_near(shown: Sequence[int], earliest: Fraction, latest: Fraction) -> int | None:
    """The first picture from `earliest` on, unless it is shown after `latest`."""
    place = bisect_left(shown, earliest)
    return shown[place] if place < len(shown) and shown[place] <= latest else None


def _distance(goal: Fraction, time: int) -> Fraction:
    return abs(time - goal)


def _subdivide(shown: Sequence[int], start: int, stop: int, longest: Fraction, target: Fraction) -> list[int]:
    """Pictures at which `(start, stop)` is divided into equal parts, where it is too long for one segment."""
    if stop - start <= longest:
        return []
    parts = round((stop - start) / target)
    goals = (start + (stop - start) * part / Fraction(parts) for part in range(1, parts))
    inner = {shown[min(bisect_left(shown, goal), len(shown) - 1)] for goal in goals}
    return sorted(time for time in inner if start < time < stop)


def _join_tail(cuts: list[int], shown: Sequence[int], time_base: Fraction) -> list[int]:
    if len(cuts) < 3 or (cuts[-1] - cuts[-2]) * time_base >= SHORTEST:
        return cuts
    *head, start, _, end = cuts
    if (end - start) * time_base <= LONGEST:
        return [*head, start, end]
    middle = shown[bisect_left(shown, (start + end) // 2)]
    return [*head, start, middle, end] if start < middle else [*head, start, end]


def hold_last(timeline: Timeline, stop: Fraction, time_base: Fraction) -> Timeline:
    """The timeline with its last picture shown until `stop` seconds: for less than 1 s more in its own segment, otherwise in
    segments of about 4 s that repeat it."""
    end, until = timeline.cuts[-1], ceil(stop / time_base)
    if (until - end) * time_base < SHORTEST:
        return Timeline((*timeline.cuts[:-1], until), timeline.entries)
    parts = max(round((until - end) * time_base / TARGET), 1)
    more = [end + (until - end) * part // parts for part in range(1, parts + 1)]
    return Timeline((*timeline.cuts, *more), (*timeline.entries, *timeline.entries[-1:] * parts))


def durations(cuts: Sequence[int], time_base: Fraction) -> list[Fraction]:
    """Seconds that each segment lasts."""
    return [(after - before) * time_base for before, after in pairwise(cuts)]
