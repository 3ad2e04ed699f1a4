"""Clips to measure with: a real one, scaled to 1080p once and looped without encoding to any length."""

from __future__ import annotations

import subprocess
from pathlib import Path

import imageio_ffmpeg

FFMPEG = imageio_ffmpeg.get_ffmpeg_exe()
REAL = Path(__file__).parents[1] / "tests" / "media" / "bigbuckbunny.mp4"


def ffmpeg(*arguments: object) -> None:
    subprocess.run([FFMPEG, "-v", "error", "-nostdin", "-y", *map(str, arguments)], check=True)


def clip_1080p(folder: Path) -> Path:
    """About 5 s of 1080p with a key frame every two seconds, H.264 at a rate that is too high to be copied."""
    target = folder / "clip.mp4"
    if not target.exists():
        ffmpeg("-i", REAL, "-vf", "scale=1920:1080:flags=lanczos", "-c:v", "libx264", "-preset", "fast", "-crf", 14, "-g", 50,
               "-c:a", "copy", "-movflags", "+faststart", target)  # fmt: skip
    return target


def looped(clip: Path, seconds: int) -> Path:
    """`clip` again and again, for about `seconds`."""
    target = clip.with_name(f"{clip.stem}-{seconds}s.mp4")
    if not target.exists():
        ffmpeg("-stream_loop", -1, "-i", clip, "-t", seconds, "-c", "copy", "-movflags", "+faststart", target)
    return target
