from __future__ import annotations

import pytest

from kinora.metadata.sequencers import outcome
from kinora.model import AttachOutcome, Original


@pytest.mark.parametrize(
    ("arriving", "stored", "expected"),
    [
        ("0055AED6DCD90281E6", "0055AED6DCD90281E5", AttachOutcome.APPLIED),
        ("0055AED6DCD90281E5", "0055AED6DCD90281E5", AttachOutcome.DUPLICATE),
        ("0055AED6DCD90281E5", "0055AED6DCD90281E6", AttachOutcome.STALE),
        ("0055AED6DCD90281E501", "0055AED6DCD90281E5", AttachOutcome.APPLIED),
        ("0055AED6DCD90281E500", "0055AED6DCD90281E5", AttachOutcome.DUPLICATE),
        ("0056", "0055AED6DCD90281E5", AttachOutcome.APPLIED),
        ("0055aed7", "0055AED6", AttachOutcome.APPLIED),
        ("00", "", AttachOutcome.DUPLICATE),
        ("", "01", AttachOutcome.STALE),
    ],
)
def test_sequencers_compare_as_s3_says(arriving: str, stored: str, expected: AttachOutcome) -> None:
    original = Original("k", "a" * 64, 1, "etag", stored, None, changed_at=0.0)
    assert outcome(original, arriving) is expected
    assert outcome(None, arriving) is AttachOutcome.APPLIED
