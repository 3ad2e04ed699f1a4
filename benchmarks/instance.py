"""A running Kinora in a folder of its own, and the clock from a file's arrival to the first picture that another program shows."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks.clips import ffmpeg_command

PATIENCE = 120.0  # seconds
_STOPPING = 30


def upload(data: Path, clip: Path) -> tuple[float, float]:
    """Seconds until the stream is playable, and until FFmpeg has decoded its first picture. Raises TimeoutError."""
    with clip.open("rb") as file:
        content_hash = hashlib.file_digest(file, "sha256").hexdigest()
    with _running(data) as base:
        target = data / "source" / "uploads" / clip.name
        target.parent.mkdir(parents=True, exist_ok=True)
        arriving = data / clip.name
        _same_file(clip, arriving)
        start = time.perf_counter()
        arriving.rename(target)
        master = f"{base}/stream/{content_hash}/master.m3u8"
        _until(lambda: _is_there(master), f"{clip.name} is not playable")
        playable = time.perf_counter() - start
        _until(lambda: _shows(master), f"{clip.name} shows nothing")
        return playable, time.perf_counter() - start


@contextmanager
def _running(data: Path) -> Iterator[str]:
    shutil.rmtree(data, ignore_errors=True)
    command = [sys.executable, "-m", "kinora.local.cli", "up", "--data", str(data), "--port", "0"]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as instance:
        try:
            _until(lambda: _address(data) is not None, "the instance does not start")
            yield str(_address(data))
        finally:
            instance.send_signal(signal.SIGTERM)
            try:
                instance.wait(_STOPPING)
            except subprocess.TimeoutExpired:
                instance.kill()
            shutil.rmtree(data, ignore_errors=True)


def _same_file(clip: Path, target: Path) -> None:
    """Without taking the room twice, where the disk can do that."""
    try:
        os.link(clip, target)
    except OSError:
        shutil.copy(clip, target)


def _address(data: Path) -> str | None:
    try:
        url = json.loads((data / "run.json").read_text())["url"]
    except (FileNotFoundError, ValueError, KeyError):
        return None
    return str(url) if url else None


def _is_there(url: str) -> bool:
    try:
        urllib.request.urlopen(url, timeout=30).close()
    except urllib.error.HTTPError:
        return False
    return True


def _shows(master: str) -> bool:
    command = ffmpeg_command("-i", master, "-map", "0:v:0", "-frames:v", 1, "-f", "null", "-")
    return subprocess.run(command, capture_output=True, check=False).returncode == 0


def _until(holds: Callable[[], bool], complaint: str) -> None:
    deadline = time.perf_counter() + PATIENCE
    while not holds():
        if time.perf_counter() > deadline:
            raise TimeoutError(complaint)
        time.sleep(0.01)
