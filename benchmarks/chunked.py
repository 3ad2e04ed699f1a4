"""What cutting costs: the ladder in one piece, in batches, and segment by segment, by Kinora and by FFmpeg; and peaks of memory."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

from benchmarks.clips import camera_clip
from benchmarks.encoding import RUNGS, chunks, encode_with_kinora, ffmpeg_file, ffmpeg_ladder, plan_of
from benchmarks.measure import Cost, cost_of, measured, median_cost, peak_megabytes
from benchmarks.report import Report
from kinora.media.plan import Plan

_CALL = """
import sys
from pathlib import Path
from benchmarks.encoding import encode_with_kinora, plan_of
clip, first, stop, *names = sys.argv[1:]
clip = Path(clip)
encode_with_kinora(clip, plan_of(clip), [(int(first), int(stop))], names or None)
"""


def run(report: Report, folder: Path, rounds: int) -> None:
    clip = camera_clip(folder)
    plan = plan_of(clip)
    count = len(plan.timeline) - 1
    each = [(n, n + 1) for n in range(count)]
    names = [one.name for one in plan.renditions]
    ways: dict[str, Callable[[], tuple[Cost, int]]] = {
        "FFmpeg, one process": lambda: _ffmpeg(clip, plan, folder, whole=True),
        f"FFmpeg, one process for each of {count} segments": lambda: _ffmpeg(clip, plan, folder, whole=False),
        "Kinora, one batch": lambda: _kinora(lambda: encode_with_kinora(clip, plan, [(0, count)])),
        "Kinora, segment by segment": lambda: _kinora(lambda: encode_with_kinora(clip, plan, each)),
        "Kinora, every segment of every rung by itself": lambda: _kinora(
            lambda: sum(encode_with_kinora(clip, plan, each, [name]) for name in names)
        ),
    }
    results: dict[str, list[tuple[Cost, int]]] = {name: [] for name in ways}
    for _ in range(rounds):  # in turns, so that a busy machine is busy for all
        for name, way in ways.items():
            results[name].append(way())
    costs = {name: median_cost([cost for cost, _ in made]) for name, made in results.items()}
    first = next(iter(ways))
    rows = [
        [name, cost.cpu, cost.cpu / costs[first].cpu, results[name][0][1] / results[first][0][1]]
        for name, cost in costs.items()
    ]
    report.table(
        "What cutting costs",
        f"{plan.probe.duration:.0f} s of 1080p in {count} segments of {len(RUNGS)} rungs. Bytes are those of files: for FFmpeg with the "
        f"headers of MP4, for Kinora without init segments. Medians of {rounds} rounds.",
        ["way", "CPU s", "÷ one FFmpeg process", "bytes ÷ one FFmpeg process"],
        rows,
    )


def run_memory(report: Report, folder: Path) -> None:
    clip = camera_clip(folder)
    plan = plan_of(clip)
    count = len(plan.timeline) - 1
    top, low = plan.renditions[0].name, plan.renditions[-1].name
    commands = {
        "Kinora: libraries and plan": _kinora_command(clip, 0, 0),
        f"Kinora: a segment of {low}": _kinora_command(clip, 0, 1, low),
        f"Kinora: a segment of {top}": _kinora_command(clip, 0, 1, top),
        "Kinora: all segments of all rungs": _kinora_command(clip, 0, count),
        "FFmpeg: all rungs in one process": ffmpeg_ladder(clip, plan),
    }
    rows = [[name, peak_megabytes(command)] for name, command in commands.items()]
    report.table("Memory", "Peaks of resident memory of one process each.", ["work", "MB"], rows)


def _ffmpeg(clip: Path, plan: Plan, folder: Path, *, whole: bool) -> tuple[Cost, int]:
    total, size = Cost(), 0
    for only in [None] if whole else chunks(plan):
        cost = cost_of(ffmpeg_ladder(clip, plan, folder=folder, only=only))
        total = Cost(total.wall + cost.wall, total.cpu + cost.cpu)
        size += sum(ffmpeg_file(folder, one).stat().st_size for one in plan.renditions)
    return total, size


def _kinora(work: Callable[[], int]) -> tuple[Cost, int]:
    with measured() as cost:
        size = work()
    return cost, size


def _kinora_command(clip: Path, first: int, stop: int, *names: str) -> list[str]:
    return [sys.executable, "-c", _CALL, str(clip), str(first), str(stop), *names]
