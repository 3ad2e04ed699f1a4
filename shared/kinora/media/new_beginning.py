"""What a room of `kept_index` makes: the bytes with which a file begins instead of its own."""

from __future__ import annotations

from dataclasses import dataclass

Place = tuple[int, int]  # a keyframe's time, in the demuxer's own terms and its stream's time base, and the byte of its group


@dataclass(frozen=True, slots=True)
class NewBeginning:
    """`data` stands in the place of the first `replaces` bytes of the original."""

    data: bytes
    replaces: int
