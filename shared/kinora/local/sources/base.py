"""What the dispatcher knows of an event source: it gives work, and hears how the work ended. One module for each kind."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from kinora.local.pool import Outcome
from kinora.queues.base import QueueReceiver


@dataclass(frozen=True, slots=True)
class Work:
    """One invocation to make. `settle` is called once with its outcome, from the thread that made it."""

    function: str
    event: Mapping[str, Any]
    settle: Callable[[Outcome], None]


class Source(Protocol):
    """An event source. `take` is called by one thread at a time, `settle` of its work by any.

    Work of a `background` source never keeps the worker that is reserved for short work busy.
    """

    background: bool

    def take(self) -> Work | None:
        """The next invocation that is due, or None."""


class LocalQueues(QueueReceiver, Protocol):
    """What local mode needs of the queue driver beside receiving."""

    def send_to(self, queue: str, body: str) -> None:
        """Put a message into a queue by the queue's own name."""

    def give_back(self, queue: str, receipt: str, timeout: int) -> bool:
        """As `change_visibility`, without counting the receive: the worker was killed."""


@dataclass(frozen=True, slots=True)
class Chaos:
    """What AWS is allowed to do and rarely does: deliver everything twice, and S3 events in any order."""

    deliver_twice: bool = False
    shuffle: bool = False


def backoff(failures: int, longest: float = 60.0) -> float:
    """Seconds until the next attempt after `failures` failures: 2, 4, 8 …, a little random so that attempts spread."""
    return float(min(2**failures, longest)) * random.uniform(0.75, 1.0)  # noqa: S311 - not for secrets


def failed_items(response: object, identifiers: list[str]) -> list[str]:
    """Which of `identifiers` the answer to a batch reports as failed, by AWS's rules: an answer that cannot be understood
    or names something unknown means all of them; an empty one means none."""
    if response is None:
        return []
    if not isinstance(response, dict):
        return identifiers
    failures = response.get("batchItemFailures")
    if failures is None:
        return []
    try:
        named = [failure["itemIdentifier"] for failure in failures]
    except (TypeError, KeyError):
        return identifiers
    return named if set(named) <= set(identifiers) else identifiers
