"""Event patterns as FilterCriteria use them (EventBridge's language): equal values, prefixes, existence."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def matches(pattern: Mapping[str, Any], event: object) -> bool:
    """Whether every field of `pattern` has one of its listed values in `event`."""
    if not isinstance(event, Mapping):
        return False
    return all(_field(wanted, name, event) for name, wanted in pattern.items())


def _field(wanted: Any, name: str, event: Mapping[str, Any]) -> bool:
    if isinstance(wanted, Mapping):
        return matches(wanted, event.get(name))
    return any(_value(one, name, event) for one in wanted)


def _value(wanted: Any, name: str, event: Mapping[str, Any]) -> bool:
    value = event.get(name)
    if isinstance(wanted, Mapping):
        if "exists" in wanted:
            return (name in event) is bool(wanted["exists"])
        return isinstance(value, str) and value.startswith(str(wanted["prefix"]))
    return name in event and bool(value == wanted)
