"""Sliding windows for rate limits: pure arithmetic on counted requests, shared by the drivers, which keep the rows.

A window is cut into SLICES; a request counts until the whole slice in which it was made lies outside the window. So no span
of the window's length ever holds more than the limit, and the price is a wait that is longer by up to one slice (3 %).
Two fixed windows with a weighted sum would let through up to twice the limit; a log of requests needs a row for each.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

SLICES = 30


@dataclass(frozen=True, slots=True)
class Quota:
    """The answer to one request. `remaining` more would pass now; `reset` is in how many seconds the first of those that are
    counted leaves the window: until then no more than `remaining` pass, afterwards at least one does."""

    allowed: bool
    remaining: int
    reset: float


@dataclass(frozen=True, slots=True)
class Counted:
    """Requests by the number of the slice in which they were made; `newest` is the latest slice anybody has counted in."""

    newest: int
    counts: Mapping[int, int]

    @property
    def total(self) -> int:
        return sum(self.counts.values())


def slice_at(now: float, window: int) -> int:
    return int(now * SLICES / window)


def expiry(newest: int, window: int) -> float:
    """When nothing that was counted up to the slice `newest` matters any more, in seconds since the Unix epoch."""
    return (newest + SLICES + 1) * window / SLICES


def counted_at(stored: Counted, window: int, now: float) -> Counted:
    """What of `stored` still counts at `now`. A clock behind that of whoever counted last is taken to be as late."""
    newest = max(stored.newest, slice_at(now, window))
    return Counted(newest, {n: count for n, count in stored.counts.items() if n >= newest - SLICES})


def with_one_more(counted: Counted) -> Counted:
    return Counted(counted.newest, {**counted.counts, counted.newest: counted.counts.get(counted.newest, 0) + 1})


def allowed(after: Counted, limit: int, window: int, now: float) -> Quota:
    """The answer to a request that is counted in `after`."""
    return Quota(True, max(0, limit - after.total), expiry(min(after.counts), window) - now)


def refused(counted: Counted, limit: int, window: int, now: float) -> Quota:
    """The answer to a request that is not counted, because `counted` reaches the limit."""
    left = counted.total
    for n in sorted(counted.counts):
        left -= counted.counts[n]
        if left < limit:
            return Quota(False, 0, expiry(n, window) - now)
    raise ValueError("a limit below 1 lets nothing pass")
