"""The dispatcher on a small stack: what succeeds is done with, what fails is tried again by the template's numbers."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from kinora.errors import AlreadyExists, NoSpace
from kinora.local.dispatch import Dispatcher
from kinora.local.house import Options
from kinora.local.invocations import Invocations, add_invocation
from kinora.local.lock import InstanceLock, running_instance
from kinora.local.pool import Outcome, WorkerProcess
from kinora.local.sources.base import Chaos, Work, failed_items
from kinora.local.sources.filters import matches
from kinora.queues.base import QueueName
from tests.unit.local.small_house import SmallStack
from tests.unit.local.small_stack import wait_until


@pytest.fixture
def stack(tmp_path: Path) -> Iterator[SmallStack]:
    one = SmallStack(tmp_path)
    yield one
    one.close()


def test_messages_are_delivered_deleted_and_only_the_failed_one_comes_again(stack: SmallStack) -> None:
    stack.send({"name": "a"}, {"name": "b", "fail": 1}, {"name": "c"})
    with stack.house():
        wait_until(lambda: stack.is_empty("image"))
    assert sorted(note[:2] for note in stack.notes()) == [["a", 1], ["b", 1], ["b", 2], ["c", 1]]


def test_an_exhausted_message_is_a_dead_letter(stack: SmallStack) -> None:
    stack.send({"name": "a", "fail": 9})
    with stack.house():
        wait_until(lambda: stack.dead_letters("image-dead-letters"))
    assert [note[:2] for note in stack.notes()] == [["a", 1], ["a", 2]]
    assert stack.dead_letters("image-dead-letters") == [{"name": "a", "fail": 9}]


@pytest.mark.parametrize("accident", ["crash", "hang"])
def test_a_message_survives_the_worker_that_had_it(stack: SmallStack, accident: str) -> None:
    stack.send({"name": "a", accident: 1})
    with stack.house():
        wait_until(lambda: stack.is_empty("image"))
    (first, second) = stack.notes()
    assert first[2] != second[2]


def test_a_killed_worker_is_replaced(stack: SmallStack) -> None:
    stack.send({"name": "a", "stall": 1}, queue=QueueName.ENCODE)
    with stack.house():
        wait_until(stack.notes)
        os.kill(stack.notes()[0][2], signal.SIGKILL)
        wait_until(lambda: stack.is_empty("encode"))
    assert [note[1] for note in stack.notes()] == [1, 1]


def test_encoding_never_holds_up_short_work(stack: SmallStack) -> None:
    stack.send({"name": "long", "hang": 1}, {"name": "longer", "hang": 1}, queue=QueueName.ENCODE)
    with stack.house():
        wait_until(stack.notes)
        stack.send({"name": "short"})
        wait_until(lambda: stack.is_empty("image"), 0.9)  # the function's timeout ends the long one after a second
    assert [note[0] for note in stack.notes()][:2] == ["long", "short"]


def test_asynchronous_invocations_are_retried_and_given_up(stack: SmallStack) -> None:
    stack.invoke(name="good")
    stack.invoke(name="bad", fail=True)
    with stack.house():
        wait_until(lambda: stack.dead_letters("ingest-dead-letters"))
    assert sorted(note[1] for note in stack.notes()) == ["bad", "bad", "good"]
    (record,) = stack.dead_letters("ingest-dead-letters")
    assert record["requestPayload"] == {"name": "bad", "fail": True}
    assert record["requestContext"]["condition"] == "RetriesExhausted"
    assert record["requestContext"]["approximateInvokeCount"] == 2
    assert record["responsePayload"]["errorType"] == "ValueError"


def test_an_event_for_a_function_that_is_gone_holds_nothing_up(stack: SmallStack) -> None:
    with stack.tables.write() as connection:
        add_invocation(connection, "FormerFunction", "a", {})
    stack.invoke(name="good")
    with stack.house():
        wait_until(lambda: stack.notes() == [["ingest", "good"]])
    assert not Invocations(stack.tables).waiting("a")


class Stubborn:
    """An event source with one piece of work, which the database refuses to settle at first."""

    background = False

    def __init__(self) -> None:
        self.outcomes: list[Outcome] = []
        self.taken = False

    def take(self) -> Work | None:
        if self.taken:
            return None
        self.taken = True
        return Work("IngestFunction", {"name": "a"}, self.settle)

    def settle(self, outcome: Outcome) -> None:
        self.outcomes.append(outcome)
        if len(self.outcomes) == 1:
            raise NoSpace("no space left")


def test_an_outcome_is_recorded_when_the_database_can_again(stack: SmallStack, tmp_path: Path) -> None:
    source = Stubborn()
    with (tmp_path / "log").open("ab") as log:
        worker = WorkerProcess(log=log)
        environments = {name: {"KINORA_DATA": str(stack.data)} for name in stack.plan.functions}
        dispatcher = Dispatcher(stack.plan, [source], [worker], environments)
        dispatcher.start(stack.database)
        wait_until(lambda: len(source.outcomes) == 2)
        dispatcher.stop()
    assert stack.notes() == [["ingest", "a"]]


def test_committed_events_go_through_in_order_and_once(stack: SmallStack) -> None:
    stack.commit("one", "two")
    stack.commit("three")
    with stack.house():
        wait_until(lambda: not stack.metadata.outbox.pending())
    assert [note[1] for note in stack.notes()] == ["one", "two", "three"]


def test_a_bad_event_is_set_aside_and_its_neighbours_go_through(stack: SmallStack) -> None:
    stack.commit("good", "bad", "next")
    with stack.house():
        wait_until(lambda: not stack.metadata.outbox.pending())
    assert [note[1] for note in stack.notes()] == ["good", "bad", "bad", "next"]
    (record,) = stack.dead_letters("notify-dead-letters")
    assert record["requestContext"]["condition"] == "RetryAttemptsExhausted"


def test_a_schedule_runs_when_it_is_due_and_not_before(stack: SmallStack) -> None:
    with stack.house():
        time.sleep(0.7)
    assert stack.notes() == []
    with stack.tables.write() as connection:
        connection.execute("UPDATE local_schedules SET due_at = due_at - 86400 * 3")
    with stack.house():
        wait_until(stack.notes)
        time.sleep(0.7)
    assert stack.notes() == [["scheduled", "Scheduled Event"]]


def test_everything_can_be_delivered_twice(stack: SmallStack) -> None:
    stack.send({"name": "a"})
    stack.invoke(name="b")
    with stack.house(Options(workers=1, chaos=Chaos(deliver_twice=True, shuffle=True))):
        wait_until(lambda: len(stack.notes()) == 4)
        wait_until(lambda: stack.is_empty("image"))
    assert sorted(note[0] for note in stack.notes()) == ["a", "a", "ingest", "ingest"]


def test_stopping_gives_work_back_uncounted(stack: SmallStack) -> None:
    stack.allow("ImageFunction", 60)
    stack.send({"name": "a", "hang": 1})
    with stack.house():
        wait_until(stack.notes)
        begun = time.monotonic()
    assert time.monotonic() - begun < 5
    (message,) = stack.queues.receive("image")
    assert message.receive_count == 1


KILLED = """
    import sys, time
    from pathlib import Path
    from kinora.local.house import House, Options
    from kinora.local.lock import InstanceLock
    from kinora.local.reading import read_plan
    data = Path(sys.argv[1])
    lock = InstanceLock(data).acquire()
    with House(read_plan(data.parent / "template.yaml"), lock, data, {}, Options(workers=1)):
        time.sleep(60)
"""


def test_after_kill_everything_goes_on_at_once(stack: SmallStack) -> None:
    stack.send({"name": "image", "fail": 0, "stall": 1})
    with subprocess.Popen([sys.executable, "-c", textwrap.dedent(KILLED), str(stack.data)]) as process:
        wait_until(stack.notes)
        process.kill()
    assert stack.queues.depth("image").in_flight == 1
    with stack.house():
        wait_until(lambda: stack.is_empty("image"), 5)
    assert [note[:2] for note in stack.notes()] == [["image", 1], ["image", 1]]


def test_one_instance_for_one_folder(tmp_path: Path) -> None:
    data = tmp_path / "data"
    assert running_instance(data) is None
    with InstanceLock(data).acquire() as lock:
        lock.announce("http://127.0.0.1:1")
        with pytest.raises(AlreadyExists) as caught:
            InstanceLock(data).acquire()
        assert "http://127.0.0.1:1" in caught.value.public_message
        running = running_instance(data)
        assert running is not None
        assert (running.pid, running.url) == (os.getpid(), "http://127.0.0.1:1")
    assert running_instance(data) is None
    InstanceLock(data).acquire().release()


@pytest.mark.parametrize(
    ("response", "failed"),
    [
        (None, []),
        ({}, []),
        ({"batchItemFailures": None}, []),
        ({"batchItemFailures": []}, []),
        ({"batchItemFailures": [{"itemIdentifier": "b"}]}, ["b"]),
        ({"batchItemFailures": [{"itemIdentifier": "unknown"}]}, ["a", "b"]),
        ({"batchItemFailures": [{"itemIdentifier": ""}]}, ["a", "b"]),
        ({"batchItemFailures": [{"wrong": "b"}]}, ["a", "b"]),
        ({"batchItemFailures": "b"}, ["a", "b"]),
        ("nonsense", ["a", "b"]),
    ],
)
def test_partial_batch_failures_as_aws_reads_them(response: object, failed: list[str]) -> None:
    assert failed_items(response, ["a", "b"]) == failed


@pytest.mark.parametrize(
    ("pattern", "matching"),
    [
        ({"a": {"b": ["x", "y"]}}, True),
        ({"a": {"b": ["z"]}}, False),
        ({"a": {"b": [{"prefix": "x"}]}}, True),
        ({"a": {"b": [{"prefix": "z"}]}}, False),
        ({"a": {"b": [{"exists": True}], "c": [{"exists": False}]}}, True),
        ({"a": {"b": {"deeper": ["x"]}}}, False),
        ({"a": {"missing": ["x"]}}, False),
        ({}, True),
    ],
)
def test_event_patterns(pattern: dict[str, object], matching: bool) -> None:
    assert matches(pattern, {"a": {"b": "x"}}) is matching


def test_workers_end_with_the_house(stack: SmallStack) -> None:
    stack.send({"name": "a"})
    with stack.house() as house:
        wait_until(lambda: stack.is_empty("image"))
        pids = house.worker_pids
        assert pids
    assert house.worker_pids == ()
    for pid in pids:
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)
