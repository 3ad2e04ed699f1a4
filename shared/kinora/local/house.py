"""The model house: everything that runs on one data folder, put together from the plan. `kinora up` and, with nothing else
running, `kinora put` live in it; HTTP is not part of it.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import TracebackType
from typing import IO, Self

from kinora.bootstrap import build
from kinora.invoking.base import makers
from kinora.local.dispatch import Dispatcher
from kinora.local.environment import function_environment, local_settings
from kinora.local.invocations import Invocations
from kinora.local.known_files import KnownFiles
from kinora.local.lock import InstanceLock
from kinora.local.on_demand import PooledMaker
from kinora.local.plan import Plan, S3Trigger
from kinora.local.pool import WorkerProcess
from kinora.local.sources.asynchronous import AsynchronousSource
from kinora.local.sources.base import Chaos, Source
from kinora.local.sources.queue import QueueSource
from kinora.local.sources.schedule import ScheduleSource
from kinora.local.sources.stream import StreamSource
from kinora.local.tables import open_tables
from kinora.local.watcher import Watcher
from kinora.metadata.sqlite import SqliteMetadata
from kinora.model import Scope
from kinora.queues.sqlite import SqliteQueues
from kinora.services import Services
from kinora.settings import Settings
from kinora.storage.filesystem_multipart import FilesystemMultipart

LOG_FILE = "logs/worker.log"
MAX_LOG_BYTES = 32 * 1024 * 1024
BACKGROUND_NICENESS = 10
INTERACTIVE_WORKERS = 2  # for viewers: sound and pictures at the same time; a process starts when it is first needed


@dataclass(frozen=True, slots=True)
class Options:
    """How to run: `workers` encode at the same time (one more process is kept for short work); with `verbose` they write
    to the terminal instead of the log file."""

    workers: int = 0
    verbose: bool = False
    chaos: Chaos = field(default_factory=Chaos)

    @property
    def worker_count(self) -> int:
        return self.workers or len(os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else range(os.cpu_count() or 1))


class House:
    """Owns the data folder of `lock` from entering to leaving the context. `services` are those of this process."""

    def __init__(self, plan: Plan, lock: InstanceLock, data: Path, environ: Mapping[str, str], options: Options) -> None:
        services = build(local_settings(plan, data, environ))
        self._plan = plan
        self._data = data
        self._options = options
        self._database = data / "kinora.db"
        self._tables = open_tables(self._database)
        self._queues = SqliteQueues(self._database, services.settings)
        self._metadata = SqliteMetadata(self._database)
        self._stack = ExitStack()
        environments = {name: function_environment(one, data, environ) for name, one in plan.functions.items()}
        self._log = sys.stderr if options.verbose else self._stack.enter_context(_open_log(data / LOG_FILE))
        self._on_demand = self._make_on_demand(services.settings, environments, lock)
        self.services: Services = replace(services, on_demand=self._on_demand)
        self._workers = self._make_workers(lock)
        self._dispatcher = Dispatcher(
            plan, self._sources(), self._workers, environments, deliver_twice=options.chaos.deliver_twice
        )
        root = Path(self.services.settings.scopes[Scope.SOURCE].root)
        (root / self.services.settings.upload_prefix).mkdir(parents=True, exist_ok=True)
        known = KnownFiles(self._tables, self._triggers())
        joined = FilesystemMultipart({Scope.SOURCE: root})
        self._watcher = Watcher(root, self.services.storage, known, lambda etag: joined.was_joined(Scope.SOURCE, etag))

    @property
    def worker_pids(self) -> tuple[int, ...]:
        """The worker processes that live now."""
        return tuple(worker.pid for worker in self._workers if worker.pid is not None)

    def __enter__(self) -> Self:
        self.services.catalog.check()
        for spec in self._plan.queues:
            self._queues.declare(spec)
        self._queues.release_all()
        self._dispatcher.start(self._database)
        self._watcher.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.stop_on_demand()
        self._watcher.stop()
        self._dispatcher.stop()
        self._queues.release_all(forgive=True)
        self._stack.close()
        self._queues.close()
        self._metadata.close()
        self._tables.close()

    def stop_on_demand(self) -> None:
        """Let nobody wait for a segment or a picture any more, so that the server can end at once."""
        if self._on_demand is not None:
            self._on_demand.close()

    def _make_on_demand(
        self, settings: Settings, environments: Mapping[str, Mapping[str, str]], lock: InstanceLock
    ) -> PooledMaker | None:
        named = makers(settings.video_function, settings.image_function)
        if not named:
            return None
        functions = {task: self._plan.function(name) for task, name in named.items()}
        workers = [WorkerProcess(log=self._log, keep_open=(lock.descriptor,)) for _ in range(INTERACTIVE_WORKERS)]
        return PooledMaker(functions, environments, workers, settings.on_demand_limit)

    def _make_workers(self, lock: InstanceLock) -> list[WorkerProcess]:
        kept = (lock.descriptor,)
        background = [
            WorkerProcess(log=self._log, niceness=BACKGROUND_NICENESS, keep_open=kept)
            for _ in range(self._options.worker_count)
        ]
        return [WorkerProcess(log=self._log, keep_open=kept), *background]

    def _triggers(self) -> list[S3Trigger]:
        """Those of the source bucket, which functions know as KINORA_SOURCE_BUCKET."""
        bucket = self.services.settings.scopes[Scope.SOURCE].bucket
        return [trigger for trigger in self._plan.s3 if trigger.bucket == bucket]

    def _sources(self) -> list[Source]:
        """In the order in which work is taken: what somebody waits for comes first, encoding last."""
        settings = self.services.settings
        rank = {settings.image_queue: 1, settings.prepare_queue: 2, settings.webhook_queue: 3, settings.encode_queue: 4}
        background = {settings.webhook_queue, settings.encode_queue}  # a receiver that hangs holds up encoding, no upload
        specs = {spec.name: spec for spec in self._plan.queues}
        queues: list[Source] = [
            QueueSource(
                trigger,
                self._queues,
                specs[trigger.queue],
                workers=self._options.worker_count,
                background=trigger.queue in background,
            )
            for trigger in sorted(self._plan.queue, key=lambda trigger: rank.get(trigger.queue, 0))
        ]
        return [
            AsynchronousSource(self._plan, Invocations(self._tables), self._queues, shuffled=self._options.chaos.shuffle),
            *(StreamSource(trigger, self._metadata.outbox, self._queues) for trigger in self._plan.stream),
            *(source for source in queues if not source.background),
            *(ScheduleSource(trigger, self._tables) for trigger in self._plan.schedule),
            *(source for source in queues if source.background),
        ]


def _open_log(path: Path) -> IO[bytes]:
    """The workers' log, for appending; a large one is set aside first and the one set aside before is dropped."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.exists() and path.stat().st_size > MAX_LOG_BYTES:
        path.replace(path.with_suffix(".log.1"))
    return path.open("ab", buffering=0)
