"""A process that takes in one group of hostile originals after another, and at last a good one. Run by test_hostile.py.

Arguments: data folder, name of a generator in `hostile`, its arguments as JSON. Prints one JSON object for each original.
"""

from __future__ import annotations

import json
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from kinora.model import Scope
from tests.e2e import hostile
from tests.house import House, house

SETTINGS = {"ladder": "64,48", "image_variants": "small=20"}


@dataclass(frozen=True)
class Verdict:
    """What became of one original; `peak` is the most memory that the process has ever held, in bytes."""

    name: str
    state: str
    code: str | None
    message: str | None
    seconds: float
    peak: int
    is_unchanged: bool


def main() -> None:
    data, group, arguments = Path(sys.argv[1]), sys.argv[2], json.loads(sys.argv[3])
    with house(data, **SETTINGS) as home:
        for name, content in [*getattr(hostile, group)(*arguments), ("good.mp4", hostile.clip("mp4"))]:
            print(json.dumps({"verdict": vars_of(take_in(home, name, content))}), flush=True)


def take_in(home: House, name: str, content: bytes) -> Verdict:
    begun = time.monotonic()
    (outcome,) = home.ingest(home.put(name, content))
    home.work(limit=50)
    seconds = time.monotonic() - begun
    job = next(job for job in home.jobs() if job.original_key == f"uploads/{name}")
    with home.services.storage.open(Scope.SOURCE, f"uploads/{name}") as reader:
        is_unchanged = reader.read() == content
    error = job.error
    code, message = (error.code, error.message) if error else (None, None)
    return Verdict(f"{name} ({outcome})", job.state.value, code, message, seconds, peak_bytes(), is_unchanged)


def vars_of(verdict: Verdict) -> dict[str, object]:
    return {name: getattr(verdict, name) for name in Verdict.__dataclass_fields__}


def peak_bytes() -> int:
    status = Path("/proc/self/status")
    if not status.exists():
        return 0
    return next(int(line.split()[1]) * 1024 for line in status.read_text().splitlines() if line.startswith("VmHWM"))


if __name__ == "__main__":
    main()
