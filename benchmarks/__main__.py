"""`make bench`: runs every measurement, side by side with what a user would use instead, and writes RESULTS.md."""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path

from benchmarks import around, ladder, on_demand, playable
from benchmarks.clips import clip_1080p, looped
from benchmarks.measure import Report, machine, measured


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks")
    parser.add_argument("--rounds", type=int, default=3, help="how often what is short is measured")
    parser.add_argument("--longest", type=int, default=3600, help="seconds of the longest clip")
    parser.add_argument("--write", action="store_true", help="write benchmarks/RESULTS.md")
    options = parser.parse_args()
    report = Report()
    with tempfile.TemporaryDirectory(prefix="kinora-bench-") as name:
        folder = Path(name)
        clip = clip_1080p(folder)
        lengths = [seconds for seconds in (10, 600, 3600) if seconds <= options.longest]
        clips = [looped(clip, seconds) for seconds in lengths]
        ladder.run(report, folder, clip, options.rounds)
        plan = ladder.plan_of(clip)
        with measured() as cost:
            ladder.make_with_ffmpeg(clip, plan, folder)
        playable.run(report, folder, clips, cost.wall / plan.probe.duration)
        on_demand.run(report, clips[-1], 8)
        around.run(report, looped(clip, 600), 1)
    if options.write:
        head = f"# Results\n\nMeasured on {time.strftime('%Y-%m-%d')}: {machine()}. `make bench` measures again.\n"
        Path(__file__).with_name("RESULTS.md").write_text("\n\n".join([head, *report.parts]) + "\n")


if __name__ == "__main__":
    main()
