"""Puts files in and reports each result as it comes; the heart of `kinora put` and of the samples of `kinora up`."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path

from kinora.errors import KinoraError
from kinora.local.addresses import addresses
from kinora.local.context import Context
from kinora.local.following import Following
from kinora.local.progress import ProgressBars
from kinora.local.tables import open_tables
from kinora.local.uploading import failure_message, upload
from kinora.model import Job, JobState
from kinora.services import Services

LOOK_SECONDS = 0.15
_INGEST_FAILED = {"code": "ingest-failed", "message": "The file could not be taken in; the log tells why."}
_ENDED = {"code": "unavailable", "message": "The running kinora has ended; its work goes on when it is started again."}
_PLAYABLE = {JobState.PLAYABLE, JobState.ENCODING}


class Putting:
    """Files on their way. `url` is the server's address, None without one; `is_alive` says whether somebody still works;
    with `early` a result is given as soon as it can be played."""

    def __init__(
        self,
        context: Context,
        services: Services,
        url: str | None,
        *,
        is_alive: Callable[[], bool] = lambda: True,
        early: bool = False,
    ) -> None:
        self._context = context
        self._services = services
        self._tables = open_tables(context.database)
        self._url = url
        self._is_alive = is_alive
        self._early = early
        self._followed: list[Following] = []
        self._all_ready = True
        self._next_look = 0.0

    def put(self, files: Iterable[Path]) -> bool:
        """Upload the files, wait for their jobs and print the results; whether all are ready, or at rest where segments are made on demand."""
        with ProgressBars() as bars:
            for path in files:
                self._upload(path, bars)
                if time.monotonic() > self._next_look:
                    self._look(bars)
            while self._followed:
                time.sleep(max(0.0, self._next_look - time.monotonic()))
                self._look(bars)
        self._tables.close()
        return self._all_ready

    def _upload(self, path: Path, bars: ProgressBars) -> None:
        try:
            size = 0
            with suppress(OSError):
                size = path.stat().st_size
            done = upload(self._services, path, bars.copying(path, size))
            self._followed.append(Following(self._services, self._tables, done))
        except KinoraError as error:
            self._report(path, None, None, failure_message(error), bars)

    def _look(self, bars: ProgressBars) -> None:
        is_alive = self._is_alive()
        for following in list(self._followed):
            path, content_hash = following.upload.path, following.upload.hash
            job = following.look()
            if job is not None and not job.state.is_final:
                bars.working(path, job)
            if job is None and following.are_subtitles():
                self._followed.remove(following)
                self._report(path, content_hash, None, None, bars)
                continue
            error = self._end_of(following, job, is_alive=is_alive)
            if error is None and not (job is not None and self._is_result(job)):
                continue
            self._followed.remove(following)
            self._report(path, content_hash, job, error, bars)
        self._next_look = time.monotonic() + LOOK_SECONDS * (1 + len(self._followed) / 20)

    def _is_result(self, job: Job) -> bool:
        return job.state.is_final or job.is_at_rest or (self._early and job.state in _PLAYABLE)

    def _end_of(self, following: Following, job: Job | None, *, is_alive: bool) -> dict[str, str] | None:
        """Why nothing more is to be expected, or None."""
        if job is not None and job.state.is_final:
            return {"code": job.error.code, "message": job.error.message} if job.error is not None else None
        if job is None and following.is_lost:
            return _INGEST_FAILED
        return None if is_alive else _ENDED

    def _report(
        self, path: Path, content_hash: str | None, job: Job | None, error: dict[str, str] | None, bars: ProgressBars
    ) -> None:
        state = job.state if job is not None else JobState.FAILED if error else JobState.READY
        is_ready = state is JobState.READY or (job is not None and job.is_at_rest)
        self._all_ready = self._all_ready and is_ready
        urls = addresses(self._services, content_hash, self._url) if content_hash is not None else {}
        value: dict[str, object] = {
            "file": str(path),
            "hash": content_hash,
            "job": job.id if job is not None else None,
            "state": state.value,
            "urls": urls,
            "error": error,
        }
        lines = [f"{path}  {state.value}" + (f"  {error['code']}: {error['message']}" if error else "")]
        lines += [f"  {name:8}  {link}" for name, link in urls.items()]
        bars.finished(path)
        with bars.hidden():
            self._context.result(value, "\n".join(lines))
