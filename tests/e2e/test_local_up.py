"""`kinora up` as a whole: files dropped by hand, uploads, `put` to it, and what accidents leave behind: nothing."""

from __future__ import annotations

import os
import random
import shutil
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.e2e.running import Up, objects, running
from tests.unit.local.run_cli import kinora
from tests.unit.local.small_stack import wait_until

MEDIA = Path(__file__).parents[1] / "media"
PHOTO = MEDIA / "alpha.png"
VIDEO = MEDIA / "bigbuckbunny.mp4"
LADDER = {"KINORA_LADDER": "144,96", "KINORA_TASK_SECONDS": "1"}


def jobs(up: Up, api_key: str) -> list[dict[str, Any]]:
    answer = httpx.get(f"{up.url}/api/jobs", headers={"X-Api-Key": api_key})
    listed: list[dict[str, Any]] = answer.raise_for_status().json()["jobs"]
    return listed


def all_are_ready(up: Up, api_key: str, count: int) -> Callable[[], bool]:
    def ask() -> bool:
        states = [job["state"] for job in jobs(up, api_key)]
        assert "failed" not in states
        return states == ["ready"] * count

    return ask


def key_of(data: Path) -> str:
    return (data / "secrets/api-key").read_text().strip()


def test_every_way_in(tmp_path: Path) -> None:
    with running(tmp_path) as up:
        assert up.api_key == key_of(tmp_path)
        assert (tmp_path / "secrets/api-key").stat().st_mode & 0o777 == 0o600
        shutil.copy(PHOTO, tmp_path / "source/uploads/by hand.png")
        uploaded = httpx.put(
            f"{up.url}/api/uploads/through-the-api.gif",
            content=(MEDIA / "animated-loop-3.gif").read_bytes(),
            headers={"X-Api-Key": up.api_key},
        )
        assert uploaded.status_code == 201
        put = kinora("put", MEDIA / "orient6.jpg", "--data", tmp_path, "--json")
        assert put.code == 0, put.err
        assert put.results[0]["urls"]["media"].startswith(up.url)
        thumbnail = httpx.get(put.results[0]["urls"]["thumb"])
        assert (thumbnail.status_code, thumbnail.headers["content-type"]) == (200, "image/webp")
        wait_until(all_are_ready(up, up.api_key, 3), 30)
        signed = kinora("sign", "original", "uploads/by hand.png", "--data", tmp_path)
        assert httpx.get(signed.out.strip()).content == PHOTO.read_bytes()
        second = kinora("up", "--data", tmp_path, "--port", "0")
        assert second.code == 1
        assert up.url in second.err
    with running(tmp_path) as again:
        assert again.api_key is None
        assert all_are_ready(again, key_of(tmp_path), 3)()


def test_samples_are_put_and_their_addresses_printed(tmp_path: Path) -> None:
    with running(tmp_path, "--sample", PHOTO) as up:
        assert up.process.stdout is not None
        assert '"state": "ready"' in up.process.stdout.readline()


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """The objects of a run in which nothing happened."""
    data = tmp_path_factory.mktemp("undisturbed")
    assert kinora("put", VIDEO, PHOTO, "--data", data, **LADDER).code == 0
    return objects(data / "media")


def test_after_a_kill_everything_is_finished(tmp_path: Path, undisturbed: dict[str, bytes]) -> None:
    uploads = tmp_path / "source/uploads"
    with running(tmp_path, **LADDER) as up:
        shutil.copy(VIDEO, uploads)
        shutil.copy(PHOTO, uploads)
        wait_until(lambda: list(tmp_path.glob("media/videos/*/*/plan.json")), 30)
        up.kill()
    with running(tmp_path, **LADDER) as up:
        wait_until(all_are_ready(up, key_of(tmp_path), 2), 60)
    assert objects(tmp_path / "media") == undisturbed


@pytest.mark.slow
def test_twice_in_any_order_with_workers_killed(tmp_path: Path, undisturbed: dict[str, bytes]) -> None:
    chance = random.Random(7)
    uploads = tmp_path / "source/uploads"
    with running(tmp_path, "--deliver-twice", "--shuffle", **LADDER) as up:
        for name in ("one.mp4", "two.mp4"):
            shutil.copy(VIDEO, uploads / name)
        shutil.copy(PHOTO, uploads)
        for _ in range(8):
            time.sleep(chance.uniform(0.1, 0.5))
            for pid in chance.sample(up.workers(), k=min(1, len(up.workers()))):
                os.kill(pid, signal.SIGKILL)
        wait_until(all_are_ready(up, key_of(tmp_path), 2), 120)
    assert objects(tmp_path / "media") == undisturbed
