"""A running Kinora with a client that has its key, as end-to-end tests of the page, of players and of HTTP use it."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from tests.e2e.running import running

LOOK_SECONDS = 0.1
FINAL = {"ready", "failed", "canceled"}


@dataclass(frozen=True)
class Instance:
    """`client` carries the API key and knows the address."""

    data: Path
    url: str
    pid: int
    api_key: str
    client: httpx.Client

    @property
    def port(self) -> int:
        return int(self.url.rsplit(":", 1)[1])

    def upload(self, name: str, content: bytes) -> str:
        """Send an original and return its key."""
        answer = self.client.put(f"/api/uploads/{name}", content=content)
        assert answer.status_code == 201, answer.text
        key: str = answer.json()["key"]
        return key

    def job(self, key: str) -> dict[str, Any] | None:
        """The job that the original at `key` started, if there is one by now."""
        jobs = self.client.get("/api/jobs").json()["jobs"]
        return next((one for one in jobs if one["original"] == key), None)

    def wait_for(self, key: str, *states: str, seconds: float = 120.0) -> dict[str, Any]:
        """Wait until the job of `key` is in one of the states; to end in another one is a failure."""
        deadline = time.monotonic() + seconds
        while (job := self.job(key)) is None or job["state"] not in states:
            assert time.monotonic() < deadline, f"{key}: {job}"
            assert job is None or job["state"] not in FINAL, f"{key}: {job}"
            time.sleep(LOOK_SECONDS)
        return job


@contextmanager
def kinora_up(data: Path, **settings: str) -> Iterator[Instance]:
    """`kinora up` with two workers on a free port; stopped by SIGTERM afterwards, and held to ending within seconds."""
    with running(data, "--workers", "2", **settings) as up:
        api_key = (data / "secrets" / "api-key").read_text().strip()
        with httpx.Client(base_url=up.url, headers={"Authorization": f"Bearer {api_key}"}, timeout=60) as client:
            yield Instance(data, up.url, up.process.pid, api_key, client)
