"""Where committed events go: EventBridge on AWS, a feed in the local database offline. Only the notify use case publishes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from kinora.model import Event


class EventBus(Protocol):
    def publish(self, events: Sequence[Event]) -> None:
        """Publish in order; publishing an event id again is harmless. Raises Unavailable."""


class EventFeed(Protocol):
    """Optional ability of a local driver: what was published, to be read by position."""

    def latest(self) -> int:
        """The position of the event published last; 0 if there never was one. Raises Unavailable."""

    def after(self, position: int, limit: int = 100) -> tuple[tuple[int, Event], ...]:
        """`(position, event)` of up to `limit` events published after `position`, in order. Raises Unavailable."""
