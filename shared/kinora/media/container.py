"""Opens originals with FFmpeg: a forced demuxer from a short list, one file, nothing else. Called by every media tool.

Playlists, scripts and network addresses inside an original are never followed, and FFmpeg's errors become Kinora's here.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Any, BinaryIO, TypeVar, cast

import av
from av.container import InputContainer
from av.packet import Packet
from av.stream import Disposition, Stream
from av.video.stream import VideoStream

from kinora.errors import CorruptMedia, LimitExceeded, UnsupportedMedia
from kinora.media.kept_index import with_kept_index
from kinora.media.new_beginning import Place

DEMUXERS = frozenset(
    [
        *("aac", "ac3", "aiff", "amr", "caf", "eac3", "flac", "mp3", "w64", "wav"),
        *("asf", "avi", "dv", "flv", "matroska", "mov", "mpeg", "mpegts", "mxf", "ogg"),
    ]
)
_BUFFER = 64 * 1024
_MOST_PIXELS = 1 << 26  # 8192 × 8192: decoding more would not fit the memory of a function
_NOT_FILM = Disposition.attached_pic | Disposition.still_image | Disposition.timed_thumbnails

StreamT = TypeVar("StreamT", bound=Stream)


@contextmanager
def decoding() -> Iterator[None]:
    """Turn FFmpeg's complaints about the content into CorruptMedia; errors of the file object itself pass unchanged."""
    try:
        yield
    except av.FFmpegError as error:
        raise CorruptMedia(f"FFmpeg: {error}") from error


@contextmanager
def open_original(
    file: BinaryIO, demuxer: str, *, as_stored: bool = False, places: Sequence[Place] = ()
) -> Iterator[InputContainer]:
    """Open `file` from its start as `demuxer`; raises UnsupportedMedia for other demuxers, CorruptMedia if it cannot be.

    `as_stored` takes an MP4's packets as its sample tables describe them, without looking into the packets themselves.
    `places` are an index that the plan kept because the original has none.
    """
    if demuxer not in DEMUXERS:
        raise UnsupportedMedia(f"demuxer {demuxer!r} is not allowed")
    file = with_kept_index(file, demuxer, places)
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


def film_of(container: InputContainer) -> VideoStream | None:
    """The video stream that is played, if there is one: cover art and thumbnails are none. Raises LimitExceeded."""
    films = [one for one in container.streams.video if one.codec_context is not None and not one.disposition & _NOT_FILM]
    film = next((one for one in films if one.disposition & Disposition.default), films[0] if films else None)
    if film is not None and film.codec_context.width * film.codec_context.height > _MOST_PIXELS:
        raise LimitExceeded(f"a picture of {film.codec_context.width} × {film.codec_context.height} is not decoded")
    return film


def _refuse(url: str, _flags: int, _options: dict[str, Any]) -> None:
    raise UnsupportedMedia(f"the original refers to another file: {url!r}")
