from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from typing import Any

import pytest

from kinora.errors import InvalidEvent
from kinora.events import queue_records, sqs_event, stream_event, stream_events
from kinora.model import Event
from kinora.queues.base import Message
from tests.unit.event_fixtures import fixture, shape, without

QUEUE_ARN = "arn:aws:sqs:local:000000000000:image"
STREAM_ARN = "arn:aws:dynamodb:local:000000000000:table/jobs/stream/now"


class TestQueueRecords:
    def test_bodies_and_counts(self) -> None:
        records = queue_records(fixture("sqs-encode.json"))
        assert [record.body["task"] for record in records] == ["encode", "audio", "poster"]
        assert [record.receive_count for record in records] == [1, 1, 2]
        assert {record.error for record in records} == {None}

    @pytest.mark.parametrize("body", ["", "{", "[]", '"text"', "7", "null", "[" * 100_000, "9" * 5000])
    def test_a_poison_body_is_the_problem_of_its_message_alone(self, body: str) -> None:
        event = fixture("sqs-encode.json")
        event["Records"][1]["body"] = body
        first, poison, last = queue_records(event)
        assert (first.error, last.error) == (None, None)
        assert poison.body == {}
        assert isinstance(poison.error, InvalidEvent)
        assert poison.message_id in str(poison.error)

    @pytest.mark.parametrize("path", ["body", "attributes", "attributes.ApproximateReceiveCount"])
    def test_a_message_with_a_part_missing_is_poison(self, path: str) -> None:
        first, second, _ = queue_records(without(fixture("sqs-encode.json"), path))
        assert path in str(first.error)
        assert second.error is None

    def test_a_message_without_an_id_makes_the_event_invalid(self) -> None:
        with pytest.raises(InvalidEvent, match="messageId"):
            queue_records(without(fixture("sqs-image.json"), "messageId"))


class TestSqsEvent:
    MESSAGE = Message("m-1", "r-1", '{"task":"image","name":"日本"}', 3, 1_773_480_413.589, 1_773_480_414.25)

    def test_comes_back_as_it_went(self) -> None:
        (record,) = queue_records(json.loads(json.dumps(sqs_event([self.MESSAGE], QUEUE_ARN))))
        assert (record.message_id, record.receive_count, record.error) == ("m-1", 3, None)
        assert record.body == {"task": "image", "name": "日本"}

    def test_has_the_form_that_lambda_gets(self) -> None:
        made: Any = sqs_event([self.MESSAGE], QUEUE_ARN)
        assert shape(made) == shape(fixture("sqs-image.json"))
        (record,) = made["Records"]
        assert record["md5OfBody"] == hashlib.md5(self.MESSAGE.body.encode()).hexdigest()
        assert record["attributes"]["SentTimestamp"] == "1773480413589"
        assert record["attributes"]["ApproximateFirstReceiveTimestamp"] == "1773480414250"
        assert (record["eventSourceARN"], record["awsRegion"]) == (QUEUE_ARN, "local")

    @pytest.mark.parametrize("file", ["sqs-image.json", "sqs-prepare.json", "sqs-encode.json", "sqs-poison.json"])
    def test_the_digests_of_the_fixtures_are_true(self, file: str) -> None:
        for record in fixture(file)["Records"]:
            assert record["md5OfBody"] == hashlib.md5(record["body"].encode()).hexdigest()


class TestStream:
    READY = Event("5e8c-6", "job.ready", 1_773_480_413.589, {"job": "5e8c", "n": [1, None], "name": "日本"})

    def test_only_outbox_rows_that_were_written_count(self) -> None:
        found = stream_events(fixture("jobs-stream.json"))
        assert [(sequence[-2:], event.type) for sequence, event in found] == [("02", "job.playable"), ("03", "job.ready")]
        assert found[1][1].id == "5e8c9902207afaeb7120430c585a445f-6"
        assert found[1][1].time == 1_773_480_413.589
        assert found[1][1].data["state"] == "ready"

    def test_comes_back_as_it_went(self) -> None:
        other = replace(self.READY, id="5e8c-7", time=0.1 + 0.2)
        event = json.loads(json.dumps(stream_event([(41, "5e8c", self.READY), (107, "5e8c", other)], STREAM_ARN)))
        found = stream_events(event)
        assert [one for _, one in found] == [self.READY, other]
        assert [int(sequence) for sequence, _ in found] == [41, 107]

    def test_has_the_form_that_lambda_gets(self) -> None:
        made: Any = stream_event([(1, "5e8c", self.READY)], STREAM_ARN)
        sent = fixture("jobs-stream.json")["Records"][1]
        del sent["dynamodb"]["NewImage"]["expires"]
        assert shape(made["Records"][0]) == shape(sent)

    @pytest.mark.parametrize(
        ("attribute", "damage"),
        [
            ("id", {}),
            ("type", {"N": "1"}),
            ("time", {"N": "many"}),
            ("data", {"S": "["}),
            ("data", {"S": "[]"}),
            ("data", None),
        ],
    )
    def test_a_damaged_row_is_named(self, attribute: str, damage: object) -> None:
        made: Any = stream_event([(41, "5e8c", self.READY)], STREAM_ARN)
        made["Records"][0]["dynamodb"]["NewImage"][attribute] = damage
        with pytest.raises(InvalidEvent, match=f"041.*{attribute}|041.*many"):
            stream_events(made)
