"""Finds the place of decoded audio on the output's timeline, in whole samples; called by audio_render, touches no samples.

Segments are made alone, so the place of a frame must follow from the timestamps near it and still be the same for both
segments that share a boundary: timestamps are averaged, and those that a container rounded are snapped to whole frames.
"""

from __future__ import annotations

from collections.abc import Iterable
from fractions import Fraction
from math import floor

from av.audio.frame import AudioFrame

from kinora.media.audio_decode import Decoded

_LARGEST_JITTER = Fraction(1, 20)  # seconds; a larger jump of the timestamps is a gap or an overlap


class Run:
    """Frames of one sample format that follow each other without gap.

    `deviations` holds, per frame with a timestamp, where the run would begin (seconds from the origin) if that timestamp
    were exact. The first frame's counts only while there is no other: its head may be trimmed without its timestamp knowing.
    """

    def __init__(self, frame: AudioFrame, time: Fraction | None) -> None:
        self.frames = [frame]
        self.rate = frame.sample_rate
        self.samples = frame.samples
        self.deviations = [] if time is None else [time]
        self._counts_first = time is not None

    def takes(self, frame: AudioFrame, time: Fraction | None) -> bool:
        """Append a frame if it continues the run: the same format, and no jump of more than 50 ms."""
        if _form(frame) != _form(self.frames[-1]):
            return False
        if time is not None:
            deviation = time - Fraction(self.samples, self.rate)
            if self.deviations and abs(deviation - self.deviations[0]) > _LARGEST_JITTER:
                return False
            if self._counts_first:
                self.deviations, self._counts_first = [], False
            self.deviations.append(deviation)
        self.frames.append(frame)
        self.samples += frame.samples
        return True


def split_into_runs(decoded: Iterable[Decoded], origin: Fraction) -> list[Run]:
    """Group frames into runs, broken by losses, jumps of more than 50 ms and changes of the sample format."""
    runs: list[Run] = []
    for one in decoded:
        time = None if one.time is None else one.time - origin
        if not runs or one.after_loss or not runs[-1].takes(one.frame, time):
            runs.append(Run(one.frame, time))
    return [run for run in runs if run.deviations]


def position_of(run: Run, grid_start: Fraction, tick: Fraction) -> int:
    """The sample (of the run's own rate, 0 at the origin) at which the run begins.

    `grid_start` is when the stream's first frame begins, `tick` the resolution of its timestamps, both in seconds.
    """
    mean = sum(run.deviations, Fraction(0)) / len(run.deviations)
    begin = _snapped(mean - grid_start, run, tick) + grid_start
    return floor(begin * run.rate + Fraction(1, 2))


def _snapped(begin: Fraction, run: Run, tick: Fraction) -> Fraction:
    """The nearest whole frame if rounded timestamps explain the difference: half a tick of the start's and half of the run's.

    Otherwise (after a gap, or where clocks drift) the mean itself, which for rounded timestamps errs by a sample or so.
    """
    size = _frame_size(run)
    if size is None:
        return begin
    frame = Fraction(size, run.rate)
    on_grid = round(begin / frame) * frame
    return on_grid if abs(begin - on_grid) <= tick else begin


def _frame_size(run: Run) -> int | None:
    """Samples per frame if the codec has one size for all; the outer frames may have been trimmed."""
    sizes = {frame.samples for frame in run.frames[1:-1]}
    return sizes.pop() if len(sizes) == 1 else None


def _form(frame: AudioFrame) -> tuple[int, str, str]:
    return frame.sample_rate, frame.format.name, frame.layout.name
