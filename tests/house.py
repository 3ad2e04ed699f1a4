"""A whole Kinora in a temporary folder: real drivers, doors called by hand. For tests of use cases and of the API."""

from __future__ import annotations

import dataclasses
import itertools
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from kinora.bootstrap import build
from kinora.events import ObjectEvent, s3_event
from kinora.metadata.sqlite import SqliteMetadata
from kinora.model import Event, Job, Scope
from kinora.pipeline.ingest import ingest_event
from kinora.pipeline.tasks import run_batch
from kinora.secrets.base import SecretName
from kinora.services import Services
from kinora.settings import Settings

HOUR = 3_600_000


class House:
    """`services` with helpers that play the parts of S3 and SQS."""

    def __init__(self, services: Services) -> None:
        self.services = services
        self._sequence = itertools.count(1)
        self.api_key, _ = services.secrets.ensure(SecretName.API_KEY)
        services.secrets.ensure(SecretName.SIGNING_KEYS)
        services.secrets.ensure(SecretName.KEY_ENCRYPTION_KEYS)

    def put(self, name: str, data: bytes) -> dict[str, object]:
        """Store an original and return the event that S3 sends of it."""
        key = f"uploads/{name}"
        info = self.services.storage.put(Scope.SOURCE, key, data)
        return self.created(key, info.size, info.etag)

    def created(self, key: str, size: int | None = None, etag: str | None = None) -> dict[str, object]:
        return self.event("ObjectCreated:Put", key, size=size, etag=etag)

    def remove(self, name: str) -> dict[str, object]:
        key = f"uploads/{name}"
        self.services.storage.delete(Scope.SOURCE, key)
        return self.event("ObjectRemoved:Delete", key)

    def event(self, name: str, key: str, size: int | None = None, etag: str | None = None) -> dict[str, object]:
        sequencer = f"{next(self._sequence):016X}"
        created = name.startswith("ObjectCreated")
        return s3_event(ObjectEvent(created, name, "source", key, size, etag, sequencer, None, 1_700_000_000.0))

    def ingest(self, *events: dict[str, object]) -> list[str]:
        return [outcome for event in events for outcome in ingest_event(self.services, event)["outcomes"]]

    def waiting(self, queue: str) -> list[dict[str, object]]:
        """The bodies of the visible messages."""
        return [json.loads(message.body) for message in self.services.queues.peek(queue, 1000)]

    def work(self, *queues: str, limit: int = 1000, remaining: Callable[[], int] = lambda: HOUR) -> int:
        """Perform messages until the queues are empty, as Lambda would; returns how many were performed."""
        performed = 0
        while performed < limit:
            taken = next(
                ((queue, found) for queue in queues or ("image", "prepare", "encode") if (found := self._take(queue))), None
            )
            if taken is None:
                break
            queue, message = taken
            performed += 1
            answer = run_batch(self.services, sqs_record(message, message.receive_count), remaining)
            if answer["batchItemFailures"]:
                self.services.queues.change_visibility(queue, message.receipt, 0)
            else:
                self.services.queues.delete(queue, message.receipt)
        return performed

    def _take(self, queue: str):
        found = self.services.queues.receive(queue, 1)
        return found[0] if found else None

    def jobs(self) -> list[Job]:
        return list(self.services.jobs.list(limit=200).items)

    def job(self) -> Job:
        (job,) = self.jobs()
        return job

    def announced(self) -> list[Event]:
        """The events in the outbox."""
        metadata = SqliteMetadata(Path(self.services.settings.data) / "kinora.db")
        try:
            return [event for _, _, event in metadata.outbox.pending()]
        finally:
            metadata.close()

    def objects(self) -> list[str]:
        return [info.key for info in self.services.storage.list(Scope.MEDIA)]


def sqs_record(message, receive_count: int) -> dict[str, object]:
    attributes = {"ApproximateReceiveCount": str(receive_count)}
    record = {"messageId": message.id, "receiptHandle": message.receipt, "body": message.body, "attributes": attributes}
    return {"Records": [record | {"eventSource": "aws:sqs", "eventSourceARN": "arn:aws:sqs:local:000000000000:image"}]}


@contextmanager
def house(folder: Path, clock: Callable[[], float] | None = None, **environ: str) -> Iterator[House]:
    """`environ` are settings by variable name without `KINORA_`."""
    variables = {f"KINORA_{name.upper()}": value for name, value in environ.items()}
    services = build(Settings.from_env({"KINORA_DATA": str(folder), **variables}))
    if clock is not None:
        services = dataclasses.replace(services, clock=clock)
    try:
        yield House(services)
    finally:
        services.close()
