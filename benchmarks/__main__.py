"""`make bench`: runs every measurement, side by side with what a user would use instead, and writes RESULTS.md."""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from benchmarks import around, chunked, images, ladder, on_demand, playable, quality
from benchmarks.measure import machine
from benchmarks.report import Report

RESULTS = Path(__file__).with_name("RESULTS.md")
LENGTHS = (10, 600, 3600)


def main() -> int:
    options = _options()
    head = f"# Results\n\nMeasured on {time.strftime('%Y-%m-%d')}: {machine()}. `make bench` measures again."
    report = Report(head, RESULTS if options.write else None)
    lengths = [seconds for seconds in LENGTHS if seconds <= options.longest]
    rounds = options.rounds
    with tempfile.TemporaryDirectory(prefix="kinora-bench-") as name:
        folder = Path(name)
        parts: dict[str, Callable[[], None]] = {
            "playable": lambda: playable.run(report, folder, lengths, rounds),
            "on_demand": lambda: on_demand.run(report, folder, 4 * rounds),
            "ladder": lambda: ladder.run(report, folder, rounds),
            "quality": lambda: quality.run(report, folder),
            "chunked": lambda: chunked.run(report, folder, rounds),
            "memory": lambda: chunked.run_memory(report, folder),
            "images": lambda: images.run(report, folder, rounds),
            "around": lambda: around.run(report, folder, rounds),
        }
        if unknown := set(options.only) - set(parts):
            sys.exit(f"no such part: {', '.join(sorted(unknown))}; there are {', '.join(parts)}")
        wanted = [part for part in parts if not options.only or part in options.only]
        done = [report.part(part, parts[part]) for part in wanted]
    return 0 if all(done) else 1


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks")
    parser.add_argument("--only", nargs="*", default=[], metavar="PART", help="some of the parts")
    parser.add_argument("--rounds", type=int, default=3, help="how often everything is measured")
    parser.add_argument("--longest", type=int, default=LENGTHS[-1], help="seconds of the longest clip")
    parser.add_argument("--write", action="store_true", help="write benchmarks/RESULTS.md")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
