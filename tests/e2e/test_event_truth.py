"""Each event five times in any order, killed between any two steps: the same objects and rows, one job per content."""

from __future__ import annotations

import itertools
import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from kinora.bootstrap import build
from kinora.model import Job, JobState
from kinora.pipeline.collect import collect
from kinora.services import Services
from kinora.settings import Settings
from tests.e2e.hostile import clip
from tests.e2e.outcome import outcome
from tests.house import House, house
from tests.pictures import picture

SETTINGS = {"ladder": "48", "task_seconds": "1", "image_variants": "small=20,large=60"}
CAT, DOG, BIRD = picture(), picture(colour=(10, 90, 200)), picture(80, 60, kind="PNG")
MEDIA = Path(__file__).parents[1] / "media"
QUEUES = ("image", "prepare", "encode")


class Crash(BaseException):
    """The process ends here, without a chance to clean up."""


class Fuse:
    """Ends the process at its driver call number `after`, counted from 0; a negative number never does."""

    def __init__(self, after: int) -> None:
        self.left = after

    def burn(self) -> None:
        if self.left == 0:
            raise Crash
        self.left -= 1


class Fragile:
    """A driver whose every call may be the last."""

    def __init__(self, driver: Any, fuse: Fuse) -> None:
        self._driver = driver
        self._fuse = fuse

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._driver, name)
        if not callable(found):
            return found

        def call(*values: Any, **named: Any) -> Any:
            self._fuse.burn()
            return found(*values, **named)

        return call


def fragile(services: Services, fuse: Fuse) -> Services:
    names = ("storage", "catalog", "jobs", "content_keys", "queues")
    return replace(services, **{name: Fragile(getattr(services, name), fuse) for name in names})


def live_until(home: House, fuse: Fuse, event: dict[str, object]) -> bool:
    """Deliver the event and perform all work until the fuse ends it; whether it came to the end."""
    services = home.services
    home.services = fragile(services, fuse)
    try:
        home.ingest(event)
        home.work()
    except Crash:
        return False
    finally:
        home.services = services
        home.services.queues.release_all()
    return True


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "content"), [("cat.jpg", CAT), ("clip.mp4", clip("mp4", pictures=20))], ids=["image", "video"]
)
def test_killed_between_any_two_steps_it_comes_to_the_same_end(tmp_path, name, content):
    with house(tmp_path / "calm", **SETTINGS) as home:
        assert live_until(home, Fuse(-1), home.put(name, content))
        expected = outcome(home.services)
        assert home.job().state is JobState.READY
    chance = random.Random(name)
    for step in itertools.count():
        with house(tmp_path / str(step), **SETTINGS) as home:
            event = home.put(name, content)
            is_over = live_until(home, Fuse(step), event)
            live_until(home, Fuse(chance.randrange(40)), event)
            home.ingest(*[event] * 5)
            home.work()
            assert outcome(home.services) == expected, f"killed at step {step}"
            assert [home.waiting(queue) for queue in QUEUES] == [[], [], []]
        if is_over:
            break
    assert step > 10


@pytest.mark.parametrize("seed", range(8))
def test_events_of_a_busy_folder_in_any_order(tmp_path, seed):
    chance = random.Random(seed)
    with house(tmp_path, grace_seconds="0", **SETTINGS) as home:
        events = [
            home.put("cat.jpg", CAT),
            home.put("swap.jpg", DOG),
            home.put("swap.jpg", CAT),
            home.put("copy of cat.jpg", CAT),
            home.put("gone.png", BIRD),
            home.remove("gone.png"),
            home.put("back.jpg", DOG),
            home.remove("back.jpg"),
            home.put("back.jpg", DOG),
            home.put("swap.jpg", DOG),
            home.put("notes.mp4", b"just some text\n" * 40),
        ]
        deliveries = events * 5
        chance.shuffle(deliveries)
        for event in deliveries:
            home.ingest(event)
            home.work(limit=chance.randrange(2))
        home.work()
        collect(home.services)
        left = outcome(home.services)
        assert {key: len(one[0]) for key, one in left["originals"].items()} == dict.fromkeys(
            [f"uploads/{name}" for name in ("cat.jpg", "swap.jpg", "copy of cat.jpg", "back.jpg", "notes.mp4")], 64
        )
        assert sorted(blob[-1] for blob in left["blobs"].values()) == [1, 2, 2]
        assert sorted(job[3] for job in left["jobs"].values()) == ["failed", "ready", "ready"]
        assert len([key for key in left["objects"] if key.startswith("media/")]) == 4


def settings_of(data: Path) -> dict[str, str]:
    return {f"KINORA_{name.upper()}": value for name, value in SETTINGS.items()} | {"KINORA_DATA": str(data)}


class Tree:
    """`kinora up` with all its workers, in a process that can be killed."""

    def __init__(self, data: Path) -> None:
        self._data = data
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        environment = {name: value for name, value in os.environ.items() if not name.startswith("KINORA_")}
        command = [sys.executable, "-m", "kinora.local.cli", "up", "--data", str(self._data), "--port", "0", "--workers", "2"]
        with (self._data / "up.log").open("ab") as log:
            self._process = subprocess.Popen(
                [*command, "--deliver-twice", "--shuffle"], env=environment | settings_of(self._data), stdout=log, stderr=log
            )

    def kill(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()

    def kill_worker(self, chance: random.Random) -> None:
        workers = self._workers()
        if workers:
            with suppress(ProcessLookupError):
                os.kill(chance.choice(workers), signal.SIGKILL)

    def _workers(self) -> list[int]:
        assert self._process is not None
        children = Path(f"/proc/{self._process.pid}/task/{self._process.pid}/children")
        workers: set[int] = set()
        for task in children.parents[1].iterdir():
            with suppress(OSError):
                workers |= {int(pid) for pid in (task / "children").read_text().split()}
        return sorted(workers)


def drop(data: Path, name: str, content: bytes) -> None:
    """Let a file appear in the source folder, whole, as a careful program does."""
    folder = data / "source" / "uploads"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{name}.tmp").write_bytes(content)
    (folder / f"{name}.tmp").replace(folder / name)


def remove(data: Path, name: str) -> None:
    (data / "source" / "uploads" / name).unlink()


def changes(data: Path) -> Iterator[Callable[[], None]]:
    """What somebody does in the folder; whatever is noticed of it, the end is the same."""
    film, photo = (MEDIA / "bigbuckbunny.mp4").read_bytes(), (MEDIA / "china.jpg").read_bytes()
    yield lambda: drop(data, "film.mp4", film)
    yield lambda: drop(data, "photo.jpg", photo)
    yield lambda: drop(data, "swap.jpg", CAT)
    yield lambda: drop(data, "swap.jpg", photo)
    yield lambda: drop(data, "cat+copy é.jpg", CAT)
    yield lambda: drop(data, "film again.mp4", film)
    yield lambda: remove(data, "film.mp4")
    yield lambda: drop(data, "notes.mp4", b"just some text\n" * 40)
    yield lambda: remove(data, "photo.jpg")
    yield lambda: drop(data, "film.mp4", film)
    yield lambda: drop(data, "photo.jpg", photo)


@contextmanager
def services_of(data: Path) -> Iterator[Services]:
    services = build(Settings.from_env(settings_of(data)))
    try:
        yield services
    finally:
        services.close()


def is_quiet(services: Services, data: Path) -> bool:
    files = {path.name for path in (data / "source" / "uploads").iterdir()}
    known = {
        one.key.removeprefix("uploads/")
        for blob in services.catalog.blobs(limit=100).items
        for one in services.catalog.originals(blob.hash)
    }
    jobs: list[Job] = list(services.jobs.list(limit=100).items)
    depths = [services.queues.depth(queue) for queue in QUEUES]
    empty = not any(depth.visible + depth.in_flight + depth.delayed for depth in depths)
    return files == known and empty and len(jobs) == 4 and all(job.state.is_final for job in jobs)


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="finds worker processes in /proc")
def test_workers_and_the_whole_tree_killed_at_random(tmp_path):
    data, chance = tmp_path / "wild", random.Random(20)
    data.mkdir()
    tree = Tree(data)
    tree.start()
    try:
        with services_of(data) as services:
            for number, change in enumerate(changes(data)):
                change()
                time.sleep(chance.uniform(0.2, 1.2))
                tree.kill_worker(chance)
                if number % 4 == 3:
                    tree.kill()
                    tree.start()
            deadline = time.monotonic() + 60
            while not is_quiet(services, data):
                assert time.monotonic() < deadline, json.dumps(outcome(services), default=str, indent=1)
                time.sleep(0.2)
            wild = outcome(services)
            assert [services.queues.peek(f"{queue}-dead-letters") for queue in QUEUES] == [(), (), ()]
    finally:
        tree.kill()
    with house(tmp_path / "calm", **SETTINGS) as home:
        for path in sorted((data / "source" / "uploads").iterdir()):
            home.ingest(home.put(path.name, path.read_bytes()))
        home.work()
        assert outcome(home.services) == wild
