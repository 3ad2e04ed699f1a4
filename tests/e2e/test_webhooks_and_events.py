"""Webhooks and the event stream of a running Kinora: everything is delivered twice inside, and once outside; a power cut loses nothing."""

from __future__ import annotations

import json
from pathlib import Path

import httpx

from tests.e2e.running import Up, running
from tests.unit.local.small_stack import wait_until
from tests.unit.webhooks.receiver import Receiver, receiver

MEDIA = Path(__file__).parents[1] / "media"


def upload(up: Up, key: dict[str, str], name: str) -> None:
    answer = httpx.put(f"{up.url}/api/uploads/{name}", content=(MEDIA / name).read_bytes(), headers=key)
    assert answer.status_code == 201


def deliveries(up: Up, key: dict[str, str]) -> list[dict[str, object]]:
    found: list[dict[str, object]] = httpx.get(f"{up.url}/api/webhooks/setting/deliveries", headers=key).json()["deliveries"]
    return found


def next_event(up: Up, key: dict[str, str], after: str) -> tuple[str, dict[str, object]]:
    """The first event after a position: its own position and its data."""
    with httpx.stream("GET", f"{up.url}/api/events", headers=key | {"Last-Event-ID": after}, timeout=30) as answer:
        assert answer.status_code == 200
        position = ""
        for line in answer.iter_lines():
            name, _, value = line.partition(": ")
            if name == "id":
                position = value
            if name == "data":
                return position, json.loads(value)
    raise AssertionError("the stream ended")


def ups(data: Path, hook: Receiver):
    return running(data, "--workers", "1", "--deliver-twice", KINORA_WEBHOOK_LOOPBACK="true", KINORA_WEBHOOK_URL=hook.url)


def test_each_event_once_in_both_ways_over_a_power_cut(tmp_path: Path) -> None:
    with receiver() as hook:
        with ups(tmp_path, hook) as up:
            key = {"X-Api-Key": up.api_key or ""}
            upload(up, key, "alpha.png")
            wait_until(lambda: [one["state"] for one in deliveries(up, key)] == ["delivered"], 60)
            position, first = next_event(up, key, "0")
            up.kill()
        hook.answers = [503]
        with ups(tmp_path, hook) as up:
            upload(up, key, "orient6.jpg")
            _, second = next_event(up, key, position)
            wait_until(lambda: len(hook.received) >= 3, 60)
            listed = deliveries(up, key)
        assert hook.ids == [first["id"], second["id"], second["id"]], "the second one failed once"
        assert [one["data"]["original"] for one in (first, second)] == ["uploads/alpha.png", "uploads/orient6.jpg"]
        assert [one["id"] for one in listed] == [second["id"], first["id"]]
        assert json.loads(hook.received[0][2])["type"] == first["type"] == "job.ready"
