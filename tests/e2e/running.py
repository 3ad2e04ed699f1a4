"""A running `kinora up` for tests: started as its own process, killed or stopped as the test wants."""

from __future__ import annotations

import json
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.unit.local.run_cli import command, environment


@dataclass(frozen=True)
class Up:
    process: subprocess.Popen[str]
    url: str
    api_key: str | None

    def workers(self) -> list[int]:
        """The process ids of its workers that live now."""
        return [pid for pid, parent in _parents().items() if parent == self.process.pid]

    def kill(self) -> None:
        """End it as a power cut would, as far as a process can."""
        self.process.kill()
        self.process.wait(10)


@contextmanager
def running(data: Path, *arguments: str | Path, **variables: str) -> Iterator[Up]:
    """`kinora up` on a free port until the block ends; it must then stop within ten seconds unless it was killed."""
    process = subprocess.Popen(
        command("up", "--data", data, "--port", "0", "--json", *arguments),
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        env=environment(**variables),
    )
    with process:
        try:
            assert process.stdout is not None
            said: dict[str, Any] = json.loads(process.stdout.readline())
            yield Up(process, said["url"], said.get("api_key"))
            if process.poll() is None:
                process.send_signal(signal.SIGTERM)
                assert process.wait(10) == 0
        finally:
            process.kill()


def objects(folder: Path) -> dict[str, bytes]:
    """Every object below a scope's folder by its key."""
    files = (path for path in sorted(folder.rglob("*")) if path.is_file() and ".kinora" not in path.parts)
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}


def _parents() -> dict[int, int]:
    found = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                fields = (entry / "stat").read_text().rpartition(") ")[2].split()
            except (FileNotFoundError, ProcessLookupError):
                continue
            if fields[0] != "Z":
                found[int(entry.name)] = int(fields[1])
    return found
