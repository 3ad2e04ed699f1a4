"""SQLite queues under several threads and processes, some of which are killed."""

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
from tests.contract.queue_suite import numbers

SETTINGS = Settings.from_env({})
MESSAGES = 500
_OPEN = """
import sys, threading, time
from pathlib import Path
from kinora.queues.base import QueueName, QueueSpec
from kinora.queues.sqlite import SqliteQueues
from kinora.settings import Settings
queues = SqliteQueues(Path(sys.argv[1]), Settings.from_env({}))
def wait_for_the_others():
    print("ready", flush=True)
    sys.stdin.readline()
"""
_WORKER = (
    _OPEN
    + """
def work():
    while messages := queues.receive("encode", 3):
        for message in messages:
            handled.append(message.body)
            time.sleep(0.01)  # as if it were work: one process must not be through before the next has begun
            assert queues.delete("encode", message.receipt)
handled = []
wait_for_the_others()
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


def _python(code: str, *arguments: object) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", code, *map(str, arguments)]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def _start_together(processes: list[subprocess.Popen[str]]) -> list[str]:
    """Let all of them go on when all are ready; what each prints then."""
    for process in processes:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("go\n")
        process.stdin.flush()
    return [process.communicate(timeout=120)[0] for process in processes]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "kinora.db"


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
    shares = [json.loads(answer) for answer in _start_together(workers)]
    assert Counter(body["n"] for share in shares for body in share) == Counter(range(MESSAGES))
    assert sum(bool(share) for share in shares) > 1
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
    code = _OPEN + 'wait_for_the_others(); queues.send(QueueName.ENCODE, [{"n": 1}]); queues.close(); print("sent")'
    senders = [_python(code, path) for _ in range(4)]
    assert _start_together(senders) == ["sent\n"] * 4
    queues = SqliteQueues(path, SETTINGS)
    assert queues.depth("encode") == QueueDepth(4, 0, 0)
    queues.close()
