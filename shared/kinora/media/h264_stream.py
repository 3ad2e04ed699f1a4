"""Takes H.264 streams apart (ITU-T H.264 §7.3, ISO/IEC 14496-15 §5.3): NAL units, parameter sets, what they say.

Called where pictures are copied instead of encoded. Reads headers only, never slices.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

IDR_SLICE, SLICE, SEI, SPS, PPS = 5, 1, 6, 7, 8
_REMOVABLE = {9, 10, 11, 12}  # access unit delimiters, ends of sequence and stream, filler
_HIGH_PROFILES = {100, 110, 122, 244, 44, 83, 86, 118, 128, 138, 139, 134, 135}


class Unreadable(Exception):
    """The bytes are not what the standard says."""


@dataclass(frozen=True, slots=True)
class SequenceParameters:
    """What a sequence parameter set says; `width` and `height` are pixels after cropping."""

    id: int
    profile: int
    constraints: int
    level: int
    is_420_8_bit: bool
    width: int
    height: int
    is_progressive: bool

    @property
    def codecs(self) -> str:
        """The RFC 6381 string."""
        return f"avc1.{self.profile:02x}{self.constraints:02x}{self.level:02x}"


@dataclass(frozen=True, slots=True)
class ParameterSets:
    """Sequence and picture parameter sets of a track; `length_size` is how many bytes a NAL unit's length has, 0 for start
    codes (Annex B)."""

    sequence: tuple[bytes, ...]
    picture: tuple[bytes, ...]
    length_size: int

    def units(self, data: bytes) -> Iterator[bytes]:
        """The NAL units of one access unit; raises Unreadable if it ends within one."""
        return _annex_b(data) if self.length_size == 0 else _length_prefixed(data, self.length_size)

    def record(self) -> bytes:
        """The AVCDecoderConfigurationRecord with lengths of four bytes (ISO/IEC 14496-15 §5.3.3.1)."""
        first = self.sequence[0]
        head = bytes((1, *first[1:4], 0xFF, 0xE0 | len(self.sequence))) + b"".join(map(_short, self.sequence))
        tail = bytes((len(self.picture),)) + b"".join(map(_short, self.picture))
        return head + tail + (b"\xfd\xf8\xf8\x00" if first[1] in _HIGH_PROFILES else b"")


def read_parameter_sets(extradata: bytes) -> ParameterSets:
    """The parameter sets of a stream, as FFmpeg gives them: a configuration record or Annex B. Raises Unreadable."""
    if extradata[:1] != b"\x01":
        units = list(_annex_b(extradata))
        return ParameterSets(_of_type(units, SPS), _of_type(units, PPS), 0)
    try:
        length_size = (extradata[4] & 3) + 1
        sequence, rest = _counted(extradata, 6, extradata[5] & 0x1F)
        picture, _ = _counted(extradata, rest + 1, extradata[rest])
    except (IndexError, struct.error) as error:
        raise Unreadable from error
    return ParameterSets(sequence, picture, length_size)


def unit_type(unit: bytes) -> int:
    return unit[0] & 0x1F if unit else 0


def prefixed(units: Iterable[bytes]) -> bytes:
    """The NAL units, each after its length in four bytes."""
    return b"".join(part for unit in units for part in (struct.pack(">I", len(unit)), unit))


def picture_units(sets: ParameterSets, data: bytes) -> list[bytes] | None:
    """The slices and messages of one access unit; None if it holds what cannot be copied: other parameter sets than `sets`,
    layers, data partitions, or no picture."""
    kept: list[bytes] = []
    try:
        for unit in sets.units(data):
            kind = unit_type(unit)
            if kind in {SLICE, IDR_SLICE, SEI}:
                kept.append(unit)
            elif kind not in _REMOVABLE and unit not in sets.sequence and unit not in sets.picture:
                return None
    except Unreadable:
        return None
    return kept if any(unit_type(unit) != SEI for unit in kept) else None


def begins_closed(sets: ParameterSets, head: bytes) -> bool | None:
    """Whether the access unit that begins with `head` has an IDR picture; None if other parameter sets come first."""
    try:
        for unit in sets.units(head):
            kind = unit_type(unit)
            if kind in {SLICE, IDR_SLICE}:
                return kind == IDR_SLICE
            if kind in {SPS, PPS} and unit not in sets.sequence and unit not in sets.picture:
                return None
    except Unreadable:
        return False
    return False


def read_sequence(unit: bytes) -> SequenceParameters:
    """Read a sequence parameter set (§7.3.2.1.1); raises Unreadable."""
    if len(unit) < 4:
        raise Unreadable
    bits = _Bits(unit[4:].replace(b"\0\0\3", b"\0\0"))
    profile, constraints, level = unit[1:4]
    identifier = bits.exponential()
    chroma, depth = _chroma(bits) if profile in _HIGH_PROFILES else (1, 0)
    bits.exponential()  # log2_max_frame_num_minus4
    _skip_order_counts(bits)
    bits.exponential()  # max_num_ref_frames
    bits.take(1)  # gaps_in_frame_num_value_allowed_flag
    width, height = bits.exponential() + 1, bits.exponential() + 1
    is_progressive = bits.take(1) == 1
    if not is_progressive:
        height *= 2
        bits.take(1)
    bits.take(1)  # direct_8x8_inference_flag
    left, right, top, bottom = (bits.exponential() for _ in range(4)) if bits.take(1) else (0, 0, 0, 0)
    return SequenceParameters(
        id=identifier,
        profile=profile,
        constraints=constraints,
        level=level,
        is_420_8_bit=chroma == 1 and depth == 0,
        width=width * 16 - 2 * (left + right),
        height=height * 16 - 2 * (top + bottom) * (1 if is_progressive else 2),
        is_progressive=is_progressive,
    )


def has_slice_groups(unit: bytes) -> bool:
    """Whether a picture parameter set (§7.3.2.2) scatters macroblocks over slice groups, as only Baseline may and hardly any
    decoder can; raises Unreadable."""
    bits = _Bits(unit[1:].replace(b"\0\0\3", b"\0\0"))
    bits.exponential()
    bits.exponential()
    bits.take(2)
    return bits.exponential() > 0


def _chroma(bits: _Bits) -> tuple[int, int]:
    """chroma_format_idc, and by how much samples are deeper than 8 bits or otherwise special."""
    chroma = bits.exponential()
    special = bits.take(1) if chroma == 3 else 0
    special += bits.exponential() + bits.exponential() + bits.take(1)
    if bits.take(1):
        for matrix in range(8 if chroma != 3 else 12):
            _skip_scaling(bits, 16 if matrix < 6 else 64)
    return chroma, special


def _skip_scaling(bits: _Bits, size: int) -> None:
    if not bits.take(1):
        return
    last = following = 8
    for _ in range(size):
        if following:
            following = (last + bits.signed()) % 256
        last = following or last


def _skip_order_counts(bits: _Bits) -> None:
    kind = bits.exponential()
    if kind == 0:
        bits.exponential()
    elif kind == 1:
        bits.take(1)
        for _ in range(2):
            bits.exponential()
        for _ in range(bits.exponential()):
            bits.exponential()


class _Bits:
    def __init__(self, data: bytes) -> None:
        self._value = int.from_bytes(data)
        self._left = len(data) * 8

    def take(self, count: int) -> int:
        if count > self._left:
            raise Unreadable
        self._left -= count
        return self._value >> self._left & ((1 << count) - 1)

    def exponential(self) -> int:
        """An unsigned Exp-Golomb number (§9.1)."""
        zeros = 0
        while not self.take(1):
            zeros += 1
        return (1 << zeros) - 1 + self.take(zeros)

    def signed(self) -> int:
        number = self.exponential()
        return (number + 1) // 2 if number % 2 else -(number // 2)


def _length_prefixed(data: bytes, size: int) -> Iterator[bytes]:
    position = 0
    while position < len(data):
        start = position + size
        position = start + int.from_bytes(data[position:start])
        yield data[start:position]
        if position > len(data):
            raise Unreadable


def _annex_b(data: bytes) -> Iterator[bytes]:
    start = data.find(b"\0\0\1")
    while start >= 0:
        following = data.find(b"\0\0\1", start + 3)
        unit = data[start + 3 : following if following >= 0 else len(data)].rstrip(b"\0")
        if unit:
            yield unit
        start = following


def _counted(data: bytes, position: int, count: int) -> tuple[tuple[bytes, ...], int]:
    units: list[bytes] = []
    for _ in range(count):
        (size,) = struct.unpack_from(">H", data, position)
        units.append(data[position + 2 : position + 2 + size])
        position += 2 + size
    return tuple(units), position


def _of_type(units: Iterable[bytes], kind: int) -> tuple[bytes, ...]:
    return tuple(dict.fromkeys(unit for unit in units if unit_type(unit) == kind))


def _short(unit: bytes) -> bytes:
    return struct.pack(">H", len(unit)) + unit
