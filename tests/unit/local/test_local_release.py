"""What the owner of a data folder may do with its queues beside sending and receiving."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from kinora.queues.base import QueueName, QueueSpec
from kinora.queues.sqlite import SqliteQueues
from kinora.settings import Settings


@pytest.fixture
def queues(tmp_path: Path) -> Iterator[SqliteQueues]:
    one = SqliteQueues(tmp_path / "kinora.db", Settings.from_env({}))
    one.declare(QueueSpec("image", 60, max_receive_count=2, dead_letter_queue="dead"))
    yield one
    one.close()


def names(queues: SqliteQueues, limit: int = 10) -> list[tuple[str, int]]:
    return [(message.body, message.receive_count) for message in queues.receive("image", limit)]


def test_released_messages_come_again_at_their_old_place(queues: SqliteQueues) -> None:
    queues.send(QueueName.IMAGE, [{"n": 1}])
    assert [body for body, _ in names(queues)] == ['{"n":1}']
    time.sleep(0.01)
    queues.send(QueueName.IMAGE, [{"n": 2}])
    assert queues.release_all() == 1
    assert [body for body, _ in names(queues)] == ['{"n":1}', '{"n":2}']


def test_a_message_that_kills_its_machine_again_and_again_is_exhausted_some_day(queues: SqliteQueues) -> None:
    queues.send(QueueName.IMAGE, [{"n": 1}])
    for _ in range(50):
        if not names(queues):
            break
        queues.release_all()
    assert queues.depth("dead").visible == 1


def test_forgiven_receives_do_not_count(queues: SqliteQueues) -> None:
    queues.send(QueueName.IMAGE, [{"n": 1}])
    for _ in range(5):
        assert names(queues) == [('{"n":1}', 1)]
        assert queues.release_all(forgive=True) == 1


def test_delayed_and_waiting_messages_are_not_touched(queues: SqliteQueues) -> None:
    queues.send(QueueName.IMAGE, [{"n": 1}], delay=60)
    queues.send(QueueName.IMAGE, [{"n": 2}])
    assert queues.release_all() == 0
    depth = queues.depth("image")
    assert (depth.visible, depth.in_flight, depth.delayed) == (1, 0, 1)


def test_a_released_receipt_is_worth_nothing(queues: SqliteQueues) -> None:
    queues.send(QueueName.IMAGE, [{"n": 1}])
    (message,) = queues.receive("image")
    queues.release_all()
    assert not queues.delete("image", message.receipt)


def test_any_text_can_be_sent_to_a_queue_by_its_name(queues: SqliteQueues) -> None:
    queues.send_to("dead", "not JSON")
    assert [message.body for message in queues.receive("dead")] == ["not JSON"]
