"""The parts of jobs and events that both drivers store as JSON-compatible documents."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from kinora.errors import InvalidInput
from kinora.model import Event, Failure, Stage, StageName, StageState

MAX_EVENTS = 90


def failure_document(failure: Failure | None) -> dict[str, Any] | None:
    return None if failure is None else {"code": failure.code, "message": failure.message}


def failure_of(document: Mapping[str, Any] | None) -> Failure | None:
    return None if document is None else Failure(document["code"], document["message"])


def stages_document(stages: Mapping[StageName, Stage]) -> dict[str, Any]:
    documents: dict[str, Any] = {}
    for name, stage in stages.items():
        documents[name.value] = {"state": stage.state.value}
        if stage.error is not None:
            documents[name.value]["error"] = failure_document(stage.error)
    return documents


def stages_of(documents: Mapping[str, Any]) -> dict[StageName, Stage]:
    return {
        StageName(name): Stage(StageState(document["state"]), failure_of(document.get("error")))
        for name, document in documents.items()
    }


def counts_document(counts: Mapping[StageName, int]) -> dict[str, int]:
    return {name.value: count for name, count in counts.items()}


def counts_of(document: Mapping[str, Any]) -> dict[StageName, int]:
    return {StageName(name): int(count) for name, count in document.items()}


def check_events(events: Sequence[Event]) -> None:
    """Raise InvalidInput for more events than one transaction holds in every driver."""
    if len(events) > MAX_EVENTS:
        raise InvalidInput(f"{len(events)} events at once; {MAX_EVENTS} are allowed")


def event_data(event: Event) -> str:
    """The event's data as JSON text; raises InvalidInput if it is not JSON-compatible."""
    try:
        return json.dumps(dict(event.data), ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    except (TypeError, ValueError, RecursionError) as error:
        raise InvalidInput(f"data of event {event.id} is not JSON-compatible: {error}") from error
