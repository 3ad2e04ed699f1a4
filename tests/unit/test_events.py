from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from kinora.errors import InvalidEvent
from kinora.events import ObjectEvent, object_events, s3_event, schedule_event
from tests.unit.event_fixtures import EVENTS, fixture, shape, with_value, without

PUT = ObjectEvent(
    True, "ObjectCreated:Put", "source", "uploads/cat.jpg", 482_113, "d077f2", "0055AED6", None, 1_773_480_413.589
)


class TestObjectEvents:
    def test_a_put(self) -> None:
        (event,) = object_events(fixture("s3-put-image.json"))
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
        ("file", "created", "name", "size", "versioned"),
        [
            ("s3-put-video.json", True, "ObjectCreated:Put", 31_457_280, True),
            ("s3-complete-multipart.json", True, "ObjectCreated:CompleteMultipartUpload", 4_294_967_296, True),
            ("s3-copy.json", True, "ObjectCreated:Copy", 482_113, False),
            ("s3-delete.json", False, "ObjectRemoved:Delete", None, False),
            ("s3-delete-marker.json", False, "ObjectRemoved:DeleteMarkerCreated", None, True),
            ("s3-delete-version.json", False, "ObjectRemoved:Delete", None, True),
        ],
    )
    def test_each_kind(self, file: str, created: bool, name: str, size: int | None, versioned: bool) -> None:
        (event,) = object_events(fixture(file))
        assert (event.created, event.name, event.size, event.version is not None) == (created, name, size, versioned)

    def test_a_plain_removal_has_no_etag(self) -> None:
        assert object_events(fixture("s3-delete.json"))[0].etag is None

    def test_several_records_keep_their_order(self) -> None:
        events = object_events(fixture("s3-several-records.json"))
        assert [(event.key, event.created) for event in events] == [
            ("uploads/one.png", True),
            ("uploads/two.png", True),
            ("uploads/one.png", False),
        ]
        assert events[2].sequencer > events[0].sequencer

    def test_keys_are_decoded(self) -> None:
        assert object_events(fixture("s3-awkward-key.json"))[0].key == "uploads/a bé 日本 100%.MOV"

    def test_the_test_event_is_about_nothing(self) -> None:
        assert object_events(fixture("s3-test-event.json")) == ()

    def test_a_missing_sequencer_is_empty(self) -> None:
        assert object_events(without(fixture("s3-put-image.json"), "s3.object.sequencer"))[0].sequencer == ""

    def test_lifecycle_expiry_is_a_removal(self) -> None:
        event = with_value(fixture("s3-delete.json"), "eventName", "LifecycleExpiration:Delete")
        assert object_events(event)[0].created is False

    def test_the_form_of_other_s3_servers(self) -> None:
        event = with_value(fixture("s3-put-image.json"), "eventName", "s3:ObjectCreated:Put")
        assert object_events(event) == object_events(fixture("s3-put-image.json"))

    def test_other_kinds_of_events_are_left_out(self) -> None:
        event = fixture("s3-several-records.json")
        event["Records"][0]["eventName"] = "ObjectTagging:Put"
        assert [one.key for one in object_events(event)] == ["uploads/two.png", "uploads/one.png"]

    @pytest.mark.parametrize(
        "path", ["eventName", "eventSource", "eventTime", "s3", "s3.bucket", "s3.bucket.name", "s3.object", "s3.object.key"]
    )
    def test_what_is_missing_is_named(self, path: str) -> None:
        with pytest.raises(InvalidEvent, match=path):
            object_events(without(fixture("s3-put-image.json"), path))

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
            object_events(with_value(fixture("s3-put-image.json"), path, value))

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
        "file", ["s3-put-image.json", "s3-put-video.json", "s3-delete.json", "s3-delete-marker.json", "s3-awkward-key.json"]
    )
    def test_has_the_form_that_s3_sends(self, file: str) -> None:
        sent = fixture(file)
        made: Any = s3_event(object_events(sent)[0], region="eu-central-1")
        assert shape(made) == shape(sent)
        for name in ("eventVersion", "eventSource", "awsRegion", "eventTime", "eventName"):
            assert made["Records"][0][name] == sent["Records"][0][name]
        assert made["Records"][0]["s3"]["object"] == sent["Records"][0]["s3"]["object"]
        assert made["Records"][0]["s3"]["bucket"]["arn"] == sent["Records"][0]["s3"]["bucket"]["arn"]


def test_a_scheduled_event_has_the_form_that_lambda_gets() -> None:
    sent = fixture("schedule-sweep.json")
    made = schedule_event(1_773_478_800.7, "sweep", "eu-central-1")
    assert shape(made) == shape(sent)
    assert made["time"] == sent["time"] == "2026-03-14T09:00:00Z"
    assert made["id"] == schedule_event(1_773_478_800, "sweep", "eu-central-1")["id"]


def test_every_fixture_is_about_the_example_bucket() -> None:
    for path in EVENTS.glob("s3-*.json"):
        assert "kinora-source-example" in path.read_text(), path.name
