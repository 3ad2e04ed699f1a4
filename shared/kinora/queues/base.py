"""The queue protocols, in the terms of Amazon SQS. Senders are used by the pipeline; receivers only by local mode, since
on AWS Lambda's event source mapping receives."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol


class QueueName(StrEnum):
    """The queues that use cases send to; settings map each to a queue's name or URL."""

    IMAGE = "image"
    PREPARE = "prepare"
    ENCODE = "encode"
    WEBHOOK = "webhook"


@dataclass(frozen=True, slots=True)
class Message:
    """One received message. `receipt` is valid until the visibility timeout has passed; `receive_count` starts at 1."""

    id: str
    receipt: str
    body: str
    receive_count: int
    sent_at: float
    first_received_at: float


@dataclass(frozen=True, slots=True)
class QueueSpec:
    """The numbers of one queue, as the template states them. Times in seconds."""

    name: str
    visibility_timeout: int = 30
    retention: int = 345_600
    max_receive_count: int | None = None
    dead_letter_queue: str | None = None


@dataclass(frozen=True, slots=True)
class QueueDepth:
    visible: int
    in_flight: int
    delayed: int


@dataclass(frozen=True, slots=True)
class QueueBacklog:
    """What waits in one queue; `oldest_seconds` is the age of its oldest message, 0 if it has none."""

    queue: str
    depth: QueueDepth
    oldest_seconds: float


class QueueSender(Protocol):
    def send(self, queue: QueueName, bodies: Sequence[Mapping[str, object]], *, delay: int = 0) -> None:
        """Send each body as one JSON message, visible after `delay` seconds (0 to 900). Raises Unavailable; some
        messages may then have been sent, so receivers are idempotent."""

    def check(self) -> None:
        """Raise Unavailable unless every queue can be reached (used by /readyz)."""


class Backlog(Protocol):
    """Optional ability of a local driver."""

    def backlog(self) -> tuple[QueueBacklog, ...]:
        """Every queue that was declared or has messages, by name. Raises Unavailable."""


class QueueReceiver(Protocol):
    """Queues by their own name (as in QueueSpec)."""

    def receive(self, queue: str, limit: int = 1) -> tuple[Message, ...]:
        """Take up to `limit` visible messages, oldest first, and hide them for the visibility timeout. A message
        received `max_receive_count` times already moves to the dead-letter queue instead."""

    def delete(self, queue: str, receipt: str) -> bool:
        """Acknowledge; False if the receipt is no longer the latest one."""

    def change_visibility(self, queue: str, receipt: str, timeout: int) -> bool:
        """Hide for `timeout` seconds from now on (0: visible at once); False as in `delete`."""

    def depth(self, queue: str) -> QueueDepth: ...
