"""CPU seconds of the whole ladder, also with a copied top rung, against one FFmpeg process that makes the same ladder."""

from __future__ import annotations

from pathlib import Path

from benchmarks.clips import camera_clip, web_clip
from benchmarks.encoding import encode_with_kinora, ffmpeg_ladder, plan_of
from benchmarks.measure import Cost, cost_of, measured, median_cost
from benchmarks.report import Report


def run(report: Report, folder: Path, rounds: int) -> None:
    rows: list[list[object]] = []
    for what, clip, goal in (("every rung encoded", camera_clip(folder), 1.05), ("top rung copied", web_clip(folder), 0.6)):
        plan = plan_of(clip)
        ours, theirs = _side_by_side(clip, rounds)
        seconds = plan.probe.duration
        rows.append([what, ours.cpu / seconds, theirs.cpu / seconds, ours.cpu / theirs.cpu, goal, ours.wall / theirs.wall])
    report.table(
        "The whole ladder",
        f"{seconds:.0f} s of 1080p into five rungs of H.264, without sound. Medians of {rounds} rounds, side by side. FFmpeg encodes every "
        "rung in both rows. One process of each; Kinora keeps the cores busy with one worker per core, FFmpeg with threads.",
        ["ladder", "CPU s per second", "FFmpeg's", "CPU ratio", "goal", "wall ratio"],
        rows,
    )


def _side_by_side(clip: Path, rounds: int) -> tuple[Cost, Cost]:
    """In turns, so that a busy machine is busy for both."""
    plan = plan_of(clip)
    ours, theirs = [], []
    for _ in range(rounds):
        with measured() as cost:
            encode_with_kinora(clip, plan, [(0, len(plan.timeline) - 1)])
        ours.append(cost)
        theirs.append(cost_of(ffmpeg_ladder(clip, plan)))
    return median_cost(ours), median_cost(theirs)
