"""Segments and pictures made on demand on this machine: functions run in worker processes that do nothing else, so that a viewer
never waits behind the background. Asked by the API in its own process.
"""

from __future__ import annotations

import json
import queue
import threading
from collections.abc import Mapping, Sequence
from concurrent.futures import CancelledError, Future, ThreadPoolExecutor

from kinora.errors import Pending, Unavailable
from kinora.invoking.base import WAIT_SECONDS, Request, is_made
from kinora.local.plan import Function
from kinora.local.pool import WorkerProcess


class PooledMaker:
    """Maker on `workers`. `functions` holds the function for each task. Equal requests share one invocation; at most `limit`
    wait: `waiting` do now."""

    def __init__(
        self,
        functions: Mapping[str, Function],
        environments: Mapping[str, Mapping[str, str]],
        workers: Sequence[WorkerProcess],
        limit: int,
    ) -> None:
        """`environments` are by function name."""
        self._functions = functions
        self._environments = environments
        self._workers = tuple(workers)
        self._limit = limit
        self._free: queue.SimpleQueue[WorkerProcess] = queue.SimpleQueue()
        for worker in workers:
            self._free.put(worker)
        self._threads = ThreadPoolExecutor(len(workers), "on-demand")
        self._lock = threading.Lock()
        self._under_way: dict[str, Future[bool]] = {}
        self.waiting = 0

    def make(self, request: Request) -> bool:
        future = self._join(request)
        try:
            return future.result(WAIT_SECONDS)
        except TimeoutError:
            raise Pending(f"{request} takes long") from None
        except CancelledError:
            raise Unavailable("local mode is stopping") from None
        finally:
            with self._lock:
                self.waiting -= 1

    def close(self) -> None:
        """Take nothing more and end what is under way; who waits gets Unavailable."""
        self._threads.shutdown(wait=False, cancel_futures=True)
        for worker in self._workers:
            worker.close()
        self._threads.shutdown()

    def _join(self, request: Request) -> Future[bool]:
        wanted = json.dumps(request, sort_keys=True)
        with self._lock:
            future = self._under_way.get(wanted)
            if max(self.waiting, len(self._under_way) if future is None else 0) >= self._limit:
                raise Pending(f"{self.waiting} requests wait")
            if future is None:
                try:
                    future = self._under_way[wanted] = self._threads.submit(self._make, wanted, request)
                except RuntimeError as error:
                    raise Unavailable("local mode is stopping") from error
            self.waiting += 1
            return future

    def _make(self, wanted: str, request: Request) -> bool:
        function = self._functions[str(request["task"])]
        worker = self._free.get()
        try:
            outcome = worker.invoke(function, dict(request), self._environments[function.name])
        finally:
            self._free.put(worker)
            with self._lock:
                del self._under_way[wanted]
        if outcome.error is not None:
            raise Unavailable(f"{function.name}: {outcome.error.get('errorType')}: {outcome.error.get('errorMessage')}")
        return is_made(outcome.response)
