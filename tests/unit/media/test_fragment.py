"""Decode times of samples, and what a segment says of them."""

from __future__ import annotations

import pytest

from kinora.media.fragment import Sample, decode_times, write_fragment
from tests.unit.media.fragments import boxes, read_segment


@pytest.mark.parametrize(
    ("presented", "delay", "decoded"),
    [
        ([7], 0, [7]),
        ([0, 10, 25], 0, [0, 10, 25]),
        ([0, 10, 25], 20, [0, 10, 25]),
        ([0, 40, 20, 10, 30], 20, [0, 10, 20, 30, 40]),
        ([0, 20, 10, 40, 30], 10, [0, 10, 20, 30, 40]),
        ([0, 900, 500, 10, 600], 20, [0, 10, 29, 30, 620]),
        ([0, 2, 1], 2, [0, 1, 2]),
        ([0, 4, 2, 1, 3], 2, [0, 1, 2, 3, 4]),
    ],
)
def test_no_sample_is_decoded_later_than_the_delay_after_its_time(presented, delay, decoded):
    assert decode_times(presented, delay) == decoded
    assert all(time <= shown + delay for time, shown in zip(decoded, presented, strict=True))
    assert decoded[0] == presented[0]


def test_a_segment_covers_its_span_exactly():
    samples = [Sample(1000, is_sync=True, data=b"\0\0\0\x01\x65"), Sample(1030, is_sync=False, data=b"\0\0\0\x01\x41")]
    data = write_fragment(3, samples, 1000, 1075)
    segment = read_segment(data)
    assert [kind for kind, _ in boxes(data)] == [b"styp", b"moof", b"mdat"]
    assert (segment.start, segment.end) == (1000, 1075)
    assert segment.presented == segment.decoded == [1000, 1030]
    assert segment.is_sync == [True, False]
    assert segment.nal_types == [5]
