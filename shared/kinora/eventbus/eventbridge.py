"""Publishing to an Amazon EventBridge bus, whose rules pick events by their detail type.

Published to by the notify use case only.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from kinora.aws_batches import batches, send_whole
from kinora.errors import Unavailable
from kinora.model import Event

SOURCE = "kinora"
_CONFIG = Config(connect_timeout=5, read_timeout=25, retries={"mode": "standard", "max_attempts": 4})
_ENTRY_OVERHEAD = 1024  # bytes, more than everything beside the detail that EventBridge counts


class EventBridgeBus:
    """EventBus on EventBridge. The detail of an event is `{"id", "time", "data"}`; EventBridge may deliver an event
    twice or out of order, and subscribers tell by its id."""

    def __init__(self, bus_name: str) -> None:
        self._bus_name = bus_name
        self._client: Any = boto3.client("events", config=_CONFIG)  # no stubs are installed for this service

    def publish(self, events: Sequence[Event]) -> None:
        """As in EventBus; when it raises Unavailable, some of the events may have been published."""
        for batch in batches([self._entry(event) for event in events], _size):
            send_whole(batch, self._refused)

    def close(self) -> None:
        """Close the connections; the object cannot be used afterwards."""
        self._client.close()

    def _entry(self, event: Event) -> dict[str, object]:
        return {
            "EventBusName": self._bus_name,
            "Source": SOURCE,
            "DetailType": event.type,
            "Time": datetime.fromtimestamp(event.time, UTC),
            "Detail": json.dumps({"id": event.id, "time": event.time, "data": dict(event.data)}, separators=(",", ":")),
        }

    def _refused(self, entries: list[dict[str, object]]) -> list[dict[str, object]]:
        try:
            results = self._client.put_events(Entries=entries)["Entries"]
        except (ClientError, BotoCoreError) as error:
            raise Unavailable(f"event bus {self._bus_name}: {error}") from error
        return [entry for entry, result in zip(entries, results, strict=True) if result.get("ErrorCode")]


def _size(entry: dict[str, object]) -> int:
    return len(str(entry["Detail"])) + _ENTRY_OVERHEAD
