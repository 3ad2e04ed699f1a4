"""What stands around a stream: seconds per hour of content for cover, preview, storyboard and waveform."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import BinaryIO

from benchmarks.clips import camera_clip, looped
from benchmarks.encoding import plan_of
from benchmarks.measure import cost_of_call
from benchmarks.report import Report
from kinora.media.poster import make_poster
from kinora.media.preview import make_preview
from kinora.media.storyboard import make_sheets
from kinora.media.waveform import make_waveform

SECONDS = 600


def run(report: Report, folder: Path, rounds: int) -> None:
    clip = looped(camera_clip(folder), SECONDS)
    plan = plan_of(clip)
    works: dict[str, Callable[[BinaryIO], object]] = {
        "cover": lambda file: make_poster(file, plan.probe.container),
        "preview (WebP and GIF)": lambda file: make_preview(file, plan),
        "storyboard": lambda file: list(make_sheets(file, plan)),
        "waveform": lambda file: make_waveform(file, plan),
    }
    hours = plan.probe.duration / 3600
    rows: list[list[object]] = []
    for name, work in works.items():
        cost = cost_of_call(rounds, partial(_on, clip, work))
        grows = name in {"storyboard", "waveform"}
        rows.append([name, cost.wall, cost.cpu, *([cost.wall / hours, cost.cpu / hours] if grows else ["the same"] * 2)])
    report.table(
        "Around the stream",
        f"{plan.probe.duration:.0f} s of 1080p, medians of {rounds} rounds. Cover and preview look at some places only, however long the clip is.",
        ["what", "s", "CPU s", "s per hour of content", "CPU s per hour"],
        rows,
    )


def _on(clip: Path, work: Callable[[BinaryIO], object]) -> object:
    with clip.open("rb") as file:
        return work(file)
