"""Every event of events/ through every door, against an installation that knows none of the objects and jobs in them."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.functions.conftest import EVERYWHERE
from tests.functions.targets import ROOT, Endpoint, FunctionFailed

NOTHING_FAILED = {"batchItemFailures": []}
POISON = [f"059f36b4-87a3-44ab-83d2-661975830a0{n}" for n in (6, 7)]

ANSWERS: dict[tuple[str, str], Any] = {
    ("s3-put-image", "Ingest"): {"outcomes": ["gone"]},
    ("s3-put-video", "Ingest"): {"outcomes": ["gone"]},
    ("s3-copy", "Ingest"): {"outcomes": ["gone"]},
    ("s3-complete-multipart", "Ingest"): {"outcomes": ["gone"]},
    ("s3-awkward-key", "Ingest"): {"outcomes": ["gone"]},
    ("s3-delete", "Ingest"): {"outcomes": ["detached"]},
    ("s3-delete-marker", "Ingest"): {"outcomes": ["detached"]},
    ("s3-delete-version", "Ingest"): {"outcomes": ["detached"]},
    ("s3-several-records", "Ingest"): {"outcomes": ["gone", "gone", "detached"]},
    ("s3-test-event", "Ingest"): {"outcomes": []},
    ("sqs-image", "Image"): NOTHING_FAILED,
    ("sqs-ingest", "Ingest"): NOTHING_FAILED,
    ("sqs-prepare", "Video"): NOTHING_FAILED,
    ("sqs-encode", "Video"): NOTHING_FAILED,
    ("sqs-webhook", "Notify"): NOTHING_FAILED,
    ("sqs-poison", "Image"): {"batchItemFailures": [{"itemIdentifier": one} for one in POISON]},
    ("sqs-poison", "Video"): {"batchItemFailures": [{"itemIdentifier": one} for one in POISON]},
    ("invoke-segment", "Video"): {"error": {"code": "not-found", "message": "There is nothing here.", "status": 404}},
    ("jobs-stream", "Notify"): NOTHING_FAILED,
    ("schedule-sweep", "Sweep"): {"collected": 0, "repaired": 0, "moments": 0, "exports": 0, "uploads": 0},
}
STATUSES = {"http-healthz": 200, "http-stream-master": 404}
# The sweep asks for no particular event, any worker drops a task whose job is gone, and Ingest and Notify let it lie.
INDIFFERENT = {"Sweep", "Image", "Video", "Ingest", "Notify"}


def fixture(name: str) -> Any:
    return json.loads((ROOT / "events" / f"{name}.json").read_text())


def test_every_fixture_has_its_place_here():
    assert {path.stem for path in (ROOT / "events").glob("*.json")} == {name for name, _ in ANSWERS} | set(STATUSES)


@pytest.mark.parametrize("functions", EVERYWHERE, indirect=True)
@pytest.mark.parametrize(("name", "door"), sorted(ANSWERS))
def test_the_right_door_answers(functions, name, door):
    answer = functions.invoke(door, fixture(name))
    if isinstance(functions, Endpoint) and "outcomes" in answer:  # it remembers the removals of earlier tests and runs
        answer["outcomes"] = ["gone" if outcome == "stale" else outcome for outcome in answer["outcomes"]]
    assert answer == ANSWERS[name, door]


@pytest.mark.parametrize("functions", EVERYWHERE, indirect=True)
@pytest.mark.parametrize("name", ["s3-delete", "sqs-image", "jobs-stream"])
def test_an_event_that_comes_twice_is_answered_the_same_way(functions, name):
    (door,) = [door for known, door in ANSWERS if known == name]
    first = functions.invoke(door, fixture(name))
    assert functions.invoke(door, fixture(name)) == first


@pytest.mark.parametrize("functions", EVERYWHERE, indirect=True)
@pytest.mark.parametrize(("name", "status"), sorted(STATUSES.items()))
def test_the_api_answers_http_in_the_form_that_api_gateway_wants(functions, name, status):
    answer = functions.invoke("Api", fixture(name))
    assert (answer["statusCode"], answer["isBase64Encoded"]) == (status, False)
    wanted = "application/json" if status == 200 else "application/problem+json"
    assert answer["headers"]["content-type"].startswith(wanted)
    assert json.loads(answer["body"])


def is_indifferent(name: str, doors: set[str]) -> bool:
    """Whether both doors take the event: queues are told apart by the template, and two functions make what is waited for."""
    return (name.startswith("sqs") and doors <= INDIFFERENT) or (name.startswith("invoke") and doors <= {"Image", "Video"})


@pytest.mark.parametrize("functions", EVERYWHERE, indirect=True)
@pytest.mark.parametrize("door", ["Ingest", "Image", "Video", "Api", "Notify"])
def test_a_door_refuses_events_that_are_not_for_it(functions, door):
    mine = {name for name, at in ANSWERS if at == door or is_indifferent(name, {at, door})} | {"s3-test-event"}
    names = {name for name, _ in ANSWERS} - mine | (set(STATUSES) if door != "Api" else set())
    for name in sorted(names):
        with pytest.raises(FunctionFailed) as refused:
            functions.invoke(door, fixture(name))
        assert refused.value.kind == ("RuntimeError" if door == "Api" else "InvalidEvent"), name
