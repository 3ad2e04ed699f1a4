"""What is made on demand in worker processes: shared by those who ask for the same, bounded, ended when local mode ends."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest

from kinora.errors import CorruptMedia, Pending, Unavailable
from kinora.invoking.base import segment_request
from kinora.local.on_demand import PooledMaker
from kinora.local.pool import WorkerProcess
from tests.unit.local.small_stack import single_function, wait_until

HASH = "ab" * 32
HANDLER = """
import os, time

def handler(event, context):
    folder = os.environ["FOLDER"]
    with open(os.path.join(folder, "asked"), "a") as file:
        file.write(f"{event['track']} {event['n']}\\n")
    if event["track"] == "crash":
        os._exit(1)
    if event["track"] == "damaged":
        return {"error": {"code": "corrupt-media", "message": "Broken.", "status": 422}}
    while event["track"] == "slow" and not os.path.exists(os.path.join(folder, "go")):
        time.sleep(0.01)
    return {"made": event["track"] != "elsewhere"}
"""


class Made:
    """A pool of two workers and what its function was asked."""

    def __init__(self, folder: Path, maker: PooledMaker) -> None:
        self.folder = folder
        self.maker = maker

    def make(self, track: str, n: int | None) -> bool:
        return self.maker.make(segment_request(HASH, track, n))

    def asked(self) -> list[str]:
        path = self.folder / "asked"
        return path.read_text().splitlines() if path.exists() else []

    def go(self) -> None:
        (self.folder / "go").touch()


@contextmanager
def pool(folder: Path, limit: int = 20) -> Iterator[Made]:
    with (folder / "worker.log").open("ab") as log:
        workers = [WorkerProcess(log=log) for _ in range(2)]
        function = single_function(folder, HANDLER)
        maker = PooledMaker({"segment": function}, {function.name: {"FOLDER": str(folder)}}, workers, limit)
        yield Made(folder, maker)
        maker.close()
        assert all(worker.pid is None for worker in workers)


def asking(threads: ThreadPoolExecutor, made: Made, track: str, *numbers: int) -> list[Future[bool]]:
    return [threads.submit(made.make, track, n) for n in numbers]


def test_answers_of_the_function_are_passed_on(tmp_path):
    with pool(tmp_path) as made:
        assert made.make("video/a", 3) is True
        assert made.make("elsewhere", None) is False
        with pytest.raises(CorruptMedia, match="corrupt-media"):
            made.make("damaged", 0)
        with pytest.raises(Unavailable):
            made.make("crash", 0)
        assert made.make("video/a", 3) is True, "a new process has taken the place"
        assert made.asked() == ["video/a 3", "elsewhere None", "damaged 0", "crash 0", "video/a 3"]


def test_those_who_ask_for_the_same_segment_share_it(tmp_path):
    with pool(tmp_path) as made, ThreadPoolExecutor(9) as threads:
        same = asking(threads, made, "slow", *[4] * 8)
        wait_until(lambda: made.asked() == ["slow 4"])
        (other,) = asking(threads, made, "video/a", 1)
        assert other.result(10), "there is a second worker"
        made.go()
        assert [one.result(10) for one in same] == [True] * 8
        assert sorted(made.asked()) == ["slow 4", "video/a 1"]


def test_beyond_the_limit_nobody_waits(tmp_path):
    with pool(tmp_path, limit=3) as made, ThreadPoolExecutor(3) as threads:
        waiting = asking(threads, made, "slow", 0, 1, 2)
        wait_until(lambda: len(made.asked()) == 2)
        wait_until(lambda: made.maker.waiting == 3)
        begun = time.monotonic()
        for n in (0, 3):
            with pytest.raises(Pending):
                made.make("slow", n)
        assert time.monotonic() - begun < 1
        made.go()
        assert all(one.result(10) for one in waiting)
        assert made.make("slow", 3)


def test_closing_ends_what_is_under_way_and_whoever_waits(tmp_path):
    with pool(tmp_path) as made, ThreadPoolExecutor(4) as threads:
        waiting = asking(threads, made, "slow", 0, 1, 2, 3)
        wait_until(lambda: len(made.asked()) == 2)
        closing = [threading.Thread(target=made.maker.close) for _ in range(2)]
        for one in closing:
            one.start()
        for one in waiting:
            with pytest.raises(Unavailable):
                one.result(5)
        for one in closing:
            one.join()
        with pytest.raises(Unavailable):
            made.make("video/a", 0)
