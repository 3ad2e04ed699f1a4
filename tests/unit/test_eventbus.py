from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from moto import mock_aws

from kinora.errors import Unavailable
from kinora.eventbus.eventbridge import EventBridgeBus
from kinora.eventbus.sqlite import KEEP_SECONDS, SqliteEventBus
from kinora.model import Event
from tests.contract.aws_endpoint import aws_endpoint


def _event(n: int, **data: object) -> Event:
    return Event(f"job-{n}", "job.ready", 1_773_480_413.589 + n, {"n": n, **data})


class TestSqliteEventBus:
    @pytest.fixture
    def bus(self, tmp_path: Path) -> Iterator[SqliteEventBus]:
        self.now = 1_773_480_500.0
        bus = SqliteEventBus(tmp_path / "kinora.db", clock=lambda: self.now)
        yield bus
        bus.close()

    def test_events_are_read_in_the_order_of_publishing(self, bus: SqliteEventBus) -> None:
        bus.publish([_event(2, name="日本"), _event(1)])
        bus.publish([_event(3)])
        feed = bus.after(0)
        assert [event for _, event in feed] == [_event(2, name="日本"), _event(1), _event(3)]
        assert [position for position, _ in feed] == sorted({position for position, _ in feed})

    def test_a_reader_goes_on_where_it_was(self, bus: SqliteEventBus) -> None:
        bus.publish([_event(n) for n in range(5)])
        first = bus.after(0, limit=2)
        second = bus.after(first[-1][0], limit=2)
        assert [event.data["n"] for _, event in first + second] == [0, 1, 2, 3]
        assert bus.after(bus.after(0)[-1][0]) == ()

    def test_publishing_twice_is_harmless(self, bus: SqliteEventBus) -> None:
        bus.publish([_event(1), _event(2)])
        before = bus.after(0)
        bus.publish([_event(2), _event(1), _event(1)])
        assert bus.after(0) == before

    def test_old_events_leave_and_their_positions_are_not_used_again(self, bus: SqliteEventBus) -> None:
        bus.publish([_event(1)])
        ((position, _),) = bus.after(0)
        self.now += KEEP_SECONDS + 1
        bus.publish([_event(2)])
        ((later, event),) = bus.after(0)
        assert event == _event(2)
        assert later > position

    def test_two_publishers_at_once_publish_an_event_once(self, bus: SqliteEventBus, tmp_path: Path) -> None:
        other = SqliteEventBus(tmp_path / "kinora.db", clock=lambda: self.now)
        batches = [[_event(n)] for n in range(50)]
        threads = [
            threading.Thread(target=lambda one: [one.publish(batch) for batch in batches], args=(b,)) for b in (bus, other)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert sorted(str(event.id) for _, event in bus.after(0)) == sorted(f"job-{n}" for n in range(50))
        other.close()


@pytest.fixture
def aws_account(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-central-1")


@pytest.mark.usefixtures("aws_account")
class TestEventBridgeBus:
    def test_a_rule_on_the_bus_gets_the_events(self) -> None:
        with mock_aws():
            events, sqs = boto3.client("events"), boto3.client("sqs")
            url = sqs.create_queue(QueueName="subscriber")["QueueUrl"]
            events.create_event_bus(Name="kinora")
            pattern = json.dumps({"source": ["kinora"], "detail-type": ["job.ready"]})
            events.put_rule(Name="ready", EventBusName="kinora", EventPattern=pattern)
            target = {"Id": "subscriber", "Arn": "arn:aws:sqs:eu-central-1:123456789012:subscriber"}
            events.put_targets(Rule="ready", EventBusName="kinora", Targets=[target])
            bus = EventBridgeBus("kinora")
            bus.publish([_event(n, name="日本") for n in range(12)])
            got: list[Any] = []
            while messages := sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages"):
                got += [json.loads(message["Body"]) for message in messages]
            for client in (events, sqs, bus):
                client.close()
        assert [one["detail"]["data"]["n"] for one in got] == list(range(12))
        assert got[1]["detail"] == {"id": "job-1", "time": 1_773_480_414.589, "data": {"n": 1, "name": "日本"}}
        assert (got[1]["source"], got[1]["detail-type"]) == ("kinora", "job.ready")
        assert got[1]["time"] == "2026-03-14T09:26:54Z"

    def test_refused_entries_are_published_again_and_only_they(self, monkeypatch: pytest.MonkeyPatch) -> None:
        requests: list[list[str]] = []

        def answer(request: dict[str, Any]) -> tuple[int, dict[str, Any]]:
            ids = [json.loads(entry["Detail"])["id"] for entry in request["Entries"]]
            requests.append(ids)
            refused = {"job-1"} if len(requests) == 1 else set()
            results = [{"ErrorCode": "InternalFailure"} if one in refused else {"EventId": one} for one in ids]
            return 200, {"FailedEntryCount": len(refused), "Entries": results}

        with aws_endpoint(answer) as address:
            monkeypatch.setenv("AWS_ENDPOINT_URL_EVENTBRIDGE", address)
            bus = EventBridgeBus("kinora")
            bus.publish([_event(0), _event(1), _event(2)])
            bus.close()
        assert requests == [["job-0", "job-1", "job-2"], ["job-1"]]

    def test_entries_that_are_refused_for_long_are_an_error(self, monkeypatch: pytest.MonkeyPatch) -> None:
        def answer(request: dict[str, Any]) -> tuple[int, dict[str, Any]]:
            return 200, {"FailedEntryCount": 1, "Entries": [{"ErrorCode": "ThrottlingException"} for _ in request["Entries"]]}

        with aws_endpoint(answer) as address:
            monkeypatch.setenv("AWS_ENDPOINT_URL_EVENTBRIDGE", address)
            bus = EventBridgeBus("kinora")
            with pytest.raises(Unavailable, match="1 of 1"):
                bus.publish([_event(0)])
            bus.close()

    def test_a_service_that_refuses_the_call_is_unavailable(self, monkeypatch: pytest.MonkeyPatch) -> None:
        with aws_endpoint(lambda _: (400, {"__type": "AccessDeniedException", "message": "not for you"})) as address:
            monkeypatch.setenv("AWS_ENDPOINT_URL_EVENTBRIDGE", address)
            bus = EventBridgeBus("kinora")
            with pytest.raises(Unavailable, match="not for you"):
                bus.publish([_event(0)])
            bus.close()
