from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from kinora.queues.base import QueueDepth, QueueName, QueueSpec
from kinora.queues.sqlite import MOST_FORGIVEN, SqliteQueues
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
        with closing(sqlite3.connect(path, isolation_level=None)) as writer:
            writer.execute("BEGIN IMMEDIATE")
            started = time.monotonic()
            assert queues.receive("image") == ()
            assert queues.depth("image") == QueueDepth(0, 0, 0)
            assert time.monotonic() - started < 5

    def test_a_receiver_that_was_killed_does_not_count_at_first(self, room: Room, queues: SqliteQueues) -> None:
        room.send(1)
        for _ in range(MOST_FORGIVEN):
            (message,) = queues.receive("image")
            assert message.receive_count == 1
            assert queues.give_back("image", message.receipt, 0) is True
            assert queues.give_back("image", message.receipt, 0) is False
        counts = []
        for _ in range(2):
            (message,) = queues.receive("image")
            counts.append(message.receive_count)
            queues.give_back("image", message.receipt, 0)
        assert counts == [1, 2]

    def test_the_backlog_names_declared_queues_and_those_with_messages(self, queues: SqliteQueues, clock: Clock) -> None:
        queues.check()
        assert [one.queue for one in queues.backlog() if one.oldest_seconds or one.depth != QueueDepth(0, 0, 0)] == []
        queues.send(QueueName.PREPARE, [{"n": 1}])
        queues.send(QueueName.IMAGE, [{"n": 1}, {"n": 2}])
        queues.receive("image")
        clock.pass_time(1)
        waiting = {one.queue: one for one in queues.backlog()}
        assert (waiting["image"].depth, waiting["image"].oldest_seconds) == (QueueDepth(1, 1, 0), 1.0)
        assert waiting["prepare"].depth == QueueDepth(1, 0, 0)
        assert list(waiting) == sorted(waiting)
