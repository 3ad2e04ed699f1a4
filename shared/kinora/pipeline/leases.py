"""Who makes a segment at this moment: leases by name, so that of several who want the same one only one encodes it.

Used on demand and by the first encode task; a holder that was killed loses its lease after a while.
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager

from kinora.media.plan import Plan
from kinora.services import Services

LEASE_SECONDS = 60.0  # longer than any segment takes
FIRST_SEGMENTS = 2  # of each track: what players fetch before they show anything
_LOOK_SECONDS = 0.1  # between two attempts


@contextmanager
def lease(services: Services, name: str, *, wait: float = 0.0) -> Iterator[bool]:
    """Hold the lease while the block runs; False if somebody else has it still after `wait` seconds."""
    owner = uuid.uuid4().hex
    give_up = time.monotonic() + wait
    while not (is_held := _acquire(services, name, owner)) and time.monotonic() < give_up:
        time.sleep(_LOOK_SECONDS)
    try:
        yield is_held
    finally:
        if is_held:
            services.leases.release(name, owner)


def segment_lease(services: Services, plan: Plan, track: str, n: int | None) -> tuple[str, list[str]]:
    """The name of the lease under which segment `n` of `track` is made, and the tracks of which it is made then.

    The first segments are made of all H.264 renditions at once, from one decode: many players look at every one of them before
    they show anything. Not so when nothing is encoded that is not watched.
    """
    together = [one.track for one in plan.renditions if one.codec == "h264" and not one.copied]
    if n is not None and n < FIRST_SEGMENTS and track in together and services.settings.encode == "eager":
        return f"segment#{plan.hash}/video/{n}", together
    return f"segment#{plan.hash}/{track}/{n}", [track]


def _acquire(services: Services, name: str, owner: str) -> bool:
    now = services.clock()
    return services.leases.acquire(name, owner, now + LEASE_SECONDS, now)
