"""Cues for a Matroska or WebM file that has none, or wrong ones (RFC 9559 §22); a room of `kept_index`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import BinaryIO

from kinora.media.new_beginning import NewBeginning, Place

_SEGMENT, _SEEK_HEAD, _CUES, _CLUSTER = b"\x18\x53\x80\x67", b"\x11\x4d\x9b\x74", b"\x1c\x53\xbb\x6b", b"\x1f\x43\xb6\x75"
_TRACKS, _ENTRY, _NUMBER = b"\x16\x54\xae\x6b", b"\xae", b"\xd7"
_POINT, _TIME, _POSITIONS, _TRACK, _BYTE = b"\xbb", b"\xb3", b"\xb7", b"\xf7", b"\xf1"
_UNKNOWN = b"\x01" + b"\xff" * 7
_LARGEST_HEADER = 32 << 20  # bytes; fonts may be attached
_MOST_ELEMENTS = 1000


@dataclass(frozen=True, slots=True)
class _Element:
    """`begin` is where its identifier lies, `content` and `end` where what it holds does; `end` is None if it is not told."""

    id: bytes
    begin: int
    content: int
    end: int | None


def write(file: BinaryIO, places: Sequence[Place]) -> NewBeginning | None:
    """All up to the first cluster, with cues for `places` and without those and the seek head that were there.

    None if the file has another form.
    """
    size = file.seek(0, 2)
    ebml = _element_at(file, 0)
    segment = _element_at(file, ebml.end) if ebml and ebml.end else None
    if ebml is None or segment is None or segment.id != _SEGMENT:
        return None
    kept: list[bytes] = []
    tracks: list[bytes] = []
    for element in _elements(file, segment.content, size):
        if element.id == _CLUSTER:
            return _with_cues(_read(file, 0, segment.begin), b"".join(kept), tracks, places, element.begin)
        if element.end is None or element.end > _LARGEST_HEADER:
            return None
        if element.id == _TRACKS:
            tracks = list(_track_numbers(file, element))
        if element.id not in {_SEEK_HEAD, _CUES}:
            kept.append(_read(file, element.begin, element.end))
    return None


def _with_cues(ebml: bytes, kept: bytes, tracks: Sequence[bytes], places: Sequence[Place], cluster: int) -> NewBeginning | None:
    """Positions count from the first byte inside the segment."""
    if not tracks or places[0][1] < cluster or places[0][0] < 0:
        return None
    first = len(kept) + len(_cues(tracks, places, 0))
    data = ebml + _SEGMENT + _UNKNOWN + kept + _cues(tracks, places, first - cluster)
    return NewBeginning(data, cluster)


def _cues(tracks: Sequence[bytes], places: Sequence[Place], shift: int) -> bytes:
    """A cue for every track: which of them is the one with pictures does not matter to a demuxer."""
    points = []
    for time, byte in places:
        position = _element(_BYTE, max(byte + shift, 0).to_bytes(8, "big"))
        parts = (_element(_POSITIONS, _element(_TRACK, track) + position) for track in tracks)
        points.append(_element(_POINT, _element(_TIME, time.to_bytes(8, "big")) + b"".join(parts)))
    return _element(_CUES, b"".join(points))


def _element(identifier: bytes, content: bytes) -> bytes:
    return identifier + (len(content) | 1 << 56).to_bytes(8, "big") + content


def _track_numbers(file: BinaryIO, tracks: _Element) -> Iterator[bytes]:
    for entry in _elements(file, tracks.content, tracks.end or tracks.content):
        if entry.id == _ENTRY and entry.end is not None:
            for inner in _elements(file, entry.content, entry.end):
                if inner.id == _NUMBER and inner.end is not None:
                    yield _read(file, inner.content, inner.end)


def _elements(file: BinaryIO, begin: int, stop: int) -> Iterator[_Element]:
    for _ in range(_MOST_ELEMENTS):
        element = _element_at(file, begin) if begin < stop else None
        if element is None:
            return
        yield element
        if element.end is None:
            return
        begin = element.end


def _element_at(file: BinaryIO, begin: int) -> _Element | None:
    """RFC 8794 §4 and §5: the leading zeros of the first byte tell how long identifier and size are."""
    head = _read(file, begin, begin + 12)
    id_length = 9 - head[0].bit_length() if head else 9
    if id_length > 4 or len(head) <= id_length:
        return None
    size_length = 9 - head[id_length].bit_length()
    content = id_length + size_length
    if size_length > 8 or len(head) < content:
        return None
    size = int.from_bytes(head[id_length:content], "big") - (1 << 7 * size_length)
    is_known = size != (1 << 7 * size_length) - 1
    return _Element(head[:id_length], begin, begin + content, begin + content + size if is_known else None)


def _read(file: BinaryIO, begin: int, stop: int) -> bytes:
    file.seek(begin)
    return file.read(stop - begin)
