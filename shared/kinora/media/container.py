"""Opens originals with FFmpeg: a forced demuxer from a short list, one file, nothing else. Called by every media tool.

Playlists, scripts and network addresses inside an original are never followed, and FFmpeg's errors become Kinora's here.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any, BinaryIO, TypeVar, cast

import av
from av.container import InputContainer
from av.packet import Packet
from av.stream import Stream

from kinora.errors import CorruptMedia, UnsupportedMedia

DEMUXERS = frozenset(
    [
        *("aac", "ac3", "aiff", "amr", "caf", "eac3", "flac", "mp3", "w64", "wav"),
        *("asf", "avi", "flv", "matroska", "mov", "mpeg", "mpegts", "mxf", "ogg"),
    ]
)
_BUFFER = 256 * 1024

StreamT = TypeVar("StreamT", bound=Stream)


@contextmanager
def decoding() -> Iterator[None]:
    """Turn FFmpeg's complaints about the content into CorruptMedia; errors of the file object itself pass unchanged."""
    try:
        yield
    except av.FFmpegError as error:
        raise CorruptMedia(f"FFmpeg: {error}") from error


@contextmanager
def open_original(file: BinaryIO, demuxer: str, *, as_stored: bool = False) -> Iterator[InputContainer]:
    """Open `file` from its start as `demuxer`; raises UnsupportedMedia for other demuxers, CorruptMedia if it cannot be.

    `as_stored` takes an MP4's packets as its sample tables describe them, without looking into the packets themselves.
    """
    if demuxer not in DEMUXERS:
        raise UnsupportedMedia(f"demuxer {demuxer!r} is not allowed")
    file.seek(0)
    with decoding():
        container = av.open(
            file,
            "r",
            format=demuxer,
            buffer_size=_BUFFER,
            io_open=_refuse,
            metadata_errors="replace",
            container_options={"fflags": "+noparse+nofillin"} if as_stored and demuxer == "mov" else {},
        )
    try:
        yield container
    finally:
        container.close()


def demux(container: InputContainer, stream: StreamT) -> Iterator[Packet[StreamT]]:
    """The packets of `stream` to the end of the file. Raises av.FFmpegError where it is damaged.

    In a transport stream others may appear on the way; PyAV knows only those of the beginning and trips over the rest at the
    very end.
    """
    with suppress(IndexError):
        yield from cast("Iterator[Packet[StreamT]]", container.demux(stream))


def _refuse(url: str, _flags: int, _options: dict[str, Any]) -> None:
    raise UnsupportedMedia(f"the original refers to another file: {url!r}")
