from __future__ import annotations

import json
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from kinora.queues.base import QueueDepth, QueueName, QueueSpec
from kinora.queues.sqlite import SqliteQueues
from kinora.settings import Settings
from tests.contract.queue_suite import DEAD, ENCODES, IMAGES, QueueContract, Room, numbers

SETTINGS = Settings.from_env({})


class Clock:
    def __init__(self) -> None:
        self.now = 1_773_480_413.5

    def __call__(self) -> float:
        return self.now

    def pass_time(self, seconds: float) -> None:
        self.now += seconds


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "data" / "kinora.db"


@pytest.fixture
def queues(path: Path, clock: Clock) -> Iterator[SqliteQueues]:
    queues = SqliteQueues(path, SETTINGS, clock=clock)
    for spec in (IMAGES, ENCODES, DEAD):
        queues.declare(spec)
    yield queues
    queues.close()


@pytest.fixture
def room(queues: SqliteQueues, clock: Clock) -> Room:
    return Room(queues, clock.pass_time)


class TestSqlite(QueueContract):
    def test_everything_is_there_after_a_restart(self, room: Room, path: Path, clock: Clock) -> None:
        room.send(1, 2)
        (taken,) = room.queues.receive("image")
        again = SqliteQueues(path, SETTINGS, clock=clock)
        assert numbers(again.receive("image", 5)) == [2]
        assert again.delete("image", taken.receipt) is True
        again.close()

    def test_a_sender_needs_no_numbers_and_sees_new_ones_at_once(self, queues: SqliteQueues, path: Path, clock: Clock) -> None:
        other = SqliteQueues(path, SETTINGS, clock=clock)
        queues.declare(QueueSpec("image", visibility_timeout=7))
        other.send(QueueName.IMAGE, [{"n": 1}])
        other.receive("image")
        clock.pass_time(6.9)
        assert queues.receive("image") == ()
        clock.pass_time(0.2)
        assert len(queues.receive("image")) == 1
        other.close()

    def test_a_queue_nobody_declared_hides_for_thirty_seconds(self, queues: SqliteQueues, clock: Clock) -> None:
        queues.send(QueueName.PREPARE, [{"n": 1}])
        queues.receive("prepare")
        clock.pass_time(29.9)
        assert queues.receive("prepare") == ()
        clock.pass_time(0.2)
        assert len(queues.receive("prepare")) == 1

    def test_queues_go_by_the_names_of_the_settings(self, path: Path) -> None:
        queues = SqliteQueues(path, Settings.from_env({"KINORA_IMAGE_QUEUE": "kinora-images"}))
        queues.send(QueueName.IMAGE, [{"n": 1}])
        assert queues.depth("kinora-images").visible == 1
        queues.close()

    def test_a_message_that_keeps_failing_starves_nobody(self, room: Room) -> None:
        room.queues.send(QueueName.ENCODE, [{"n": n} for n in range(3)])
        seen = []
        for _ in range(6):
            (message,) = room.queues.receive("encode")
            seen += numbers([message])
            room.pass_time(0.001)
            room.queues.change_visibility("encode", message.receipt, 0)
        assert seen == [0, 1, 2, 0, 1, 2]

    def test_messages_are_dropped_after_their_retention(self, queues: SqliteQueues, clock: Clock) -> None:
        queues.declare(QueueSpec("encode", visibility_timeout=2, retention=100))
        queues.send(QueueName.ENCODE, [{"n": 1}])
        clock.pass_time(50)
        queues.send(QueueName.ENCODE, [{"n": 2}])
        clock.pass_time(50)
        assert queues.depth("encode") == QueueDepth(1, 0, 0)
        assert numbers(queues.peek("encode")) == [2]
        assert numbers(queues.receive("encode", 5)) == [2]

    def test_a_message_that_is_visible_again_cannot_be_held_longer(self, room: Room) -> None:
        room.send(1)
        (message,) = room.queues.receive("image")
        room.pass_time(2)
        assert room.queues.change_visibility("image", message.receipt, 60) is False
        assert room.queues.delete("image", message.receipt) is True

    def test_dead_letters_can_be_read_and_stay(self, queues: SqliteQueues, clock: Clock) -> None:
        queues.send(QueueName.IMAGE, [{"n": n} for n in range(3)])
        for _ in range(2):
            assert len(queues.receive("image", 5)) == 3
            clock.pass_time(2)
        assert queues.receive("image", 5) == ()
        for _ in range(2):
            dead = queues.peek("image-dead", 2)
            assert numbers(dead) == [0, 1]
            assert {(message.receive_count, message.receipt) for message in dead} == {(2, "")}
        assert queues.depth("image-dead") == QueueDepth(3, 0, 0)

    def test_looking_into_an_empty_queue_waits_for_no_writer(self, queues: SqliteQueues, path: Path) -> None:
        with _AnotherWriter(path):
            started = time.monotonic()
            assert queues.receive("image") == ()
            assert queues.depth("image") == QueueDepth(0, 0, 0)
            assert time.monotonic() - started < 5


class _AnotherWriter:
    """Another process in the middle of a write."""

    def __init__(self, path: Path) -> None:
        code = (
            "import sqlite3, sys; c = sqlite3.connect(sys.argv[1], isolation_level=None);"
            "c.execute('BEGIN IMMEDIATE'); print('held', flush=True); sys.stdin.read(); c.execute('ROLLBACK'); c.close()"
        )
        self._process = _python(code, path)

    def __enter__(self) -> None:
        assert self._process.stdout is not None
        assert self._process.stdout.readline() == "held\n"

    def __exit__(self, *_: object) -> None:
        self._process.communicate()


def _python(code: str, *arguments: object) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", code, *map(str, arguments)]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


MESSAGES = 500
_OPEN = """
import sys, threading, time
from pathlib import Path
from kinora.queues.base import QueueName, QueueSpec
from kinora.queues.sqlite import SqliteQueues
from kinora.settings import Settings
queues = SqliteQueues(Path(sys.argv[1]), Settings.from_env({}))
"""
_WORKER = (
    _OPEN
    + """
def work():
    while messages := queues.receive("encode", 3):
        for message in messages:
            handled.append(message.body)
            assert queues.delete("encode", message.receipt)
handled = []
sys.stdin.readline()
threads = [threading.Thread(target=work) for _ in range(2)]
for thread in threads: thread.start()
for thread in threads: thread.join()
queues.close()
print("[" + ",".join(handled) + "]")
"""
)
_TAKER = _OPEN + 'print(queues.receive("encode")[0].body, flush=True); sys.stdin.read()'
_SENDER = (
    _OPEN
    + """
for n in range(100000):
    queues.send(QueueName.ENCODE, [{"n": n}] * 10)
    print(n, flush=True)
"""
)


@pytest.fixture
def shared(path: Path) -> Iterator[SqliteQueues]:
    queues = SqliteQueues(path, SETTINGS)
    queues.declare(QueueSpec("encode", visibility_timeout=60))
    yield queues
    queues.close()


def test_eight_threads_handle_each_message_once(shared: SqliteQueues) -> None:
    shared.send(QueueName.ENCODE, [{"n": n} for n in range(MESSAGES)])
    handled: list[int] = []

    def work() -> None:
        while messages := shared.receive("encode", 3):
            for message in messages:
                handled.extend(numbers([message]))
                assert shared.delete("encode", message.receipt)

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert Counter(handled) == Counter(range(MESSAGES))
    assert shared.depth("encode") == QueueDepth(0, 0, 0)


def test_eight_workers_in_four_processes_handle_each_message_once(shared: SqliteQueues, path: Path) -> None:
    shared.send(QueueName.ENCODE, [{"n": n} for n in range(MESSAGES)])
    workers = [_python(_WORKER, path) for _ in range(4)]
    shares = [json.loads(worker.communicate("go\n", timeout=120)[0]) for worker in workers]
    assert Counter(body["n"] for share in shares for body in share) == Counter(range(MESSAGES))
    assert shared.depth("encode") == QueueDepth(0, 0, 0)


def test_the_message_of_a_killed_worker_returns_after_the_timeout(shared: SqliteQueues, path: Path) -> None:
    shared.declare(QueueSpec("encode", visibility_timeout=1))
    shared.send(QueueName.ENCODE, [{"n": 1}])
    worker = _python(_TAKER, path)
    assert worker.stdout is not None
    assert worker.stdout.readline() == '{"n":1}\n'
    taken = time.monotonic()
    worker.kill()
    worker.communicate()
    assert worker.returncode == -signal.SIGKILL
    while not (back := shared.receive("encode")):
        assert time.monotonic() - taken < 10
        time.sleep(0.02)
    assert (numbers(back), back[0].receive_count) == ([1], 2)


def test_a_killed_sender_leaves_whole_batches_and_all_that_it_reported(shared: SqliteQueues, path: Path) -> None:
    sender = _python(_SENDER, path)
    assert sender.stdout is not None
    for _ in range(20):
        sender.stdout.readline()
    sender.kill()
    rest, _ = sender.communicate()
    reported = 20 + rest.count("\n")
    sent = shared.depth("encode").visible
    assert sent % 10 == 0
    assert reported * 10 <= sent <= (reported + 1) * 10
    counts = Counter(numbers(shared.receive("encode", sent)))
    assert set(counts.values()) == {10}
    assert set(range(reported)) <= set(counts)


def test_new_files_can_be_opened_by_many_processes_at_once(path: Path) -> None:
    code = _OPEN + 'sys.stdin.readline(); queues.send(QueueName.ENCODE, [{"n": 1}]); queues.close(); print("sent")'
    senders = [_python(code, path) for _ in range(4)]
    assert [sender.communicate("go\n", timeout=60)[0] for sender in senders] == ["sent\n"] * 4
    queues = SqliteQueues(path, SETTINGS)
    assert queues.depth("encode") == QueueDepth(4, 0, 0)
    queues.close()
