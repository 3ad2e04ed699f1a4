"""What belongs to one rendition of a stream: which files, and which lines of the multivariant playlist. Called by the API for
viewers who may see one rendition only; never reads media."""

from __future__ import annotations

import re

# A folder in front is a revision of the stream.
_PICTURES = re.compile(r"(?:[A-Za-z0-9_-]+/)?video/([A-Za-z0-9_-]+)/[^/]+")
_SOUND_AND_TEXT = re.compile(r"(?:[A-Za-z0-9_-]+/)?(?:audio|subtitles)/[A-Za-z0-9_-]+/[^/]+")
_URI = re.compile(r'[:,]URI="([^"]*)"')


def belongs_to(path: str, rendition: str) -> bool:
    """Whether a viewer of `rendition` (`r720_h264`) needs the file: its own, sound, text, and the multivariant playlist."""
    if path in {"master.m3u8", f"proxy/{rendition}.mp4"} or _SOUND_AND_TEXT.fullmatch(path):
        return True
    pictures = _PICTURES.fullmatch(path)
    return pictures is not None and pictures[1] == rendition


def only_rendition(multivariant: str, rendition: str) -> str:
    """The multivariant playlist without the variants and I-frame streams of other renditions (RFC 8216 §4.3.4)."""
    lines: list[str] = []
    variant: list[str] = []  # a tag that waits for its URI, which is on the next line that is no comment
    for line in multivariant.split("\n"):
        if line.startswith("#EXT-X-STREAM-INF:"):
            variant = [line]
        elif variant:
            variant.append(line)
            if line.strip() and not line.startswith("#"):
                lines += variant if _is_of(line.strip(), rendition) else []
                variant = []
        elif not line.startswith("#EXT-X-I-FRAME-STREAM-INF:") or _is_of(_uri(line), rendition):
            lines.append(line)
    return "\n".join(lines)


def has_variants(multivariant: str) -> bool:
    return "#EXT-X-STREAM-INF:" in multivariant


def _uri(line: str) -> str:
    found = _URI.search(line)
    return found[1] if found else ""


def _is_of(uri: str, rendition: str) -> bool:
    pictures = _PICTURES.fullmatch(uri.partition("?")[0])
    return pictures is not None and pictures[1] == rendition
