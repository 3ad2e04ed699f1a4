"""Reading named fields out of events that nobody has checked yet; every other event module reads through here."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import TypeVar

from kinora.errors import InvalidEvent

T = TypeVar("T")


def required(source: object, path: str, kind: type[T]) -> T:
    """The value at the dotted `path`; raises InvalidEvent naming the path if it is missing or not a `kind`."""
    value = optional(source, path, kind)
    if value is None:
        raise InvalidEvent(f"the event has no {path}")
    return value


def optional(source: object, path: str, kind: type[T]) -> T | None:
    """Like `required`, but None where the value is missing or null."""
    value = source
    for name in path.split("."):
        if value is None:
            return None
        if not isinstance(value, Mapping):
            raise InvalidEvent(f"the event has no object around {name} of {path}")
        value = value.get(name)
    if value is None:
        return None
    if not isinstance(value, kind) or isinstance(value, bool):
        raise InvalidEvent(f"{path} of the event is a {type(value).__name__}, not a {kind.__name__}")
    return value


def records(event: object, source: str) -> tuple[Mapping[str, object], ...]:
    """The event's `Records`, all of which must come from the event source `source` (`aws:s3`); raises InvalidEvent."""
    found = []
    for index, record in enumerate(required(event, "Records", list)):
        if not isinstance(record, Mapping):
            raise InvalidEvent(f"Records[{index}] of the event is a {type(record).__name__}, not an object")
        if required(record, "eventSource", str) != source:
            raise InvalidEvent(f"Records[{index}] of the event comes from {record['eventSource']!r}, not from {source}")
        found.append(record)
    return tuple(found)


def json_object(name: str, text: str) -> dict[str, object]:
    """The JSON object that the field `name` holds as `text`; raises InvalidEvent."""
    try:
        value = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise InvalidEvent(f"{name} is not JSON: {error}") from error
    if not isinstance(value, dict):
        raise InvalidEvent(f"{name} is a JSON {type(value).__name__}, not an object")
    return value


def read_time(text: str) -> float:
    """Seconds since the epoch of an ISO 8601 time; a time without a zone is UTC. Raises InvalidEvent."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise InvalidEvent(f"{text!r} is not a time") from error
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()


def write_time(seconds: float, precision: str) -> str:
    """ISO 8601 in UTC ending with Z; `precision` is `seconds` or `milliseconds`."""
    rounded = round(seconds * 1000) / 1000
    return datetime.fromtimestamp(rounded, UTC).replace(tzinfo=None).isoformat(timespec=precision) + "Z"
