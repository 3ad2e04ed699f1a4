"""S3 event notifications: what was created or removed in a bucket, and in which order.

The form is the notification message structure of the Amazon S3 User Guide, version 2.1.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import quote_plus, unquote_plus

from kinora.errors import InvalidEvent
from kinora.events.fields import optional, read_time, records, required, write_time

_SOURCE = "aws:s3"
_CREATED = ("ObjectCreated:",)
_REMOVED = ("ObjectRemoved:", "LifecycleExpiration:")


@dataclass(frozen=True, slots=True)
class ObjectEvent:
    """An object was created or removed. `name` is S3's (`ObjectCreated:Put`, `ObjectRemoved:DeleteMarkerCreated`).

    `key` is decoded, `size` is in bytes, `sequencer` is the hexadecimal order of events of one key ("" where S3 sends
    none). In a versioned bucket `version` is the version created, the delete marker, or the one version deleted: then
    another version may be what the key shows now.
    """

    created: bool
    name: str
    bucket: str
    key: str
    size: int | None
    etag: str | None
    sequencer: str
    version: str | None
    time: float


def object_events(event: Mapping[str, object]) -> tuple[ObjectEvent, ...]:
    """The creations and removals that an S3 notification tells of, in its order.

    The test event of a new notification configuration and records of other kinds (tagging, restore) give nothing.
    Raises InvalidEvent naming what is missing or wrong.
    """
    if event.get("Event") == "s3:TestEvent":
        return ()
    found = (_object_event(record) for record in records(event, _SOURCE))
    return tuple(one for one in found if one is not None)


def _object_event(record: Mapping[str, object]) -> ObjectEvent | None:
    name = required(record, "eventName", str).removeprefix("s3:")
    if not name.startswith(_CREATED + _REMOVED):
        return None
    size = optional(record, "s3.object.size", int)
    if size is not None and size < 0:
        raise InvalidEvent(f"s3.object.size of the event is {size}")
    return ObjectEvent(
        created=name.startswith(_CREATED),
        name=name,
        bucket=required(record, "s3.bucket.name", str),
        key=_decoded(required(record, "s3.object.key", str)),
        size=size,
        etag=optional(record, "s3.object.eTag", str),
        sequencer=_sequencer(optional(record, "s3.object.sequencer", str) or ""),
        version=optional(record, "s3.object.versionId", str),
        time=read_time(required(record, "eventTime", str)),
    )


def _decoded(key: str) -> str:
    try:
        return unquote_plus(key, errors="strict")
    except UnicodeDecodeError as error:
        raise InvalidEvent(f"s3.object.key of the event is not UTF-8: {key!r}") from error


def _sequencer(text: str) -> str:
    if not set(text) <= set("0123456789abcdefABCDEF"):
        raise InvalidEvent(f"s3.object.sequencer of the event is not hexadecimal: {text!r}")
    return text


def s3_event(event: ObjectEvent, region: str = "local") -> dict[str, object]:
    """The notification in which S3 would tell of `event`; `object_events` gives `event` back (times to 1 ms)."""
    request = hashlib.sha256(f"{event.bucket}/{event.key}#{event.sequencer}".encode()).hexdigest().upper()
    record = {
        "eventVersion": "2.1",
        "eventSource": _SOURCE,
        "awsRegion": region,
        "eventTime": write_time(event.time, "milliseconds"),
        "eventName": event.name,
        "userIdentity": {"principalId": "AWS:LOCAL"},
        "requestParameters": {"sourceIPAddress": "127.0.0.1"},
        "responseElements": {"x-amz-request-id": request[:16], "x-amz-id-2": request[16:]},
        "s3": {
            "s3SchemaVersion": "1.0",
            "configurationId": "uploads",
            "bucket": {
                "name": event.bucket,
                "ownerIdentity": {"principalId": "LOCAL"},
                "arn": f"arn:aws:s3:::{event.bucket}",
            },
            "object": _s3_object(event),
        },
    }
    return {"Records": [record]}


def _s3_object(event: ObjectEvent) -> dict[str, object]:
    fields = {
        "key": quote_plus(event.key, safe="/"),
        "size": event.size,
        "eTag": event.etag,
        "versionId": event.version,
        "sequencer": event.sequencer or None,
    }
    return {name: value for name, value in fields.items() if value is not None}
