from __future__ import annotations

import logging
from typing import Any

import pytest

from kinora.errors import InvalidEvent, Unavailable
from kinora.events import QueueRecord
from kinora.queues.batch import run_each
from tests.unit.event_fixtures import fixture


def _ids(event: dict[str, Any]) -> list[str]:
    return [record["messageId"] for record in event["Records"]]


def test_all_done_is_no_failure() -> None:
    done: list[QueueRecord] = []
    assert run_each(fixture("sqs-encode.json"), done.append) == {"batchItemFailures": []}
    assert [record.body["task"] for record in done] == ["encode", "audio", "poster"]


def test_a_failure_touches_no_neighbour_and_is_logged_once(caplog: pytest.LogCaptureFixture) -> None:
    event = fixture("sqs-encode.json")
    done = []

    def perform(record: QueueRecord) -> None:
        if record.body["task"] == "audio":
            raise Unavailable("the disk sleeps")
        done.append(record.message_id)

    with caplog.at_level(logging.INFO, logger="kinora"):
        answer = run_each(event, perform)
    first, failed, last = _ids(event)
    assert answer == {"batchItemFailures": [{"itemIdentifier": failed}]}
    assert done == [first, last]
    (line,) = caplog.records
    assert (line.name, line.levelname) == ("kinora", "ERROR")
    assert (vars(line)["message_id"], vars(line)["receive_count"]) == (failed, 1)
    assert line.exc_info is not None
    assert str(line.exc_info[1]) == "the disk sleeps"


def test_messages_that_nobody_understands_fail_alone_and_are_not_performed(caplog: pytest.LogCaptureFixture) -> None:
    event = fixture("sqs-poison.json")
    done: list[QueueRecord] = []
    answer = run_each(event, done.append)
    cut, listed, good = _ids(event)
    assert answer == {"batchItemFailures": [{"itemIdentifier": cut}, {"itemIdentifier": listed}]}
    assert [record.message_id for record in done] == [good]
    assert [cut in caplog.text, listed in caplog.text, good in caplog.text] == [True, True, False]


def test_the_end_of_the_process_is_not_a_failed_message() -> None:
    def perform(_: QueueRecord) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_each(fixture("sqs-image.json"), perform)


def test_what_is_no_queue_event_is_refused() -> None:
    with pytest.raises(InvalidEvent, match="aws:s3"):
        run_each(fixture("s3-put-image.json"), lambda _: None)
