"""Clips to measure with: a real one, scaled to 1080p, once as cameras write it and once ready for the web; looped to any length."""

from __future__ import annotations

import subprocess
from pathlib import Path

import imageio_ffmpeg

FFMPEG = imageio_ffmpeg.get_ffmpeg_exe()
REAL = Path(__file__).parents[1] / "tests" / "media" / "bigbuckbunny.mp4"
SECONDS = 10  # of the short clip


def ffmpeg(*arguments: object) -> None:
    subprocess.run(ffmpeg_command(*arguments), check=True)


def ffmpeg_command(*arguments: object) -> list[str]:
    return [FFMPEG, "-v", "error", "-nostdin", "-y", *map(str, arguments)]


def camera_clip(folder: Path) -> Path:
    """1080p H.264 with open groups of pictures, which cannot be copied exactly: every rung is encoded."""
    return _made(folder / "camera.mp4", "open-gop=1")


def web_clip(folder: Path) -> Path:
    """The same pictures in closed groups: the top rendition is copied."""
    return _made(folder / "web.mp4", "open-gop=0")


def looped(clip: Path, seconds: int) -> Path:
    """`clip` again and again without being encoded, for about `seconds`."""
    target = clip.with_name(f"{clip.stem}-{seconds}s.mp4")
    if not target.exists():
        ffmpeg("-stream_loop", -1, "-i", clip, "-t", seconds, "-c", "copy", "-movflags", "+faststart", target)
    return target


def _made(target: Path, groups: str) -> Path:
    if not target.exists():
        ffmpeg("-stream_loop", -1, "-i", REAL, "-t", SECONDS, "-vf", "scale=1920:1080:flags=lanczos", "-c:v", "libx264",
               "-preset", "fast", "-crf", 21, "-g", 50, "-x264-params", groups, "-c:a", "copy", "-movflags", "+faststart",
               target)  # fmt: skip
    return target
