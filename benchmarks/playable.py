"""From a file's arrival to the first frame that an independent client has decoded, against one FFmpeg process making the ladder."""

from __future__ import annotations

import hashlib
import json
import shutil
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

from benchmarks.clips import FFMPEG
from benchmarks.measure import Report

DEADLINE = 300.0


def run(report: Report, folder: Path, clips: list[Path], ladder_seconds_per_second: float) -> None:
    rows: list[list[object]] = []
    for clip in clips:
        seconds, playable, frame = _measure(folder / f"data-{clip.stem}", clip)
        ladder = ladder_seconds_per_second * seconds
        rows.append([clip.name, seconds, playable, frame, ladder, ladder / playable])
    report.table(
        "Upload to first frame",
        "A running instance; the clock starts when the whole file is moved into the source folder. The ladder's time is that of one FFmpeg "
        "process on this machine, measured on the short clip and multiplied by the length.",
        ["clip", "length s", "playable after s", "first frame after s", "whole ladder by FFmpeg s", "ladder ÷ playable"],
        rows,
    )


def _measure(data: Path, clip: Path) -> tuple[float, float, float]:
    shutil.rmtree(data, ignore_errors=True)
    content_hash = hashlib.sha256(clip.read_bytes()).hexdigest()
    command = [sys.executable, "-m", "kinora.local.cli", "up", "--data", str(data)]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as instance:
        try:
            base = _address(data)
            waiting = data / "arriving.mp4"
            shutil.copy(clip, waiting)
            target = data / "source" / "uploads" / clip.name
            target.parent.mkdir(parents=True, exist_ok=True)
            start = time.perf_counter()
            waiting.rename(target)
            master = f"{base}/stream/{content_hash}/master.m3u8"
            _wait_for(master)
            playable = time.perf_counter() - start
            _first_frame(master)
            frame = time.perf_counter() - start
        finally:
            instance.send_signal(signal.SIGTERM)
    plan = json.loads(next(data.glob("media/videos/*/*/plan.json")).read_text())
    return plan["probe"]["duration"], playable, frame


def _address(data: Path) -> str:
    deadline = time.perf_counter() + DEADLINE
    while time.perf_counter() < deadline:
        try:
            url = json.loads((data / "run.json").read_text())["url"]
        except (FileNotFoundError, ValueError):
            url = None
        if url:
            return str(url)
        time.sleep(0.05)
    raise TimeoutError("the instance did not start")


def _wait_for(url: str) -> None:
    deadline = time.perf_counter() + DEADLINE
    while time.perf_counter() < deadline:
        try:
            urllib.request.urlopen(url, timeout=30).close()
        except urllib.error.HTTPError:
            time.sleep(0.02)
        else:
            return
    raise TimeoutError(url)


def _first_frame(master: str) -> None:
    deadline = time.perf_counter() + DEADLINE
    command = [FFMPEG, "-v", "error", "-nostdin", "-i", master, "-map", "0:v:0", "-frames:v", "1", "-f", "null", "-"]
    while time.perf_counter() < deadline:
        if subprocess.run(command, capture_output=True, check=False).returncode == 0:
            return
        time.sleep(0.1)
    raise TimeoutError(master)
