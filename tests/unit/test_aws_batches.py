from __future__ import annotations

from kinora.aws_batches import MAX_BYTES, batches


def test_ten_at_most() -> None:
    assert [len(batch) for batch in batches(["x"] * 21, len)] == [10, 10, 1]


def test_nothing_makes_no_batch() -> None:
    assert list(batches([], len)) == []


def test_bytes_count_together_to_the_last_one() -> None:
    half = "x" * (MAX_BYTES // 2)
    assert list(batches([half, half, "y"], len)) == [[half, half], ["y"]]
    assert list(batches([half, half + "x", "y"], len)) == [[half], [half + "x", "y"]]


def test_one_that_is_too_large_stands_alone() -> None:
    large = "x" * (MAX_BYTES + 1)
    assert list(batches(["a", large, "b"], len)) == [["a"], [large], ["b"]]
