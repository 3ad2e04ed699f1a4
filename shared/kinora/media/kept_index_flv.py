"""An FLV's list of keyframes, as FFmpeg and others write it into the first script tag; a room of `kept_index`."""

from __future__ import annotations

import struct
from collections.abc import Iterable, Sequence
from typing import BinaryIO

from kinora.media.new_beginning import NewBeginning, Place

_HEADER = 13  # bytes, with the size of the tag before the first, which is 0
_SCRIPT = 18
_TICKS = 1000  # per second
_NUMBER, _OBJECT, _ARRAY, _END = b"\x00", b"\x03", b"\x0a", b"\x00\x00\x09"  # AMF 0, §2
_MOST = 1 << 19  # what the size of a tag can express


def write(file: BinaryIO, places: Sequence[Place]) -> NewBeginning | None:
    """The header and a script tag with `places`; None if the file does not begin as an FLV does."""
    file.seek(0)
    header = file.read(_HEADER)
    if len(header) < _HEADER or header[5:9] != b"\x00\x00\x00\x09" or len(places) > _MOST:
        return None
    length = len(_tag(places, 0))
    return NewBeginning(header + _tag(places, length), _HEADER)


def _tag(places: Sequence[Place], shift: int) -> bytes:
    positions = _numbers(b"filepositions", (byte + shift for _, byte in places), len(places))
    times = _numbers(b"times", (time / _TICKS for time, _ in places), len(places))
    keyframes = _name(b"keyframes") + _OBJECT + positions + times + _END
    data = b"\x02" + _name(b"onMetaData") + _OBJECT + keyframes + _END
    head = struct.pack(">B", _SCRIPT) + len(data).to_bytes(3, "big") + bytes(7)
    return head + data + struct.pack(">I", len(head) + len(data))


def _name(name: bytes) -> bytes:
    return struct.pack(">H", len(name)) + name


def _numbers(name: bytes, values: Iterable[float], count: int) -> bytes:
    return _name(name) + _ARRAY + struct.pack(">I", count) + b"".join(_NUMBER + struct.pack(">d", value) for value in values)
