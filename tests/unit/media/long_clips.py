"""Long originals for tests of what is read: a short clip, joined to itself by an FFmpeg of its own without encoding again.

`long_clip(name)` gives the file; files are kept for the life of the process. `CountingReader` opens one through the readers of
the storage drivers and counts.
"""

from __future__ import annotations

import atexit
import os
import shutil
import tempfile
from functools import cache
from pathlib import Path

from kinora.storage.base import ObjectInfo, Reader
from kinora.storage.reader import BUFFER_BYTES, BlockReader
from tests.unit.media import clips

SECONDS = 240
_SOURCE = "-f lavfi -i testsrc2=s=640x360:r=30:d=8 -f lavfi -i sine=r=48000:d=8 -threads 1"
_LOOPED = f"-stream_loop {SECONDS // 8 - 1}"

# name: (file type, arguments); a name in braces is another clip that is read as input
_RECIPES: dict[str, tuple[str, str]] = {
    "film": (".mp4", f"{_SOURCE} -c:v libx264 -preset ultrafast -crf 30 -g 60 -bf 2 -b_strategy 0 -c:a aac"),
    "simple": (".avi", f"{_SOURCE} -c:v mpeg4 -q:v 8 -g 60 -c:a libmp3lame"),
    "mp4": (".mp4", f"{_LOOPED} -i {{film}} -c copy"),
    "mp4_front": (".mp4", "-i {mp4} -c copy -movflags faststart"),
    "mkv": (".mkv", "-i {mp4} -c copy"),
    "mkv_live": (".mkv", "-i {mp4} -c copy -live 1"),
    "flv": (".flv", "-i {mp4} -c copy"),
    "ts": (".ts", "-i {mp4} -c copy"),
    "ts_wrapped": (".ts", "-i {mp4} -c copy -output_ts_offset 95350"),  # 33 bits at 90 kHz last 95,443.7 s
    "avi": (".avi", f"{_LOOPED} -i {{simple}} -c copy -r 30"),
    "mkv_simple": (".mkv", f"{_LOOPED} -i {{simple_h264}} -c copy"),
    "simple_h264": (".mp4", f"{_SOURCE} -c:v libx264 -preset ultrafast -crf 30 -g 60 -bf 0 -c:a aac"),
}


@cache
def _folder() -> Path:
    folder = Path(tempfile.mkdtemp(prefix="kinora-long-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder


@cache
def long_clip(name: str) -> Path:
    """The file of that clip; made at the first call."""
    suffix, arguments = _RECIPES[name]
    target = _folder() / f"{name}{suffix}"
    words = [str(long_clip(word[1:-1])) if word.startswith("{") else word for word in arguments.split()]
    clips.ffmpeg("-y", *words, str(target))
    return target


class CountingReader(Reader):
    """A reader as the S3 driver makes it, with blocks of 64 KiB; `fetched` are the bytes that came from storage."""

    def __init__(self, path: Path) -> None:
        self.fetched = 0
        self._descriptor = os.open(path, os.O_RDONLY)
        self.size = os.fstat(self._descriptor).st_size
        info = ObjectInfo(path.name, self.size, "etag", 0.0, "video/mp4")
        super().__init__(BlockReader(self.size, BUFFER_BYTES, self._fetch), info, BUFFER_BYTES)

    def close(self) -> None:
        if not self.closed:
            os.close(self._descriptor)
        super().close()

    def _fetch(self, start: int, stop: int) -> bytes:
        self.fetched += stop - start
        return os.pread(self._descriptor, stop - start, start)
