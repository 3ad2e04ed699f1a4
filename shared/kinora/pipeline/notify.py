"""Committed changes become events: outbox rows, handed over by the jobs table's stream, are published to the event bus and
sent to webhooks. Called by the notify door, which also receives the queue of deliveries.
"""

from __future__ import annotations

from collections.abc import Mapping

from kinora.errors import KinoraError
from kinora.events import comes_from_queue, stream_events
from kinora.observability import logger
from kinora.pipeline.webhook_deliveries import announce, deliver
from kinora.pipeline.webhooks import all_webhooks
from kinora.queues.batch import run_each
from kinora.services import Services


def notify(services: Services, event: Mapping[str, object]) -> Mapping[str, object]:
    """Do what a stream batch or a batch of deliveries asks for; the answer says what to try again."""
    if comes_from_queue(event):
        return run_each(event, lambda record: deliver(services, record.body))
    return notify_stream(services, event)


def notify_stream(services: Services, event: Mapping[str, object]) -> dict[str, object]:
    """Tell of the events of a stream batch in order. The answer names the first one that failed; the stream is then
    delivered again from there."""
    webhooks = None
    for position, committed in stream_events(event):
        try:
            services.event_bus.publish([committed])
            webhooks = all_webhooks(services) if webhooks is None else webhooks
            announce(services, committed, webhooks)
        except KinoraError as error:
            logger.warning("publishing failed", extra={"event": committed.id, "code": error.code})
            return {"batchItemFailures": [{"itemIdentifier": position}]}
    return {"batchItemFailures": []}
