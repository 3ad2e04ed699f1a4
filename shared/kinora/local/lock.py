"""One owner for a data folder: a lock that lasts as long as the owner or any of its workers lives, and `run.json` that tells
other commands where the owner listens.
"""

from __future__ import annotations

import fcntl
import json
import os
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from kinora.errors import AlreadyExists

_LOCK = "kinora.lock"
_RUN = "run.json"


@dataclass(frozen=True, slots=True)
class Running:
    """The instance that owns a data folder; `url` is None while it does not listen."""

    pid: int
    url: str | None


class InstanceLock:
    """Held from `acquire` to `release`; worker processes inherit `descriptor`, so nobody follows before they are gone."""

    def __init__(self, data: Path) -> None:
        self._data = data
        self.descriptor = -1

    def acquire(self, patience: float = 0.0) -> InstanceLock:
        """Take the lock, waiting up to `patience` seconds. Raises AlreadyExists when another instance has it."""
        self._data.mkdir(parents=True, exist_ok=True)
        give_up = time.monotonic() + patience
        descriptor = os.open(self._data / _LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        while True:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() >= give_up:
                    os.close(descriptor)
                    raise AlreadyExists(f"{self._data} is in use", public_message=self._in_use()) from None
                time.sleep(0.05)
        self.descriptor = descriptor
        self._write_run(None)
        return self

    def announce(self, url: str) -> None:
        """Tell other commands where this instance listens."""
        self._write_run(url)

    def release(self) -> None:
        with suppress(FileNotFoundError):
            (self._data / _RUN).unlink()
        os.close(self.descriptor)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.release()

    def _in_use(self) -> str:
        other = running_instance(self._data)
        where = f" at {other.url}" if other is not None and other.url else ""
        who = f" (process {other.pid})" if other is not None else ""
        return f"Another kinora{who} works on {self._data}{where}."

    def _write_run(self, url: str | None) -> None:
        draft = self._data / f"{_RUN}.new"
        draft.write_text(json.dumps({"pid": os.getpid(), "url": url}) + "\n", encoding="utf-8")
        draft.replace(self._data / _RUN)


def running_instance(data: Path) -> Running | None:
    """The instance that owns the folder now; None if there is none, whatever a killed one left in run.json."""
    try:
        descriptor = os.open(data / _LOCK, os.O_RDWR | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
        return None
    except BlockingIOError:
        with suppress(OSError, ValueError, KeyError):
            run = json.loads((data / _RUN).read_text(encoding="utf-8"))
            return Running(run["pid"], run["url"])
        return Running(0, None)
    finally:
        os.close(descriptor)
