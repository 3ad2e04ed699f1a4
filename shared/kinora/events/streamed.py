"""DynamoDB stream events of the jobs table: the outbox rows in which a committed change tells its events.

An outbox row has pk `job#{id}`, sk `event#…`, kind `event`, and the event as id, type, time (N) and data (JSON).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence

from kinora.errors import InvalidEvent
from kinora.events.fields import json_object, optional, records, required
from kinora.model import Event

_SOURCE = "aws:dynamodb"
_SEQUENCE_DIGITS = 21  # the shortest sequence number that DynamoDB Streams documents


def stream_events(event: Mapping[str, object]) -> tuple[tuple[str, Event], ...]:
    """`(sequence number, event)` of every outbox row written, in the stream's order.

    Other rows and expired ones are left out. Raises InvalidEvent naming what is missing, with the sequence number.
    """
    found = []
    for record in records(event, _SOURCE):
        sequence = required(record, "dynamodb.SequenceNumber", str)
        if required(record, "eventName", str) == "REMOVE" or optional(record, "dynamodb.NewImage.kind.S", str) != "event":
            continue
        found.append((sequence, _outbox_event(sequence, required(record, "dynamodb.NewImage", dict))))
    return tuple(found)


def _outbox_event(sequence: str, row: Mapping[str, object]) -> Event:
    try:
        return Event(
            id=required(row, "id.S", str),
            type=required(row, "type.S", str),
            time=float(required(row, "time.N", str)),
            data=json_object("data", required(row, "data.S", str)),
        )
    except (InvalidEvent, ValueError) as error:
        raise InvalidEvent(f"stream record {sequence}: {error}") from error


def stream_event(rows: Sequence[tuple[int, str, Event]], stream_arn: str) -> dict[str, object]:
    """The event in which Lambda would hand outbox rows to a function.

    `rows` are `(position, job id, event)` as `metadata.base.Outbox.pending` gives them; the sequence number of a row is
    its position in decimal.
    """
    return {"Records": [_stream_record(*row, stream_arn) for row in rows]}


def _stream_record(position: int, job_id: str, event: Event, stream_arn: str) -> dict[str, object]:
    keys = {"pk": {"S": f"job#{job_id}"}, "sk": {"S": f"event#{event.id}"}}
    image = keys | {
        "kind": {"S": "event"},
        "id": {"S": event.id},
        "type": {"S": event.type},
        "time": {"N": repr(event.time)},
        "data": {"S": json.dumps(event.data, separators=(",", ":"), sort_keys=True)},
    }
    return {
        "eventID": hashlib.sha256(f"{position}#{event.id}".encode()).hexdigest()[:32],
        "eventName": "INSERT",
        "eventVersion": "1.1",
        "eventSource": _SOURCE,
        "awsRegion": stream_arn.split(":")[3],
        "dynamodb": {
            "ApproximateCreationDateTime": int(event.time),
            "Keys": keys,
            "NewImage": image,
            "SequenceNumber": str(position).zfill(_SEQUENCE_DIGITS),
            "SizeBytes": len(json.dumps(image)),
            "StreamViewType": "NEW_IMAGE",
        },
        "eventSourceARN": stream_arn,
    }
