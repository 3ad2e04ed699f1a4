"""Sending many small things in the requests that AWS accepts. Called by the SQS and EventBridge drivers."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

from kinora.errors import Unavailable

T = TypeVar("T")

MAX_ENTRIES = 10
MAX_BYTES = 256 * 1024
ATTEMPTS = 4
PAUSE_SECONDS = 0.1  # doubled after each attempt


def batches(items: Iterable[T], size: Callable[[T], int]) -> Iterator[list[T]]:
    """Lists of `items` in their order, each of at most 10 entries and 256 KiB; `size` gives the bytes of one."""
    batch: list[T] = []
    filled = 0
    for item in items:
        if batch and (len(batch) == MAX_ENTRIES or filled + size(item) > MAX_BYTES):
            yield batch
            batch, filled = [], 0
        batch.append(item)
        filled += size(item)
    if batch:
        yield batch


def send_whole(batch: list[T], send: Callable[[list[T]], list[T]]) -> None:
    """Send a batch by `send`, which returns the entries that were not accepted, until all are.

    Raises Unavailable when some are still refused after four attempts; the others have been sent then.
    """
    left = batch
    for attempt in range(ATTEMPTS):
        left = send(left)
        if not left:
            return
        if attempt < ATTEMPTS - 1:
            time.sleep(PAUSE_SECONDS * 2**attempt)
    raise Unavailable(f"{len(left)} of {len(batch)} entries were not accepted after {ATTEMPTS} attempts")
