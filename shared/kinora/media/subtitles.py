"""The subtitles inside an original: which text tracks an output gets, and each of them as one WebVTT file.

Called by planning and by the pipeline's subtitle stage. Subtitles that are pictures are ignored; no decoder runs on text.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from fractions import Fraction
from itertools import chain
from typing import BinaryIO, TypeAlias

import av
from av.container import InputContainer
from av.stream import Discard, Disposition, Stream
from av.subtitles.stream import SubtitleStream

from kinora.errors import CorruptMedia
from kinora.media import webvtt
from kinora.media.container import decoding, open_original
from kinora.media.languages import bcp47, container_tag
from kinora.media.plan import Plan, SubtitleTrack
from kinora.media.webvtt import Cue, plain_cue

_Text: TypeAlias = tuple[Fraction, Fraction | None, str]  # start, end if it is known, what the packet says

_MOST_TRACKS = 32
_UNTIMED = Fraction(5)  # seconds that a text without an end is shown, unless the next one comes first
_OVERRIDES = re.compile(r"\{[^{}]{0,2000}\}")
_DRAWING = re.compile(r"\\p[1-9]")


def plan_subtitles(file: BinaryIO, demuxer: str) -> tuple[SubtitleTrack, ...]:
    """The text tracks of the original, at most 32. Names differ: the second `eng` is `eng_2`. Raises CorruptMedia."""
    with open_original(file, demuxer) as container, decoding():
        streams = [one for one in container.streams.subtitles if _codec(one) in _READERS][:_MOST_TRACKS]
        marked = next((one for one in streams if one.disposition & Disposition.default and not _is_forced(one)), None)
        counts: dict[str, int] = {}
        tracks: list[SubtitleTrack] = []
        for stream in streams:
            tag = container_tag(stream.language or "")
            counts[tag] = count = counts.get(tag, 0) + 1
            tracks.append(_track(stream, f"{tag}_{count}" if count > 1 else tag, is_default=stream is marked))
    return tuple(tracks)


def make_subtitles(file: BinaryIO, plan: Plan, track: str) -> bytes:
    """The WebVTT file of `track` (`subtitles/eng`); raises KeyError if the plan has no such track, CorruptMedia.

    A pure function of the original and the plan. MP4 is read at the texts only, other containers from end to end.
    """
    planned = next((one for one in plan.subtitles if one.track == track), None)
    if planned is None:
        raise KeyError(track)
    with open_original(file, plan.probe.container) as container:
        if planned.source_index >= len(container.streams):
            raise CorruptMedia(f"stream {planned.source_index} is not there")
        stream = container.streams[planned.source_index]
        for other in container.streams:
            other.discard = Discard.default if other is stream else Discard.all
        return webvtt.write(_cues(container, stream, planned.codec, plan.origin))


def _cues(container: InputContainer, stream: Stream, codec: str, origin: Fraction) -> Iterator[Cue]:
    """The cues in the stream's order, no more than a file may have."""
    texts = _texts(container, stream, codec, origin)
    count = 0
    for start, end, text in _ended(texts):
        is_escaped = codec == "webvtt"
        cue = plain_cue(max(round(start * 1000), 0), round(end * 1000), _READERS[codec](text), is_escaped=is_escaped)
        if cue is not None:
            yield cue
            count += 1
        if count >= webvtt.MOST_CUES:
            return


def _ended(texts: Iterable[_Text]) -> Iterator[tuple[Fraction, Fraction, str]]:
    """A text without an end lasts until the next one, but no longer than 5 s."""
    pending: _Text | None = None
    for following in chain(texts, (None,)):
        if pending is not None:
            start, end, text = pending
            latest = start + _UNTIMED
            if end is None:
                end = following[0] if following and start < following[0] < latest else latest
            yield start, end, text
        pending = following


def _texts(container: InputContainer, stream: Stream, codec: str, origin: Fraction) -> Iterator[_Text]:
    """Start, end if it is known, and raw text of every packet; damage ends the stream early."""
    tick = stream.time_base or Fraction(1, 1000)
    try:
        for packet in container.demux(stream):
            if packet.pts is not None and packet.size:
                start = packet.pts * tick - origin
                end = start + packet.duration * tick if packet.duration else None
                yield start, end, _payload(bytes(packet), codec)
    except av.FFmpegError:
        return


def _payload(data: bytes, codec: str) -> str:
    if codec == "mov_text":  # a length, the text, boxes with styles (3GPP TS 26.245 §5.17)
        data = data[2 : 2 + int.from_bytes(data[:2], "big")]
        if data.startswith((b"\xfe\xff", b"\xff\xfe")):
            return data.decode("utf-16", "replace")
    return data.decode("utf-8", "replace")


def _plain(text: str) -> str:
    return text


def _dialogue(text: str) -> str:
    """The text of an ASS event as Matroska holds it: eight fields in front, overrides in braces."""
    spoken = text.split(",", 8)[-1]
    if _DRAWING.search(spoken):
        return ""
    spoken = spoken.replace("{\\i1}", "<i>").replace("{\\i0}", "</i>").replace("{\\b1}", "<b>").replace("{\\b0}", "</b>")
    return _OVERRIDES.sub("", spoken).replace("\\N", "\n").replace("\\n", "\n").replace("\\h", " ")


_READERS: dict[str, Callable[[str], str]] = {
    "mov_text": _plain,
    "subrip": _plain,
    "text": _plain,
    "ass": _dialogue,
    "webvtt": _plain,
}


def _codec(stream: Stream) -> str:
    context = stream.codec_context
    return context.codec.canonical_name if context is not None else ""


def _is_forced(stream: SubtitleStream) -> bool:
    return bool(stream.disposition & Disposition.forced)


def _track(stream: SubtitleStream, name: str, *, is_default: bool) -> SubtitleTrack:
    is_for_deaf = stream.disposition & (Disposition.hearing_impaired | Disposition.captions)
    return SubtitleTrack(
        name=name,
        codec=_codec(stream),
        source_index=stream.index,
        language=bcp47(stream.language or ""),
        title=stream.metadata.get("title", ""),
        default=is_default,
        forced=_is_forced(stream),
        role="captions" if is_for_deaf else "",
    )
