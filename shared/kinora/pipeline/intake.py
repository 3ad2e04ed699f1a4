"""What the ingest function is invoked with: an S3 notification, or a batch of those that failed before and waited in a queue.

Called by its door only; `ingest` takes them in.
"""

from __future__ import annotations

from collections.abc import Mapping

from kinora.events import QueueRecord, comes_from_queue, failed_event
from kinora.pipeline.ingest import ingest_event
from kinora.queues.batch import run_each
from kinora.services import Services


def take_in(services: Services, event: Mapping[str, object]) -> Mapping[str, object]:
    """Take in an S3 notification, and raise the error that Lambda shall try again for; of a batch say which ones shall stay in
    the queue."""
    if not comes_from_queue(event):
        return ingest_event(services, event)

    def again(record: QueueRecord) -> None:
        ingest_event(services, failed_event(record.body))

    return run_each(event, again)
