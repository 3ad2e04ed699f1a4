"""Committed changes become events: outbox rows, handed over by the jobs table's stream, are published to the event bus."""

from __future__ import annotations

from collections.abc import Mapping

from kinora.errors import KinoraError
from kinora.events import stream_events
from kinora.observability import logger
from kinora.services import Services


def notify_stream(services: Services, event: Mapping[str, object]) -> dict[str, object]:
    """Publish the events of a stream batch in order. The answer names the first one that failed; the stream is then
    delivered again from there."""
    for position, committed in stream_events(event):
        try:
            services.event_bus.publish([committed])
        except KinoraError as error:
            logger.warning("publishing failed", extra={"event": committed.id, "code": error.code})
            return {"batchItemFailures": [{"itemIdentifier": position}]}
    return {"batchItemFailures": []}
