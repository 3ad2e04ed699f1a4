"""A house on a small stack: its handlers do what the events tell them, and note what they saw in a file."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from kinora.local.house import House, Options
from kinora.local.invocations import add_invocation
from kinora.local.lock import InstanceLock
from kinora.local.plan import Plan
from kinora.local.tables import open_tables
from kinora.metadata.sqlite import SqliteMetadata
from kinora.model import Event, Job, Kind
from kinora.queues.base import QueueName
from kinora.queues.sqlite import SqliteQueues
from kinora.settings import Settings
from tests.unit.local.small_stack import small_plan

NOTE = """
import json, os, time

def note(*what):
    with open(os.path.join(os.environ["KINORA_DATA"], "notes"), "a+") as file:
        file.write(json.dumps(what) + "\\n")
        file.seek(0)
        return sum(json.loads(line)[0] == what[0] for line in file)
"""
INGEST = (
    NOTE
    + """
def handler(event, context):
    note("ingest", event["name"])
    if event.get("fail"):
        raise ValueError("as it was told")
"""
)
IMAGE = (
    NOTE
    + """
def handler(event, context):
    failed = []
    for record in event["Records"]:
        body, count = json.loads(record["body"]), int(record["attributes"]["ApproximateReceiveCount"])
        with open(os.path.join(os.environ["KINORA_DATA"], "notes"), "a+") as file:
            file.seek(0)
            before = sum(json.loads(line)[0] == body["name"] for line in file)
        tries = note(body["name"], count, os.getpid())
        if tries <= body.get("fail", 0):
            failed.append({"itemIdentifier": record["messageId"]})
        if tries <= body.get("crash", 0):
            os._exit(1)
        if before < body.get("stall", 0):
            time.sleep(60)
        if tries <= body.get("hang", 0):
            time.sleep(60)
    return {"batchItemFailures": failed}
"""
)
NOTIFY = (
    NOTE
    + """
def handler(event, context):
    if "Records" not in event:
        note("scheduled", event["detail-type"])
        return
    for record in event["Records"]:
        name = record["dynamodb"]["NewImage"]["id"]["S"]
        note("notify", name)
        if name.startswith("bad"):
            return {"batchItemFailures": [{"itemIdentifier": record["dynamodb"]["SequenceNumber"]}]}
"""
)


class SmallStack:
    """A template with handlers and a data folder in `folder`, and everything a test wants to ask and do there."""

    def __init__(self, folder: Path) -> None:
        self.data = folder / "data"
        self.data.mkdir()
        self.database = self.data / "kinora.db"
        self.plan: Plan = small_plan(folder, ingest=INGEST, image=IMAGE, notify=NOTIFY)
        self.queues = SqliteQueues(self.database, Settings.from_env({}))
        self.tables = open_tables(self.database)
        self.metadata = SqliteMetadata(self.database)
        for spec in self.plan.queues:
            self.queues.declare(spec)

    def close(self) -> None:
        self.queues.close()
        self.tables.close()
        self.metadata.close()

    @contextmanager
    def house(self, options: Options | None = None) -> Iterator[House]:
        """The house while it runs."""
        with (
            InstanceLock(self.data).acquire(5.0) as lock,
            House(self.plan, lock, self.data, {}, options or Options(workers=1)) as house,
        ):
            yield house

    def allow(self, function: str, seconds: int) -> None:
        """Give a function another timeout."""
        functions = dict(self.plan.functions)
        functions[function] = replace(functions[function], timeout=seconds)
        self.plan = replace(self.plan, functions=functions)

    def notes(self) -> list[list[Any]]:
        path = self.data / "notes"
        return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []

    def send(self, *bodies: Mapping[str, object], queue: QueueName = QueueName.IMAGE) -> None:
        self.queues.send(queue, bodies)

    def invoke(self, **event: object) -> None:
        """An asynchronous invocation of the ingest function."""
        with self.tables.write() as connection:
            add_invocation(connection, "IngestFunction", str(event["name"]), event)

    def commit(self, *names: str) -> None:
        """A change of a job that tells of events with these ids."""
        job = Job(f"job-{names[0]}", "0" * 64, Kind.IMAGE, "r", time.time(), time.time())
        self.metadata.jobs.create(job, [Event(name, "job.ready", time.time(), {}) for name in names])

    def dead_letters(self, queue: str) -> list[dict[str, Any]]:
        return [json.loads(message.body) for message in self.queues.peek(queue)]

    def is_empty(self, queue: str) -> bool:
        depth = self.queues.depth(queue)
        return depth.visible + depth.in_flight + depth.delayed == 0
