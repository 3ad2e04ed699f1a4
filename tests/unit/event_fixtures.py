"""The events of the folder `events/`, and what tests do to them."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

EVENTS = Path(__file__).parents[2] / "events"


def fixture(name: str) -> dict[str, Any]:
    event: dict[str, Any] = json.loads((EVENTS / name).read_text())
    return event


def without(event: dict[str, Any], path: str) -> dict[str, Any]:
    event = copy.deepcopy(event)
    *way, last = path.split(".")
    inner = event["Records"][0]
    for name in way:
        inner = inner[name]
    del inner[last]
    return event


def with_value(event: dict[str, Any], path: str, value: object) -> dict[str, Any]:
    event = copy.deepcopy(event)
    *way, last = path.split(".")
    inner = event["Records"][0]
    for name in way:
        inner = inner[name]
    inner[last] = value
    return event


def shape(value: object) -> object:
    """What a value looks like with its contents left out."""
    if isinstance(value, dict):
        return {name: shape(inner) for name, inner in value.items()}
    if isinstance(value, list):
        return [shape(inner) for inner in value]
    return type(value)
