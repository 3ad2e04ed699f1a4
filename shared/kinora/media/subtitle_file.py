"""A subtitle file that somebody hands in: what its name says, how its bytes become text, and whether it has cues at all.

Called by ingest, by the task for sidecars and by the API. Knows no media and no storage.
"""

from __future__ import annotations

import codecs
from dataclasses import dataclass

from kinora.errors import LimitExceeded, UnsupportedMedia
from kinora.media import webvtt
from kinora.media.languages import UNKNOWN, canonical_tag
from kinora.media.webvtt import Cue

MOST_FILE_BYTES = 4_000_000  # what an API on AWS can take in, and much more than any film needs
WEBVTT_TYPE, SUBRIP_TYPE = SUBTITLE_TYPES = ("text/vtt", "application/x-subrip")
_EXTENSIONS = (".vtt", ".srt")
_FLAGS = frozenset({"forced", "sdh", "cc", "default"})
_MARKS = ((codecs.BOM_UTF8, "utf-8-sig"), (codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16"))


@dataclass(frozen=True, slots=True)
class TextFile:
    """A file with subtitles. `media_type` is what it is, whatever it is called."""

    media_type: str
    cues: tuple[Cue, ...]

    def webvtt(self) -> bytes:
        """The same as a safe WebVTT file; its times count from the shown beginning of the media."""
        return webvtt.write(self.cues)


@dataclass(frozen=True, slots=True)
class NameParts:
    """What `film.pt-BR.forced.srt` says of itself beside the name of its film."""

    language: str = UNKNOWN
    forced: bool = False
    default: bool = False
    for_deaf: bool = False


def is_subtitle_name(name: str) -> bool:
    return name.lower().endswith(_EXTENSIONS)


def possible_stems(name: str) -> dict[str, NameParts]:
    """The stems of originals that a subtitle file may belong to, the longest first, with what the rest of its name then says.

    `film.en.srt` may be the text of `film.en`, in an unknown language, or of `film`, in English.
    """
    words = name[: -len(_EXTENSIONS[0])].split(".")
    stems: dict[str, NameParts] = {}
    for count in range(len(words), 0, -1):
        parts = _name_parts(words[count:])
        if parts is None:
            break
        stems[".".join(words[:count])] = parts
    return stems


def _name_parts(words: list[str]) -> NameParts | None:
    flags = {word.lower() for word in words} & _FLAGS
    others = [word for word in words if word.lower() not in _FLAGS]
    language = canonical_tag(others[0]) if others else UNKNOWN
    if language is None or len(others) > 1:
        return None
    return NameParts(language, "forced" in flags, "default" in flags, bool(flags & {"sdh", "cc"}))


def read_subtitles(data: bytes) -> TextFile:
    """The cues of a WebVTT or SubRip file in UTF-8, UTF-16 or Windows-1252.

    Raises LimitExceeded over 4 MB, and UnsupportedMedia with the code `not-text`, `no-cues` or `bad-times`.
    """
    if len(data) > MOST_FILE_BYTES:
        raise LimitExceeded(public_message=f"Subtitles have {MOST_FILE_BYTES} bytes at most.")
    text = decode_text(data)
    cues = tuple(webvtt.read(text))
    if not cues and "-->" in text:
        raise UnsupportedMedia(code="bad-times", public_message="No cue of this file has times that can be used and a text.")
    if not cues:
        raise UnsupportedMedia(code="no-cues", public_message="This file has no subtitles that Kinora can read.")
    return TextFile(WEBVTT_TYPE if webvtt.is_webvtt_text(text) else SUBRIP_TYPE, cues)


def decode_text(data: bytes) -> str:
    """Text by its byte order mark; without one UTF-8, else UTF-16 if every other byte is 0, else Windows-1252.

    Raises UnsupportedMedia with the code `not-text`.
    """
    marked = [name for mark, name in _MARKS if data.startswith(mark)]
    for attempt in marked or ["utf-8", _unmarked_utf16(data) if b"\x00" in data else "cp1252"]:
        try:
            text = data.decode(attempt)
        except UnicodeDecodeError:
            continue
        if "\x00" not in text:
            return text
    raise UnsupportedMedia(code="not-text", public_message="This is no text in UTF-8, UTF-16 or Windows-1252.")


def _unmarked_utf16(data: bytes) -> str:
    """The byte order of UTF-16, by where the zeros of its digits and line ends are."""
    head = data[:1000]
    return "utf-16-le" if head[1::2].count(0) > head[::2].count(0) else "utf-16-be"
