"""SQS events, in the form in which Lambda hands a batch of messages to a function."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from kinora.errors import InvalidEvent
from kinora.events.fields import json_object, records, required

_SOURCE = "aws:sqs"


@dataclass(frozen=True, slots=True)
class QueueRecord:
    """One message of a batch. `receive_count` starts at 1.

    A message that can never be understood has an empty `body` and says why in `error`, so that its neighbours in the
    batch are not held up.
    """

    message_id: str
    body: Mapping[str, object]
    receive_count: int
    error: InvalidEvent | None = None


class ReceivedMessage(Protocol):
    """What a queue driver knows about a received message (`queues.base.Message`)."""

    @property
    def id(self) -> str: ...
    @property
    def receipt(self) -> str: ...
    @property
    def body(self) -> str: ...
    @property
    def receive_count(self) -> int: ...
    @property
    def sent_at(self) -> float: ...
    @property
    def first_received_at(self) -> float: ...


def queue_records(event: Mapping[str, object]) -> tuple[QueueRecord, ...]:
    """The messages of an SQS event, in its order. Raises InvalidEvent if it is no SQS event or a message has no id."""
    return tuple(_queue_record(record) for record in records(event, _SOURCE))


def comes_from_queue(event: Mapping[str, object]) -> bool:
    """Whether the event is in the form of a batch of messages."""
    found = event.get("Records")
    first = found[0] if isinstance(found, list) and found else None
    return isinstance(first, Mapping) and first.get("eventSource") == _SOURCE


def failed_event(body: Mapping[str, object]) -> Mapping[str, object]:
    """The event that an asynchronous invocation was given up with, of the record that Lambda sends to a function's OnFailure
    destination. Raises InvalidEvent."""
    return required(body, "requestPayload", dict)


def _queue_record(record: Mapping[str, object]) -> QueueRecord:
    message_id = required(record, "messageId", str)
    try:
        count = int(required(record, "attributes.ApproximateReceiveCount", str))
        return QueueRecord(message_id, json_object("body", required(record, "body", str)), count)
    except (InvalidEvent, ValueError) as problem:
        error = InvalidEvent(f"message {message_id}: {problem}")
        return QueueRecord(message_id, {}, 1, error)


def sqs_event(messages: Sequence[ReceivedMessage], queue_arn: str) -> dict[str, object]:
    """The event in which Lambda would hand `messages` of one queue to a function."""
    return {"Records": [_sqs_record(message, queue_arn) for message in messages]}


def _sqs_record(message: ReceivedMessage, queue_arn: str) -> dict[str, object]:
    return {
        "messageId": message.id,
        "receiptHandle": message.receipt,
        "body": message.body,
        "attributes": {
            "ApproximateReceiveCount": str(message.receive_count),
            "SentTimestamp": str(round(message.sent_at * 1000)),
            "SenderId": "LOCAL",
            "ApproximateFirstReceiveTimestamp": str(round(message.first_received_at * 1000)),
        },
        "messageAttributes": {},
        "md5OfBody": hashlib.md5(message.body.encode(), usedforsecurity=False).hexdigest(),
        "eventSource": _SOURCE,
        "eventSourceARN": queue_arn,
        "awsRegion": queue_arn.split(":")[3],
    }
