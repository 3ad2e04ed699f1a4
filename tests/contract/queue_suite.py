"""What every queue driver does, as tests: a driver's test class inherits QueueContract and provides the fixture `room`.

A driver that deviates overrides the test with a strict xfail that says why, so a deviation that is none fails.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import pytest

from kinora.errors import InvalidInput, LimitExceeded
from kinora.queues.base import Message, QueueDepth, QueueName, QueueReceiver, QueueSender, QueueSpec

IMAGES = QueueSpec("image", visibility_timeout=2, max_receive_count=2, dead_letter_queue="image-dead")
ENCODES = QueueSpec("encode", visibility_timeout=2)
DEAD = QueueSpec("image-dead")


class Queues(QueueSender, QueueReceiver, Protocol):
    """Both sides of a driver."""


@dataclass(frozen=True)
class Room:
    """A driver on which IMAGES, ENCODES and DEAD exist and are empty; `pass_time` lets so many seconds go by."""

    queues: Queues
    pass_time: Callable[[float], None]

    def send(self, *numbers: int, delay: int = 0) -> None:
        self.queues.send(QueueName.IMAGE, [{"n": n} for n in numbers], delay=delay)

    def receive_all(self, queue: str = "image") -> list[Message]:
        found: list[Message] = []
        while batch := self.queues.receive(queue, 10):
            found += batch
        return found


def numbers(messages: list[Message] | tuple[Message, ...]) -> list[int]:
    return [json.loads(message.body)["n"] for message in messages]


class QueueContract:
    def test_a_message_arrives_as_it_was_sent(self, room: Room) -> None:
        body = {"task": "image", "job": "5e8c", "name": "bé 日本 🎞 \u0001\u007f", "first": 3, "deep": {"list": [1, None, True]}}
        room.queues.send(QueueName.IMAGE, [body])
        (message,) = room.queues.receive("image")
        assert json.loads(message.body) == body
        assert message.receive_count == 1
        assert message.sent_at <= message.first_received_at <= message.sent_at + 5

    def test_queues_are_apart(self, room: Room) -> None:
        room.send(1)
        assert room.queues.receive("encode") == ()
        (message,) = room.queues.receive("image")
        assert room.queues.depth("encode") == QueueDepth(0, 0, 0)
        assert message.body == '{"n":1}'

    def test_nothing_to_send_is_nothing_sent(self, room: Room) -> None:
        room.send()
        assert room.queues.depth("image") == QueueDepth(0, 0, 0)

    def test_the_oldest_come_first_and_the_limit_holds(self, room: Room) -> None:
        room.send(0, 1, 2)
        room.send(3, 4)
        assert numbers(room.queues.receive("image", 3)) == [0, 1, 2]
        assert numbers(room.queues.receive("image", 3)) == [3, 4]

    def test_many_messages_in_one_call(self, room: Room) -> None:
        room.send(*range(25))
        found = room.receive_all()
        assert numbers(found) == list(range(25))
        assert len({message.id for message in found}) == 25
        assert len({message.receipt for message in found}) == 25

    def test_messages_that_together_are_too_large_for_one_request(self, room: Room) -> None:
        bodies = [{"n": n, "filling": "x" * 100_000} for n in range(5)]
        room.queues.send(QueueName.IMAGE, bodies)
        assert [json.loads(message.body) for message in room.receive_all()] == bodies

    def test_what_is_in_work_is_hidden_until_the_timeout(self, room: Room) -> None:
        room.send(1)
        (first,) = room.queues.receive("image")
        assert room.queues.receive("image") == ()
        room.pass_time(2.1)
        (again,) = room.queues.receive("image")
        assert (again.id, again.receive_count) == (first.id, 2)
        assert again.receipt != first.receipt
        assert (again.sent_at, again.first_received_at) == (first.sent_at, first.first_received_at)

    def test_a_deleted_message_never_returns(self, room: Room) -> None:
        room.send(1)
        (message,) = room.queues.receive("image")
        assert room.queues.delete("image", message.receipt) is True
        room.pass_time(2.1)
        assert room.queues.receive("image") == ()

    def test_an_unknown_receipt_does_nothing(self, room: Room) -> None:
        room.send(1)
        assert room.queues.delete("image", "no such receipt") is False
        assert room.queues.change_visibility("image", "no such receipt", 5) is False
        assert numbers(room.queues.receive("image")) == [1]

    def test_an_old_receipt_has_no_effect(self, room: Room) -> None:
        room.send(1)
        (old,) = room.queues.receive("image")
        room.queues.change_visibility("image", old.receipt, 0)
        (new,) = room.queues.receive("image")
        assert room.queues.delete("image", old.receipt) is False
        assert room.queues.change_visibility("image", old.receipt, 0) is False
        assert room.queues.delete("image", new.receipt) is True

    def test_a_message_can_be_given_back_at_once(self, room: Room) -> None:
        room.send(1)
        (message,) = room.queues.receive("image")
        assert room.queues.change_visibility("image", message.receipt, 0) is True
        assert room.queues.receive("image")[0].receive_count == 2

    def test_a_message_can_be_held_for_longer(self, room: Room) -> None:
        room.send(1)
        (message,) = room.queues.receive("image")
        assert room.queues.change_visibility("image", message.receipt, 60) is True
        room.pass_time(2.1)
        assert room.queues.receive("image") == ()

    def test_a_delayed_message_waits(self, room: Room) -> None:
        room.send(1, delay=1)
        assert room.queues.receive("image") == ()
        assert room.queues.depth("image") == QueueDepth(visible=0, in_flight=0, delayed=1)
        room.pass_time(1.1)
        assert numbers(room.queues.receive("image")) == [1]

    def test_what_fails_too_often_becomes_a_dead_letter(self, room: Room) -> None:
        room.send(1, 2)
        for count in (1, 2):
            (message,) = room.queues.receive("image")
            assert (numbers([message]), message.receive_count) == ([1], count)
            hold = room.queues.receive("image")
            room.queues.change_visibility("image", message.receipt, 0)
            for other in hold:
                room.queues.delete("image", other.receipt)
        assert room.queues.receive("image") == ()
        (dead,) = room.queues.receive("image-dead")
        assert (dead.id, dead.body) == (message.id, message.body)

    def test_without_dead_letters_a_message_is_tried_for_ever(self, room: Room) -> None:
        room.queues.send(QueueName.ENCODE, [{"n": 1}])
        for count in range(1, 8):
            (message,) = room.queues.receive("encode")
            assert message.receive_count == count
            room.queues.change_visibility("encode", message.receipt, 0)

    def test_depth_counts_each_message_once(self, room: Room) -> None:
        room.send(1, 2, 3)
        room.send(4, delay=60)
        room.queues.receive("image")
        assert room.queues.depth("image") == QueueDepth(visible=2, in_flight=1, delayed=1)

    def test_what_can_never_be_sent_is_refused_and_sends_nothing(self, room: Room) -> None:
        for unfit in ({"n": object()}, {"n": float("nan")}):
            with pytest.raises(InvalidInput):
                room.queues.send(QueueName.IMAGE, [{"n": 1}, unfit])
        with pytest.raises(LimitExceeded):
            room.queues.send(QueueName.IMAGE, [{"n": 1}, {"n": "x" * 256 * 1024}])
        for delay in (-1, 901):
            with pytest.raises(InvalidInput):
                room.send(1, delay=delay)
        assert room.queues.depth("image") == QueueDepth(0, 0, 0)

    def test_a_timeout_outside_of_half_a_day_is_refused(self, room: Room) -> None:
        room.send(1)
        (message,) = room.queues.receive("image")
        for timeout in (-1, 43_201):
            with pytest.raises(InvalidInput):
                room.queues.change_visibility("image", message.receipt, timeout)


def really_wait(seconds: float) -> None:
    time.sleep(seconds)
