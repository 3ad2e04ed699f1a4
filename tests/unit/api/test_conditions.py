"""RFC 9110 §13 and §14, header by header."""

from __future__ import annotations

import pytest

from kinora.api.conditions import http_date, is_unchanged, wanted_range
from kinora.errors import PreconditionFailed
from kinora.storage.base import ByteRange

NOW = 1_700_000_000.5
LATER, SAME, EARLIER = http_date(NOW + 60), http_date(NOW), http_date(NOW - 60)


@pytest.mark.parametrize(
    ("headers", "unchanged"),
    [
        ({}, False),
        ({"if-none-match": '"abc"'}, True),
        ({"if-none-match": 'W/"abc"'}, True),
        ({"if-none-match": '"x", "abc"'}, True),
        ({"if-none-match": "*"}, True),
        ({"if-none-match": '"x"'}, False),
        ({"if-none-match": "abc"}, False),
        ({"if-none-match": '"x"', "if-modified-since": LATER}, False),
        ({"if-modified-since": SAME}, True),
        ({"if-modified-since": EARLIER}, False),
        ({"if-modified-since": "yesterday"}, False),
        ({"if-match": '"abc"'}, False),
        ({"if-match": "*"}, False),
        ({"if-unmodified-since": LATER}, False),
        ({"if-match": '"abc"', "if-unmodified-since": EARLIER}, False),
    ],
)
def test_preconditions(headers, unchanged):
    assert is_unchanged(headers, "abc", NOW) is unchanged


@pytest.mark.parametrize("headers", [{"if-match": '"x"'}, {"if-match": 'W/"abc"'}, {"if-unmodified-since": EARLIER}])
def test_preconditions_that_fail(headers):
    with pytest.raises(PreconditionFailed):
        is_unchanged(headers, "abc", NOW)


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        ("bytes=0-0", ByteRange(0, 0)),
        ("bytes=5-", ByteRange(5, None)),
        ("bytes=-7", ByteRange(None, 7)),
        ("BYTES=1-2", ByteRange(1, 2)),
        ("bytes=-0", ByteRange(None, 0)),
        ("bytes=3-2", None),
        ("bytes=0-1,3-4", None),
        ("bytes=-", None),
        ("bytes=a-b", None),
        ("items=0-1", None),
        ("bytes=99999999999999999999-", None),
    ],
)
def test_ranges(header, expected):
    assert wanted_range({"range": header}, "abc", NOW) == expected


@pytest.mark.parametrize(
    ("condition", "holds"),
    [('"abc"', True), ('W/"abc"', False), ('"x"', False), (SAME, True), (LATER, False), (EARLIER, False), ("garbage", False)],
)
def test_if_range(condition, holds):
    found = wanted_range({"range": "bytes=0-1", "if-range": condition}, "abc", NOW)
    assert (found is not None) is holds
