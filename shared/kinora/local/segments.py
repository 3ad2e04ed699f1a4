"""Segments made on demand on this machine: the video function runs in worker processes that do nothing else, so that a viewer
never waits behind the background. Asked by the API in its own process.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Mapping, Sequence
from concurrent.futures import CancelledError, Future, ThreadPoolExecutor

from kinora.errors import Pending, Unavailable
from kinora.invoking.base import WAIT_SECONDS, is_made, segment_request
from kinora.local.plan import Function
from kinora.local.pool import WorkerProcess

Wanted = tuple[str, str, int | None]


class PooledSegments:
    """SegmentMaker on `workers`. Requests for one segment share one invocation; at most `limit` requests wait:
    `waiting` do now."""

    def __init__(
        self, function: Function, environment: Mapping[str, str], workers: Sequence[WorkerProcess], limit: int
    ) -> None:
        self._function = function
        self._environment = environment
        self._workers = tuple(workers)
        self._limit = limit
        self._free: queue.SimpleQueue[WorkerProcess] = queue.SimpleQueue()
        for worker in workers:
            self._free.put(worker)
        self._threads = ThreadPoolExecutor(len(workers), "on-demand")
        self._lock = threading.Lock()
        self._under_way: dict[Wanted, Future[bool]] = {}
        self.waiting = 0

    def make(self, content_hash: str, track: str, n: int | None) -> bool:
        future = self._join((content_hash, track, n))
        try:
            return future.result(WAIT_SECONDS)
        except TimeoutError:
            raise Pending(f"segment {n} of {track} takes long") from None
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

    def _join(self, wanted: Wanted) -> Future[bool]:
        with self._lock:
            future = self._under_way.get(wanted)
            if max(self.waiting, len(self._under_way) if future is None else 0) >= self._limit:
                raise Pending(f"{self.waiting} requests wait for segments")
            if future is None:
                try:
                    future = self._under_way[wanted] = self._threads.submit(self._make, wanted)
                except RuntimeError as error:
                    raise Unavailable("local mode is stopping") from error
            self.waiting += 1
            return future

    def _make(self, wanted: Wanted) -> bool:
        worker = self._free.get()
        try:
            outcome = worker.invoke(self._function, segment_request(*wanted), self._environment)
        finally:
            self._free.put(worker)
            with self._lock:
                del self._under_way[wanted]
        if outcome.error is not None:
            raise Unavailable(f"{self._function.name}: {outcome.error.get('errorType')}: {outcome.error.get('errorMessage')}")
        return is_made(outcome.response)
