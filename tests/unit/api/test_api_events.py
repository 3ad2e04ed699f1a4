"""`/api/events` over a real server: events come, are taken up again, and the stream ends when it should."""

from __future__ import annotations

import dataclasses
import http.client
import json
import threading
import time
from contextlib import contextmanager

import pytest
import uvicorn
from fastapi.testclient import TestClient

from kinora.api import events
from kinora.api.app import create_app
from kinora.eventbus.sqlite import KEEP_SECONDS, SqliteEventBus
from kinora.model import Event
from tests.house import house


class Listener:
    """What an EventSource does, with its time-out."""

    def __init__(self, port, headers, path="/api/events"):
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
        self._connection.request("GET", path, headers=headers)
        self.response = self._connection.getresponse()

    def block(self):
        """The next block of lines as a dict; None at the end of the stream."""
        fields = {}
        while (line := self.response.readline()) not in {b"\n", b""}:
            name, _, value = line.decode().rstrip("\n").partition(":")
            fields[name] = value.strip()
        return fields or None

    def events(self, count):
        found = []
        while len(found) < count:
            block = self.block()
            assert block is not None
            found += [block] if "id" in block else []
        return found

    def close(self):
        self._connection.close()


class Instance:
    def __init__(self, home):
        self.home, self.services = home, home.services
        self.key = {"X-Api-Key": home.api_key}
        self.listeners_open = []

    def publish(self, *numbers):
        self.services.event_bus.publish([Event(f"evt-{n}", "job.ready", 1_700_000_000.0 + n, {"n": n}) for n in numbers])

    def listen(self, last=None, path="/api/events", **headers):
        more = {} if last is None else {"Last-Event-ID": last}
        listener = Listener(self.port, self.key | more | headers, path)
        self.listeners_open.append(listener)
        return listener


@contextmanager
def serving(folder, **settings):
    with house(folder, **settings) as home:
        one = Instance(home)
        one.app = create_app(home.services)
        server = uvicorn.Server(
            uvicorn.Config(one.app, port=0, lifespan="off", log_level="critical", timeout_graceful_shutdown=2)
        )
        thread = threading.Thread(target=server.run)
        thread.start()
        while not server.started:
            time.sleep(0.01)
        one.port = server.servers[0].sockets[0].getsockname()[1]
        try:
            yield one
        finally:
            one.app.state.listeners.close()
            for listener in one.listeners_open:
                listener.close()
            server.should_exit = True
            thread.join()


@pytest.fixture(autouse=True)
def impatient(monkeypatch):
    monkeypatch.setattr(events, "LOOK_SECONDS", 0.02)
    monkeypatch.setattr(events, "HEARTBEAT_SECONDS", 0.2)


def numbers(blocks):
    return [json.loads(one["data"])["data"]["n"] for one in blocks]


def test_events_come_as_they_happen_and_a_comment_when_none_do(tmp_path):
    with serving(tmp_path) as one:
        one.publish(1)
        listener = one.listen()
        assert listener.response.status == 200
        assert listener.response.headers["Content-Type"].startswith("text/event-stream")
        assert listener.response.headers["Cache-Control"] == "no-store"
        assert listener.block() == {"retry": "2000"}
        assert listener.block() == {"": "still here"}, "what was before is not told"
        one.publish(2)
        (event,) = listener.events(1)
        assert event["event"] == "job.ready"
        assert json.loads(event["data"]) == {
            "id": "evt-2",
            "type": "job.ready",
            "timestamp": "2023-11-14T22:13:22.000000Z",
            "data": {"n": 2},
        }


def test_a_listener_goes_on_where_it_was_cut_off_also_after_a_restart(tmp_path):
    with serving(tmp_path) as one:
        listener = one.listen(path="/api/events?after=0")
        one.publish(1, 2, 3)
        seen = listener.events(2)
        listener.close()
    with serving(tmp_path) as one:
        one.publish(*range(4, 250))
        again = one.listen(last=seen[-1]["id"])
        assert numbers(again.events(247)) == list(range(3, 250))
        one.publish(250)
        assert numbers(again.events(1)) == [250]


def test_a_position_of_another_log_means_all_of_this_one(tmp_path):
    with serving(tmp_path) as one:
        one.publish(1, 2)
        assert numbers(one.listen(last="999").events(2)) == [1, 2]


def test_what_was_pruned_is_not_told_and_what_follows_is(tmp_path):
    now = [1_000_000_000.0]
    bus = SqliteEventBus(tmp_path / "kinora.db", clock=lambda: now[0])
    bus.publish([Event("evt-1", "job.ready", 0.0, {"n": 1})])
    now[0] += KEEP_SECONDS + 1
    bus.publish([Event("evt-2", "job.ready", 0.0, {"n": 2})])
    assert [event.id for _, event in bus.after(0)] == ["evt-2"]
    assert bus.latest() == 2
    bus.close()
    with serving(tmp_path) as one:
        assert numbers(one.listen(last="1").events(1)) == [2]


def test_there_are_so_many_listeners_and_one_that_leaves_makes_room(tmp_path):
    with serving(tmp_path, event_listeners="2") as one:
        first, _ = one.listen(), one.listen()
        third = one.listen()
        assert (third.response.status, json.loads(third.response.read())["code"]) == (503, "too-many-listeners")
        assert third.response.headers["Retry-After"]
        first.close()
        deadline = time.monotonic() + 5
        while one.listen().response.status != 200:
            assert time.monotonic() < deadline
            time.sleep(0.05)


def test_streams_end_with_the_server(tmp_path):
    with serving(tmp_path) as one:
        listener = one.listen()
        listener.block()
        one.app.state.listeners.close()
        begun = time.monotonic()
        while listener.block() is not None:
            pass
        assert time.monotonic() - begun < 2
        assert one.listen().response.status == 503


@pytest.mark.parametrize("last", ["x", "-1", "1.5", "9" * 19])
def test_what_is_no_position_is_refused(tmp_path, last):
    with house(tmp_path) as home, TestClient(create_app(home.services)) as client:
        answer = client.get("/api/events", headers={"X-Api-Key": home.api_key, "Last-Event-ID": last})
        assert (answer.status_code, answer.json()["code"]) == (400, "invalid-event-id")


def test_it_needs_the_key(tmp_path):
    with house(tmp_path) as home, TestClient(create_app(home.services)) as client:
        assert client.get("/api/events").status_code == 401


def test_where_functions_serve_there_is_none(tmp_path):
    with house(tmp_path) as home:
        services = dataclasses.replace(home.services, event_feed=None)
        with TestClient(create_app(services)) as client:
            answer = client.get("/api/events", headers={"X-Api-Key": home.api_key})
            assert (answer.status_code, answer.json()["code"]) == (404, "no-event-stream")
