"""The jobs table's stream: committed outbox rows in order, one batch at a time, retried from the first one that failed."""

from __future__ import annotations

import json
import logging
import threading
import time
from collections.abc import Mapping, Sequence
from typing import Any

from kinora.events import stream_event
from kinora.local.plan import StreamTrigger
from kinora.local.pool import Outcome
from kinora.local.sources.base import LocalQueues, Work, backoff, failed_items
from kinora.local.sources.filters import matches
from kinora.metadata.base import Outbox
from kinora.model import Event

_logger = logging.getLogger("kinora.local")

Row = tuple[int, str, Event]


class StreamSource:
    """One DynamoDB trigger on the outbox of the local database."""

    background = False

    def __init__(self, trigger: StreamTrigger, outbox: Outbox, queues: LocalQueues) -> None:
        self._trigger = trigger
        self._outbox = outbox
        self._queues = queues
        self._arn = f"arn:aws:dynamodb:local:000000000000:table/{trigger.table}/stream/local"
        self._lock = threading.Lock()
        self._busy = False
        self._failures = 0
        self._not_before = 0.0

    def take(self) -> Work | None:
        with self._lock:
            if self._busy or time.monotonic() < self._not_before:
                return None
            # After a failure one row at a time, so that one bad row is found and does not take its neighbours with it.
            rows = self._outbox.pending(1 if self._failures else self._trigger.batch_size)
            wanted = [row for row in rows if self._wants(row)]
            self._outbox.delivered([row[0] for row in rows if row not in wanted])
            if not wanted:
                return None
            self._busy = True
        return Work(self._trigger.function, stream_event(wanted, self._arn), lambda outcome: self._settle(wanted, outcome))

    def _wants(self, row: Row) -> bool:
        record: Mapping[str, Any] = stream_event([row], self._arn)["Records"][0]  # type: ignore[index]  # built one line above
        return not self._trigger.filters or any(matches(pattern, record) for pattern in self._trigger.filters)

    def _settle(self, rows: Sequence[Row], outcome: Outcome) -> None:
        try:
            if not outcome.abandoned:
                self._advance(rows, outcome)
        finally:
            with self._lock:
                self._busy = False

    def _advance(self, rows: Sequence[Row], outcome: Outcome) -> None:
        if outcome.killed:
            self._not_before = time.monotonic() + backoff(1)
            return
        done = self._delivered(rows, outcome)
        self._outbox.delivered([position for position, _, _ in rows[:done]])
        if done == len(rows):
            self._failures = 0
            return
        self._failures = 1 if done else self._failures + 1
        if len(rows) == 1 and 0 <= self._trigger.retries < self._failures:
            self._give_up(rows[0])
            return
        self._not_before = time.monotonic() + backoff(self._failures)

    def _delivered(self, rows: Sequence[Row], outcome: Outcome) -> int:
        """How many of the first rows went through."""
        if not outcome.is_ok:
            return 0
        if not self._trigger.partial_failures:
            return len(rows)
        numbers = [record["dynamodb"]["SequenceNumber"] for record in stream_event(rows, self._arn)["Records"]]  # type: ignore[attr-defined]
        failed = failed_items(outcome.response, numbers)
        return min((numbers.index(number) for number in failed), default=len(rows))

    def _give_up(self, row: Row) -> None:
        position, _, event = row
        _logger.error("%s gave up on event %s", self._trigger.function, event.id)
        if self._trigger.dead_letters is not None:
            self._queues.send_to(
                self._trigger.dead_letters, _failure_record(self._trigger, self._arn, position, self._failures)
            )
        self._outbox.delivered([position])
        self._failures = 0


def _failure_record(trigger: StreamTrigger, arn: str, position: int, failures: int) -> str:
    """Lambda's record for a stream's OnFailure destination: it names the batch instead of holding it."""

    number = str(position)
    return json.dumps(
        {
            "requestContext": {
                "functionArn": f"arn:aws:lambda:local:000000000000:function:{trigger.function}",
                "condition": "RetryAttemptsExhausted",
                "approximateInvokeCount": failures,
            },
            "version": "1.0",
            "DDBStreamBatchInfo": {
                "shardId": "local",
                "startSequenceNumber": number,
                "endSequenceNumber": number,
                "batchSize": 1,
                "streamArn": arn,
            },
        }
    )
