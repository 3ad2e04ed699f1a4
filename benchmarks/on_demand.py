"""One segment of one rung made alone, as for a viewer who has just jumped there: seconds against the segment's length."""

from __future__ import annotations

import statistics
import time
from pathlib import Path

from benchmarks.ladder import plan_of
from benchmarks.measure import Report, percentile
from kinora.media import audio, segment


def run(report: Report, clip: Path, count: int) -> None:
    plan = plan_of(clip)
    base = plan.probe.video.time_base if plan.probe.video else 1
    segments = len(plan.timeline) - 1
    numbers = [segments * one // count for one in range(count)] if segments > count else list(range(segments))
    length = statistics.mean(float((plan.timeline[n + 1] - plan.timeline[n]) * base) for n in numbers)
    rows: list[list[object]] = []
    for one in plan.renditions:
        seconds = []
        for n in numbers:
            start = time.perf_counter()
            with clip.open("rb") as file:
                segment.encode(file, plan, one.name, n)
            seconds.append(time.perf_counter() - start)
        rows.append([one.name, statistics.median(seconds), percentile(seconds, 0.95), statistics.median(seconds) / length])
    for track in plan.audio_tracks:
        seconds = []
        for n in range(0, plan.segment_count(track.track), max(1, plan.segment_count(track.track) // count)):
            start = time.perf_counter()
            with clip.open("rb") as file:
                audio.encode(file, plan, track.track, n)
            seconds.append(time.perf_counter() - start)
        rows.append([track.name, statistics.median(seconds), percentile(seconds, 0.95), statistics.median(seconds) / length])
    report.table(
        "A segment on demand",
        f"Segments of {length:.1f} s on average, from all over a clip of {plan.probe.duration:.0f} s of 1080p. Below 1.00 is faster than it plays.",
        ["track", "median s", "p95 s", "median ÷ length"],
        rows,
    )
