from __future__ import annotations

import io
import struct

import pytest

from kinora.errors import CorruptMedia
from kinora.media.sample_tables import check_sample_counts
from tests.e2e.hostile import box, clip, many_samples


@pytest.mark.parametrize("container", ["mp4", "mov", "matroska"])
def test_what_is_real_passes(container: str) -> None:
    check_sample_counts(io.BytesIO(clip(container)))


@pytest.mark.parametrize(
    "before",
    [b"", box(b"free", bytes(100)), struct.pack(">I4sQ", 1, b"mdat", 116) + bytes(100)],
    ids=["first", "after a box", "after a box of 64 bits"],
)
def test_more_samples_than_bytes_are_refused(before: bytes) -> None:
    with pytest.raises(CorruptMedia, match="67108864 samples"):
        check_sample_counts(io.BytesIO(before + many_samples(2**26)))


@pytest.mark.parametrize(
    "data", [b"", b"\0\0\0\1", b"\0\0\0\2moov", b"\0\0\0\1moov", box(b"moov", b"\xff" * 7), bytes(100_000)]
)
def test_broken_boxes_are_left_to_the_demuxer(data: bytes) -> None:
    check_sample_counts(io.BytesIO(data))
