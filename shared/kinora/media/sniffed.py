"""The answer of sniffing: what a piece of content is and which reader is to be forced on it. Made by the rooms of `sniff`."""

from __future__ import annotations

from dataclasses import dataclass

from kinora.model import Kind

HEAD_BYTES = 65536


@dataclass(frozen=True, slots=True)
class Sniffed:
    """`demuxer` is FFmpeg's short name of the only demuxer that may read it (None for images); `extension` is the usual one,
    without its dot, for downloads."""

    kind: Kind
    media_type: str
    demuxer: str | None
    extension: str


def image(media_type: str, extension: str) -> Sniffed:
    return Sniffed(Kind.IMAGE, media_type, None, extension)


def video(media_type: str, demuxer: str, extension: str) -> Sniffed:
    return Sniffed(Kind.VIDEO, media_type, demuxer, extension)


def audio(media_type: str, demuxer: str, extension: str) -> Sniffed:
    return Sniffed(Kind.AUDIO, media_type, demuxer, extension)
