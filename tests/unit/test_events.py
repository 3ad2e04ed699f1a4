from __future__ import annotations

import copy
import hashlib
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from kinora.errors import InvalidEvent
from kinora.events import (
    ObjectEvent,
    later_sequencer,
    object_events,
    queue_records,
    s3_event,
    schedule_event,
    sqs_event,
    stream_event,
    stream_events,
)
from kinora.model import Event
from kinora.queues.base import Message

EVENTS = Path(__file__).parents[2] / "events"
QUEUE_ARN = "arn:aws:sqs:local:000000000000:image"
STREAM_ARN = "arn:aws:dynamodb:local:000000000000:table/jobs/stream/now"
PUT = ObjectEvent(
    True, "ObjectCreated:Put", "source", "uploads/cat.jpg", 482_113, "d077f2", "0055AED6", None, 1_773_480_413.589
)


def _fixture(name: str) -> dict[str, Any]:
    event: dict[str, Any] = json.loads((EVENTS / name).read_text())
    return event


def _without(event: dict[str, Any], path: str) -> dict[str, Any]:
    event = copy.deepcopy(event)
    *way, last = path.split(".")
    inner = event["Records"][0]
    for name in way:
        inner = inner[name]
    del inner[last]
    return event


def _with(event: dict[str, Any], path: str, value: object) -> dict[str, Any]:
    event = copy.deepcopy(event)
    *way, last = path.split(".")
    inner = event["Records"][0]
    for name in way:
        inner = inner[name]
    inner[last] = value
    return event


def _shape(value: object) -> object:
    """What a value looks like with its contents left out."""
    if isinstance(value, dict):
        return {name: _shape(inner) for name, inner in value.items()}
    if isinstance(value, list):
        return [_shape(inner) for inner in value]
    return type(value)


class TestObjectEvents:
    def test_a_put(self) -> None:
        (event,) = object_events(_fixture("s3-put-image.json"))
        assert event == ObjectEvent(
            created=True,
            name="ObjectCreated:Put",
            bucket="kinora-source-example",
            key="uploads/cat.jpg",
            size=482_113,
            etag="d077f244def8a70e5ea758bd8352fcd8",
            sequencer="0055AED6DCD90281E5",
            version=None,
            time=1_773_480_413.589,
        )

    @pytest.mark.parametrize(
        ("fixture", "created", "name", "size", "versioned"),
        [
            ("s3-put-video.json", True, "ObjectCreated:Put", 31_457_280, True),
            ("s3-complete-multipart.json", True, "ObjectCreated:CompleteMultipartUpload", 4_294_967_296, True),
            ("s3-copy.json", True, "ObjectCreated:Copy", 482_113, False),
            ("s3-delete.json", False, "ObjectRemoved:Delete", None, False),
            ("s3-delete-marker.json", False, "ObjectRemoved:DeleteMarkerCreated", None, True),
            ("s3-delete-version.json", False, "ObjectRemoved:Delete", None, True),
        ],
    )
    def test_each_kind(self, fixture: str, created: bool, name: str, size: int | None, versioned: bool) -> None:
        (event,) = object_events(_fixture(fixture))
        assert (event.created, event.name, event.size, event.version is not None) == (created, name, size, versioned)

    def test_a_plain_removal_has_no_etag(self) -> None:
        assert object_events(_fixture("s3-delete.json"))[0].etag is None

    def test_several_records_keep_their_order(self) -> None:
        events = object_events(_fixture("s3-several-records.json"))
        assert [(event.key, event.created) for event in events] == [
            ("uploads/one.png", True),
            ("uploads/two.png", True),
            ("uploads/one.png", False),
        ]
        assert later_sequencer(events[2].sequencer, events[0].sequencer)

    def test_keys_are_decoded(self) -> None:
        assert object_events(_fixture("s3-awkward-key.json"))[0].key == "uploads/a bé 日本 100%.MOV"

    def test_the_test_event_is_about_nothing(self) -> None:
        assert object_events(_fixture("s3-test-event.json")) == ()

    def test_a_missing_sequencer_is_empty(self) -> None:
        assert object_events(_without(_fixture("s3-put-image.json"), "s3.object.sequencer"))[0].sequencer == ""

    def test_lifecycle_expiry_is_a_removal(self) -> None:
        event = _with(_fixture("s3-delete.json"), "eventName", "LifecycleExpiration:Delete")
        assert object_events(event)[0].created is False

    def test_the_form_of_other_s3_servers(self) -> None:
        event = _with(_fixture("s3-put-image.json"), "eventName", "s3:ObjectCreated:Put")
        assert object_events(event) == object_events(_fixture("s3-put-image.json"))

    def test_other_kinds_of_events_are_left_out(self) -> None:
        event = _fixture("s3-several-records.json")
        event["Records"][0]["eventName"] = "ObjectTagging:Put"
        assert [one.key for one in object_events(event)] == ["uploads/two.png", "uploads/one.png"]

    @pytest.mark.parametrize(
        "path", ["eventName", "eventSource", "eventTime", "s3", "s3.bucket", "s3.bucket.name", "s3.object", "s3.object.key"]
    )
    def test_what_is_missing_is_named(self, path: str) -> None:
        with pytest.raises(InvalidEvent, match=path):
            object_events(_without(_fixture("s3-put-image.json"), path))

    @pytest.mark.parametrize(
        ("path", "value"),
        [
            ("eventTime", "yesterday"),
            ("eventSource", "aws:sqs"),
            ("s3", "text"),
            ("s3.object.key", 7),
            ("s3.object.key", "uploads/%FF.jpg"),
            ("s3.object.size", "5"),
            ("s3.object.size", True),
            ("s3.object.size", -1),
            ("s3.object.sequencer", "not hex"),
        ],
    )
    def test_what_is_wrong_is_refused(self, path: str, value: object) -> None:
        with pytest.raises(InvalidEvent):
            object_events(_with(_fixture("s3-put-image.json"), path, value))

    @pytest.mark.parametrize("event", [{}, {"Records": None}, {"Records": {}}, {"Records": ["text"]}, {"Event": "other"}])
    def test_what_is_no_notification_is_refused(self, event: dict[str, Any]) -> None:
        with pytest.raises(InvalidEvent, match="Records"):
            object_events(event)


class TestS3Event:
    @pytest.mark.parametrize(
        "event",
        [
            PUT,
            replace(PUT, key="uploads/a+b %2F bé 日本 100% ~*!'()&=?#\"<>.MOV", version="096fKKXTRTtl3on89fVO.nf"),
            replace(PUT, size=0, sequencer="", time=0.0),
            replace(PUT, created=False, name="ObjectRemoved:Delete", size=None, etag=None),
        ],
    )
    def test_comes_back_as_it_went(self, event: ObjectEvent) -> None:
        assert object_events(json.loads(json.dumps(s3_event(event)))) == (event,)

    @pytest.mark.parametrize(
        "fixture", ["s3-put-image.json", "s3-put-video.json", "s3-delete.json", "s3-delete-marker.json", "s3-awkward-key.json"]
    )
    def test_has_the_form_that_s3_sends(self, fixture: str) -> None:
        sent = _fixture(fixture)
        made: Any = s3_event(object_events(sent)[0], region="eu-central-1")
        assert _shape(made) == _shape(sent)
        for name in ("eventVersion", "eventSource", "awsRegion", "eventTime", "eventName"):
            assert made["Records"][0][name] == sent["Records"][0][name]
        assert made["Records"][0]["s3"]["object"] == sent["Records"][0]["s3"]["object"]
        assert made["Records"][0]["s3"]["bucket"]["arn"] == sent["Records"][0]["s3"]["bucket"]["arn"]


@pytest.mark.parametrize(
    ("a", "b", "later"),
    [
        ("0055AED6DCD90281E6", "0055AED6DCD90281E5", True),
        ("0055AED6DCD90281E5", "0055AED6DCD90281E5", False),
        ("0055AED6DCD90281E5", "0055AED6DCD90281E6", False),
        ("0055AED6DCD90281E501", "0055AED6DCD90281E5", True),
        ("0055AED6DCD90281E500", "0055AED6DCD90281E5", False),
        ("0056", "0055AED6DCD90281E5", True),
        ("0055aed7", "0055AED6", True),
        ("00", "", False),
        ("01", "", True),
    ],
)
def test_later_sequencer_compares_as_s3_says(a: str, b: str, later: bool) -> None:
    assert later_sequencer(a, b) is later


class TestQueueRecords:
    def test_bodies_and_counts(self) -> None:
        records = queue_records(_fixture("sqs-encode.json"))
        assert [record.body["task"] for record in records] == ["encode", "audio", "poster"]
        assert [record.receive_count for record in records] == [1, 1, 2]
        assert {record.error for record in records} == {None}

    @pytest.mark.parametrize("body", ["", "{", "[]", '"text"', "7", "null", "[" * 100_000, "9" * 5000])
    def test_a_poison_body_is_the_problem_of_its_message_alone(self, body: str) -> None:
        event = _fixture("sqs-encode.json")
        event["Records"][1]["body"] = body
        first, poison, last = queue_records(event)
        assert (first.error, last.error) == (None, None)
        assert poison.body == {}
        assert isinstance(poison.error, InvalidEvent)
        assert poison.message_id in str(poison.error)

    @pytest.mark.parametrize("path", ["body", "attributes", "attributes.ApproximateReceiveCount"])
    def test_a_message_with_a_part_missing_is_poison(self, path: str) -> None:
        first, second, _ = queue_records(_without(_fixture("sqs-encode.json"), path))
        assert path in str(first.error)
        assert second.error is None

    def test_a_message_without_an_id_makes_the_event_invalid(self) -> None:
        with pytest.raises(InvalidEvent, match="messageId"):
            queue_records(_without(_fixture("sqs-image.json"), "messageId"))


class TestSqsEvent:
    MESSAGE = Message("m-1", "r-1", '{"task":"image","name":"日本"}', 3, 1_773_480_413.589, 1_773_480_414.25)

    def test_comes_back_as_it_went(self) -> None:
        (record,) = queue_records(json.loads(json.dumps(sqs_event([self.MESSAGE], QUEUE_ARN))))
        assert (record.message_id, record.receive_count, record.error) == ("m-1", 3, None)
        assert record.body == {"task": "image", "name": "日本"}

    def test_has_the_form_that_lambda_gets(self) -> None:
        made: Any = sqs_event([self.MESSAGE], QUEUE_ARN)
        assert _shape(made) == _shape(_fixture("sqs-image.json"))
        (record,) = made["Records"]
        assert record["md5OfBody"] == hashlib.md5(self.MESSAGE.body.encode()).hexdigest()
        assert record["attributes"]["SentTimestamp"] == "1773480413589"
        assert record["attributes"]["ApproximateFirstReceiveTimestamp"] == "1773480414250"
        assert (record["eventSourceARN"], record["awsRegion"]) == (QUEUE_ARN, "local")

    @pytest.mark.parametrize("fixture", ["sqs-image.json", "sqs-prepare.json", "sqs-encode.json", "sqs-poison.json"])
    def test_the_digests_of_the_fixtures_are_true(self, fixture: str) -> None:
        for record in _fixture(fixture)["Records"]:
            assert record["md5OfBody"] == hashlib.md5(record["body"].encode()).hexdigest()


class TestStream:
    READY = Event("5e8c-6", "job.ready", 1_773_480_413.589, {"job": "5e8c", "n": [1, None], "name": "日本"})

    def test_only_outbox_rows_that_were_written_count(self) -> None:
        found = stream_events(_fixture("jobs-stream.json"))
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
        sent = _fixture("jobs-stream.json")["Records"][1]
        del sent["dynamodb"]["NewImage"]["expires"]
        assert _shape(made["Records"][0]) == _shape(sent)

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


def test_a_scheduled_event_has_the_form_that_lambda_gets() -> None:
    sent = _fixture("schedule-sweep.json")
    made = schedule_event(1_773_478_800.7, "sweep", "eu-central-1")
    assert _shape(made) == _shape(sent)
    assert made["time"] == sent["time"] == "2026-03-14T09:00:00Z"
    assert made["id"] == schedule_event(1_773_478_800, "sweep", "eu-central-1")["id"]


def test_every_fixture_is_about_the_example_bucket() -> None:
    for path in EVENTS.glob("s3-*.json"):
        assert "kinora-source-example" in path.read_text(), path.name
