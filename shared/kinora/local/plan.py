"""The plan of this installation as frozen dataclasses: functions, queues and what triggers what, as template.yaml says it.

Made by `reading.read_plan`; the dispatcher and the watcher act on it and `kinora plan` prints it. Times are in seconds.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from kinora.errors import InvalidInput
from kinora.local.intrinsics import local_name
from kinora.queues.base import QueueSpec


@dataclass(frozen=True, slots=True)
class Function:
    """One Lambda function. `retries` and `dead_letters` are those of asynchronous invocations; `memory` is in MB."""

    name: str
    code: Path
    handler: str
    timeout: int
    memory: int
    environment: Mapping[str, str] = field(default_factory=dict)
    retries: int = 2
    dead_letters: str | None = None


@dataclass(frozen=True, slots=True)
class S3Trigger:
    """Events of `bucket` that match a pattern of `events` (`s3:ObjectCreated:*`) and the key filter invoke `function`."""

    function: str
    bucket: str
    events: tuple[str, ...]
    prefix: str = ""
    suffix: str = ""

    def matches(self, event_name: str, key: str) -> bool:
        """`event_name` as in a record, without `s3:`."""
        wanted = any(fnmatchcase(f"s3:{event_name}", pattern) for pattern in self.events)
        return wanted and key.startswith(self.prefix) and key.endswith(self.suffix)


@dataclass(frozen=True, slots=True)
class QueueTrigger:
    """Messages of `queue` (its local name) in batches; `partial_failures` means ReportBatchItemFailures."""

    function: str
    queue: str
    batch_size: int = 10
    partial_failures: bool = False


@dataclass(frozen=True, slots=True)
class StreamTrigger:
    """Changes of `table` that match one of `filters` (event patterns; none: all); `retries` −1 is until they expire."""

    function: str
    table: str
    batch_size: int = 100
    filters: tuple[Mapping[str, Any], ...] = ()
    partial_failures: bool = False
    retries: int = -1
    dead_letters: str | None = None


@dataclass(frozen=True, slots=True)
class ScheduleTrigger:
    """Invoke `function` every `seconds`; `name` is the event's logical name."""

    function: str
    name: str
    seconds: int


@dataclass(frozen=True, slots=True)
class HttpTrigger:
    function: str
    method: str
    path: str


@dataclass(frozen=True, slots=True)
class Plan:
    """The whole wiring. Disabled triggers are left out."""

    template: Path
    functions: Mapping[str, Function]
    queues: tuple[QueueSpec, ...] = ()
    s3: tuple[S3Trigger, ...] = ()
    queue: tuple[QueueTrigger, ...] = ()
    stream: tuple[StreamTrigger, ...] = ()
    schedule: tuple[ScheduleTrigger, ...] = ()
    http: tuple[HttpTrigger, ...] = ()

    def function(self, name: str) -> Function:
        """By logical name (`ImageFunction`), by the name that the template's own references give (`image-function`) or by that
        of its folder (`image`); raises InvalidInput with the choices."""
        for function in self.functions.values():
            if name in {function.name, local_name(function.name), function.code.name}:
                return function
        choices = ", ".join(sorted(self.functions))
        raise InvalidInput(f"no function {name}", public_message=f"There is no function {name!r}; there are {choices}.")
