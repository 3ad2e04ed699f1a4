"""The dispatcher: takes due work from the event sources in their order and runs it in worker processes, one thread each.

Started by `house`. It holds no state that matters: whatever is under way when it dies is still in the database.
"""

from __future__ import annotations

import logging
import sqlite3
import threading
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from kinora.errors import KinoraError
from kinora.local.plan import Plan
from kinora.local.pool import Outcome, WorkerProcess
from kinora.local.sources.base import Source, Work

LOOK_SECONDS = 0.05  # how often the database is asked whether anything was written
RETRY_SECONDS = 1.0
IDLE_SECONDS = 0.5  # how often the sources are asked for what is due by the clock

_logger = logging.getLogger("kinora.local")


class Dispatcher:
    """One thread for each worker. The first worker is reserved for short work: it never takes from a background source."""

    def __init__(
        self,
        plan: Plan,
        sources: Sequence[Source],
        workers: Sequence[WorkerProcess],
        environments: Mapping[str, Mapping[str, str]],
        *,
        deliver_twice: bool = False,
    ) -> None:
        self._plan = plan
        self._sources = sources
        self._workers = workers
        self._environments = environments
        self._repeats = 2 if deliver_twice else 1
        self._news = threading.Condition()
        self._taking = threading.Lock()
        self._stopping = threading.Event()
        self._running = 0
        self._threads = [
            threading.Thread(target=self._serve, args=(worker, index == 0), name=f"worker-{index}")
            for index, worker in enumerate(workers)
        ]

    def start(self, database: Path) -> None:
        """Begin; `database` is the file whose changes mean that there may be new work."""
        self._threads.append(threading.Thread(target=self._look_out, args=(database,), name="look-out"))
        for thread in self._threads:
            thread.start()

    def stop(self, grace: float = 2.0) -> None:
        """Take nothing new, give what is under way `grace` seconds to end, then kill it: it stays in its queue."""
        self._stopping.set()
        with self._news:
            self._news.notify_all()
            self._news.wait_for(lambda: self._running == 0, timeout=grace)
        for worker in self._workers:
            worker.close()
        for thread in self._threads:
            thread.join()

    def _serve(self, worker: WorkerProcess, reserved: bool) -> None:
        while not self._stopping.is_set():
            try:
                work = self._take(reserved)
                if work is None:
                    with self._news:
                        self._news.wait(IDLE_SECONDS)
                    continue
                self._run(worker, work)
            except KinoraError as error:
                _logger.error("dispatcher: %s", error)  # noqa: TRY400 - a full disk or a locked database, not our bug
                self._stopping.wait(RETRY_SECONDS)
            except Exception:
                _logger.exception("dispatcher")
                self._stopping.wait(RETRY_SECONDS)

    def _take(self, reserved: bool) -> Work | None:
        with self._taking:
            for source in self._sources:
                if reserved and source.background:
                    continue
                work = source.take()
                if work is not None:
                    with self._news:
                        self._running += 1
                    return work
        return None

    def _run(self, worker: WorkerProcess, work: Work) -> None:
        try:
            self._settle(work, self._invoke(worker, work))
        finally:
            with self._news:
                self._running -= 1
                self._news.notify_all()

    def _settle(self, work: Work, outcome: Outcome) -> None:
        """Record how it ended, again and again while the database cannot: else a message would stay hidden for hours."""
        while True:
            try:
                work.settle(outcome)
                return
            except KinoraError as error:
                _logger.error("dispatcher: %s", error)  # noqa: TRY400 - a full disk or a locked database, not our bug
                if self._stopping.wait(RETRY_SECONDS):
                    return

    def _invoke(self, worker: WorkerProcess, work: Work) -> Outcome:
        function = self._plan.functions[work.function]
        outcome = Outcome()
        for _ in range(self._repeats):
            begun = time.monotonic()
            outcome = worker.invoke(function, work.event, self._environments[function.name])
            _logger.debug("%s took %.2f s", function.name, time.monotonic() - begun)
            if outcome.error is not None:
                break
        if outcome.error is not None and not outcome.abandoned:
            _logger.error("%s: %s: %s", function.name, outcome.error.get("errorType"), outcome.error.get("errorMessage"))
        return outcome

    def _look_out(self, database: Path) -> None:
        """Wake the workers as soon as any process has committed something to the database."""
        connection = sqlite3.connect(database, isolation_level=None)
        try:
            before = None
            while not self._stopping.wait(LOOK_SECONDS):
                now = before
                with suppress(sqlite3.OperationalError):  # busy: the next look is soon
                    (now,) = connection.execute("PRAGMA data_version").fetchone()
                if now != before:
                    before = now
                    with self._news:
                        self._news.notify_all()
        finally:
            connection.close()
