"""Working through a batch of queue messages one by one. Called by the pipeline; never decides what a message means."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping

from kinora.events import QueueRecord, queue_records

_logger = logging.getLogger("kinora")


def run_each(event: Mapping[str, object], perform: Callable[[QueueRecord], None]) -> dict[str, list[dict[str, str]]]:
    """Perform every message of an SQS event and answer which ones failed, in SQS's form of partial batch failures.

    A failure is logged once and never touches the message's neighbours: SQS keeps the failed ones, deletes the others.
    A message that cannot be understood is not performed and counts as failed, so it ends among the dead letters.
    Raises InvalidEvent if `event` is no SQS event.
    """
    failed = [record.message_id for record in queue_records(event) if not _performed(record, perform)]
    return {"batchItemFailures": [{"itemIdentifier": message_id} for message_id in failed]}


def _performed(record: QueueRecord, perform: Callable[[QueueRecord], None]) -> bool:
    try:
        perform(_understood(record))
    except Exception:
        _logger.exception(
            "a queue message failed", extra={"message_id": record.message_id, "receive_count": record.receive_count}
        )
        return False
    return True


def _understood(record: QueueRecord) -> QueueRecord:
    if record.error is not None:
        raise record.error
    return record
