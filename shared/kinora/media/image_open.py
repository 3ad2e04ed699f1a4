"""Opens pictures with libvips: the loader is forced from the sniffed type, bytes are fetched as they are needed.

Called by the other image rooms; what libvips and the file object complain about becomes errors that callers can tell apart.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, BinaryIO

from kinora.errors import CorruptMedia, LimitExceeded, UnsupportedMedia
from kinora.media.libvips import pyvips
from kinora.media.sniffed import Sniffed

LOADERS = {
    "image/jpeg": "jpegload_source",
    "image/png": "pngload_source",
    "image/gif": "gifload_source",
    "image/webp": "webpload_source",
    "image/tiff": "tiffload_source",
    "image/avif": "heifload_source",
    "image/heic": "heifload_source",
    "image/heif": "heifload_source",
    "image/svg+xml": "svgload_source",
}
# These formats are held in memory whole while they are read.
_HELD = {"image/gif", "image/webp", "image/heic", "image/heif", "image/svg+xml"}
_MAX_HELD_BYTES = 128 * 1024 * 1024


class _Reading:
    """Feeds libvips from a file object and keeps what that raised, because an exception cannot pass through C."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self.error: Exception | None = None
        self.source = pyvips.SourceCustom()
        self.source.on_read(self._read)
        self.source.on_seek(self._seek)

    def _read(self, size: int) -> bytes | None:
        try:
            return self._file.read(size)
        except Exception as error:  # noqa: BLE001 - whatever it is, it is raised again outside
            self.error = self.error or error
            return None

    def _seek(self, offset: int, whence: int) -> int:
        try:
            return self._file.seek(offset, whence)
        except Exception as error:  # noqa: BLE001 - as above
            self.error = self.error or error
            return -1


@contextmanager
def decoding() -> Iterator[None]:
    """Turn what libvips says about the content into CorruptMedia."""
    try:
        yield
    except (pyvips.Error, UnicodeDecodeError) as error:  # its complaints quote the content, which need not be text
        raise CorruptMedia(f"libvips: {' '.join(str(error).split())}") from error


@contextmanager
def reading(file: BinaryIO, sniffed: Sniffed) -> Iterator[Any]:
    """A libvips source over `file`, valid only inside the `with`: no image that still reads from it may leave.

    Raises CorruptMedia for what libvips complains about, LimitExceeded if the file is too long for a format that must be held
    in memory, and the file object's own errors unchanged, even where libvips went on without the bytes.
    """
    if sniffed.media_type in _HELD and file.seek(0, os.SEEK_END) > _MAX_HELD_BYTES:
        raise LimitExceeded(f"{sniffed.media_type} of more than {_MAX_HELD_BYTES} bytes")
    file.seek(0)
    feed = _Reading(file)
    try:
        with decoding():
            yield feed.source
    except CorruptMedia as damage:
        if feed.error is not None:
            raise feed.error from damage
        raise
    if feed.error is not None:
        raise feed.error


def load(source: Any, sniffed: Sniffed, **options: Any) -> Any:
    """The picture in `source`, not decoded yet; decoding goes from top to bottom once and fails on damage."""
    if sniffed.media_type not in LOADERS:
        raise UnsupportedMedia(f"no picture: {sniffed.media_type}")
    loader = getattr(pyvips.Image, LOADERS[sniffed.media_type])
    return loader(source, access="sequential", fail_on="error", **options)


def field(image: Any, name: str, default: int) -> int:
    """A whole number from the picture's metadata."""
    return int(image.get(name)) if image.get_typeof(name) else default
