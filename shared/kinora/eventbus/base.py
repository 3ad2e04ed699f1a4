"""Where committed events go: EventBridge on AWS, a feed in the local database offline. Only the notify use case publishes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from kinora.model import Event


class EventBus(Protocol):
    def publish(self, events: Sequence[Event]) -> None:
        """Publish in order; publishing an event id again is harmless. Raises Unavailable."""
