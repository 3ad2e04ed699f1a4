"""From a file's arrival to the first picture that FFmpeg has decoded, against making the ladder first, as FFmpeg or Shaka Streamer do."""

from __future__ import annotations

import statistics
import subprocess
from pathlib import Path

from benchmarks.clips import SECONDS, camera_clip, looped, web_clip
from benchmarks.encoding import ffmpeg_ladder, plan_of
from benchmarks.instance import upload
from benchmarks.measure import cost_of
from benchmarks.report import Report
from benchmarks.streamer import install, ladder


def run(report: Report, folder: Path, lengths: list[int], rounds: int) -> None:
    camera = camera_clip(folder)
    by_ffmpeg = cost_of(ffmpeg_ladder(camera, plan_of(camera), folder=folder)).wall / SECONDS
    by_streamer, remark = _streamer(folder, camera)
    rows: list[list[object]] = []
    for seconds in lengths:
        for short, kind in ((camera, "encoded"), (web_clip(folder), "copied")):
            clip = looped(short, seconds)
            size = clip.stat().st_size / 10**6
            rows.append([f"{seconds} s", kind, size, *_first_picture(folder, clip, rounds, (by_ffmpeg, by_streamer), seconds)])
            clip.unlink()
    report.table(
        "Upload to first picture",
        f"A running instance; the clock starts when the whole file is moved into the source folder, medians of {rounds} rounds. The file has "
        "just been written, so reading it is reading memory. The goal is 3 s and 1,000 × for an hour. The ladders of the others were measured on "
        f"the clip of {SECONDS} s and multiplied by the length. {remark}",
        ["1080p", "top rung", "MB", "playable after s", "first picture after s", "ladder by FFmpeg s", "÷", "by Shaka Streamer s", "÷"],
        rows,
    )  # fmt: skip


def _first_picture(folder: Path, clip: Path, rounds: int, others: tuple[float, float | None], seconds: int) -> list[object]:
    """Kinora's times, and what the others need for a second of content, multiplied and compared."""
    try:
        taken = [upload(folder / "data", clip) for _ in range(rounds)]
    except (TimeoutError, OSError) as error:
        return [f"{type(error).__name__}: {error}", *["–"] * 5]
    playable, frame = (statistics.median(times) for times in zip(*taken, strict=True))
    compared: list[object] = []
    for each in others:
        compared += [each * seconds, f"{each * seconds / frame:,.0f} ×"] if each else ["–", "–"]
    return [playable, frame, *compared]


def _streamer(folder: Path, clip: Path) -> tuple[float | None, str]:
    """Seconds per second of content, if it can be had."""
    try:
        command = install(folder)
    except (subprocess.SubprocessError, OSError) as error:
        return None, f"Shaka Streamer could not be installed: {type(error).__name__}."
    try:
        return ladder(command, clip).wall / SECONDS, "Shaka Streamer encodes with its own settings (preset slow)."
    except (RuntimeError, OSError) as error:
        return None, f"Shaka Streamer did not run: {' '.join(str(error).split())[-200:]}"
