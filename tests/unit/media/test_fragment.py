"""Decode times of samples, and what a segment says of them."""

from __future__ import annotations

import pytest

from kinora.media.fragment import Sample, decode_times, write_fragment
from tests.unit.media.fragments import boxes, read_segment


@pytest.mark.parametrize(
    ("presented", "decoded"),
    [
        ([7], [7]),
        ([0, 10, 25], [0, 10, 25]),
        ([0, 40, 20, 10, 30], [0, 3, 6, 10, 30]),
        ([0, 20, 10, 40, 30], [0, 5, 10, 20, 30]),
        ([0, 2, 1], [0, 0, 1]),
    ],
)
def test_no_sample_is_decoded_after_it_is_shown(presented, decoded):
    assert decode_times(presented) == decoded
    assert all(before <= shown for before, shown in zip(decoded, presented, strict=True))


def test_a_segment_covers_its_span_exactly():
    samples = [Sample(1000, is_sync=True, data=b"\0\0\0\x01\x65"), Sample(1030, is_sync=False, data=b"\0\0\0\x01\x41")]
    data = write_fragment(3, samples, 1000, 1075)
    segment = read_segment(data)
    assert [kind for kind, _ in boxes(data)] == [b"styp", b"moof", b"mdat"]
    assert (segment.start, segment.end) == (1000, 1075)
    assert segment.presented == segment.decoded == [1000, 1030]
    assert segment.is_sync == [True, False]
    assert segment.nal_types == [5]
