"""One segment of one track made alone, as for a viewer who has just jumped there: seconds against the segment's length."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import BinaryIO

from benchmarks.clips import camera_clip, looped
from benchmarks.encoding import cut_times, plan_of
from benchmarks.measure import percentile
from benchmarks.report import Report
from kinora.media import audio, segment

SECONDS = 600


def run(report: Report, folder: Path, count: int) -> None:
    clip = looped(camera_clip(folder), SECONDS)
    plan = plan_of(clip)
    cuts = [float(time) for time in cut_times(plan)]
    numbers = _spread(len(cuts) - 1, count)
    length = statistics.mean(cuts[n + 1] - cuts[n] for n in numbers)
    rows = [
        _row(one.name, length, [_seconds(clip, partial(segment.encode, plan=plan, rendition=one.name, n=n)) for n in numbers])
        for one in plan.renditions
    ]
    for track in plan.audio_tracks:
        places = _spread(plan.segment_count(track.track), count)
        seconds = [_seconds(clip, partial(audio.encode, plan=plan, track=track.track, n=n)) for n in places]
        rows.append(_row(track.name, length, seconds))
    report.table(
        "A segment on demand",
        f"{count} segments of {length:.1f} s on average, from all over {plan.probe.duration:.0f} s of 1080p. Below 1.00 is faster than it "
        "plays; the goal is that for 240p to 720p.",
        ["track", "median s", "p95 s", "median ÷ length", "p95 ÷ length"],
        rows,
    )


def _spread(total: int, count: int) -> list[int]:
    return sorted({total * one // count for one in range(count)})


def _seconds(clip: Path, make: Callable[[BinaryIO], bytes]) -> float:
    start = time.perf_counter()
    with clip.open("rb") as file:
        make(file)
    return time.perf_counter() - start


def _row(name: str, length: float, seconds: Sequence[float]) -> list[object]:
    median, late = statistics.median(seconds), percentile(seconds, 0.95)
    return [name, median, late, median / length, late / length]
