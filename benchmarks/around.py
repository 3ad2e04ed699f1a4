"""What stands around a stream: seconds per hour of content for cover, preview, storyboard and waveform."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from benchmarks.ladder import plan_of
from benchmarks.measure import Report, median_cost
from kinora.media.poster import make_poster
from kinora.media.preview import make_preview
from kinora.media.storyboard import make_sheets
from kinora.media.waveform import make_waveform


def run(report: Report, clip: Path, rounds: int) -> None:
    plan = plan_of(clip)

    def on(work: Callable[..., object]) -> Callable[[], object]:
        def call() -> object:
            with clip.open("rb") as file:
                return work(file)

        return call

    works = {
        "cover": on(lambda file: make_poster(file, plan.probe.container)),
        "preview (WebP and GIF)": on(lambda file: make_preview(file, plan)),
        "storyboard": on(lambda file: list(make_sheets(file, plan))),
        "waveform": on(lambda file: make_waveform(file, plan)),
    }
    rows: list[list[object]] = []
    for name, work in works.items():
        cost = median_cost(rounds, work)
        rows.append([name, cost.cpu, cost.cpu * 3600 / plan.probe.duration])
    report.table(
        "Around the stream", f"A clip of {plan.probe.duration:.0f} s of 1080p.", ["what", "CPU s", "CPU s per hour"], rows
    )
