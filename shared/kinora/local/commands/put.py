"""`kinora put`: puts files into the source scope and waits for what becomes of them, with a progress bar.

With an instance running on the data folder it does the work; with none, this process does it and ends.
"""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path

from kinora.bootstrap import build
from kinora.errors import KinoraError
from kinora.local.addresses import addresses
from kinora.local.context import Context
from kinora.local.environment import local_settings
from kinora.local.following import Following
from kinora.local.house import House, Options
from kinora.local.lock import InstanceLock, Running, running_instance
from kinora.local.progress import ProgressBars
from kinora.local.tables import open_tables
from kinora.local.uploading import failure_message, upload
from kinora.model import Job, JobState
from kinora.secrets.base import SecretName
from kinora.secrets.files import FileSecrets
from kinora.services import Services

LOOK_SECONDS = 0.15
_INGEST_FAILED = {"code": "ingest-failed", "message": "The file could not be taken in; the log tells why."}
_ENDED = {"code": "unavailable", "message": "The running kinora has ended; its work goes on when it is started again."}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("file", nargs="+", type=Path, help="photo, video or audio file")
    parser.add_argument("--workers", type=int, default=0, help="how many encode at the same time (default: one per core)")


def run(context: Context, arguments: argparse.Namespace) -> int:
    is_done = _put_to_running(context, arguments.file) if _is_running(context.data) else None
    if is_done is None:
        is_done = _put_in_place(context, arguments.file, Options(workers=max(0, arguments.workers)))
    return 0 if is_done else 1


def put_here(
    context: Context, services: Services, files: Iterable[Path], url: str | None, is_alive: Callable[[], bool] = lambda: True
) -> bool:
    """Upload the files, wait for their jobs and print each result as it comes; whether all are ready. `url` is the
    server's address, `is_alive` says whether somebody still works."""
    return _Putting(context, services, url, is_alive).put(files)


def _is_running(data: Path) -> bool:
    """Whether there is an instance that listens. One that does not is another `put`, which ends: that is waited for."""
    while (running := running_instance(data)) is not None:
        if running.url is not None:
            return True
        time.sleep(LOOK_SECONDS)
    return False


def _put_to_running(context: Context, files: list[Path]) -> bool | None:
    """None if it has ended meanwhile."""
    running: Running | None = running_instance(context.data)
    if running is None:
        return None
    services = build(local_settings(context.plan(), context.data, os.environ))
    return put_here(context, services, files, running.url, lambda: running_instance(context.data) == running)


def _put_in_place(context: Context, files: list[Path], options: Options) -> bool:
    plan = context.plan()
    with InstanceLock(context.data).acquire(patience=5.0) as lock:
        FileSecrets(context.data).ensure(SecretName.SIGNING_KEYS)
        with House(plan, lock, context.data, os.environ, options) as house:
            return put_here(context, house.services, files, None)


class _Putting:
    """One run of the command."""

    def __init__(self, context: Context, services: Services, url: str | None, is_alive: Callable[[], bool]) -> None:
        self._context = context
        self._services = services
        self._tables = open_tables(context.database)
        self._url = url
        self._is_alive = is_alive
        self._followed: list[Following] = []
        self._all_ready = True

    def put(self, files: Iterable[Path]) -> bool:
        with ProgressBars() as bars:
            for path in files:
                self._upload(path, bars)
                self._look(bars)
            while self._followed:
                time.sleep(LOOK_SECONDS)
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
            bars.finished(path)
            self._report(path, None, None, failure_message(error))

    def _look(self, bars: ProgressBars) -> None:
        is_alive = self._is_alive()
        for following in list(self._followed):
            path, content_hash = following.upload.path, following.upload.hash
            job = following.look()
            if job is not None and not job.state.is_final:
                bars.working(path, job)
            error = self._end_of(following, job, is_alive=is_alive)
            if error is None and (job is None or not job.state.is_final):
                continue
            self._followed.remove(following)
            bars.finished(path)
            self._report(path, content_hash, job, error)

    def _end_of(self, following: Following, job: Job | None, *, is_alive: bool) -> dict[str, str] | None:
        """Why nothing more is to be expected, or None."""
        if job is not None and job.state.is_final:
            return {"code": job.error.code, "message": job.error.message} if job.error is not None else None
        if job is None and following.is_lost:
            return _INGEST_FAILED
        return None if is_alive else _ENDED

    def _report(self, path: Path, content_hash: str | None, job: Job | None, error: dict[str, str] | None) -> None:
        state = job.state.value if job is not None else JobState.FAILED.value
        self._all_ready = self._all_ready and state == JobState.READY.value
        urls = addresses(self._services, content_hash, self._url) if content_hash is not None else {}
        value: dict[str, object] = {
            "file": str(path),
            "hash": content_hash,
            "job": job.id if job is not None else None,
            "state": state,
            "urls": urls,
            "error": error,
        }
        lines = [f"{path}  {state}" + (f"  {error['code']}: {error['message']}" if error else "")]
        lines += [f"  {name:8}  {link}" for name, link in urls.items()]
        self._context.result(value, "\n".join(lines))
