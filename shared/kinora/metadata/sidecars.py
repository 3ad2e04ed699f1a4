"""Sidecars as both metadata drivers store them: one JSON document each, and what must hold before one is replaced."""

from __future__ import annotations

import json
from dataclasses import asdict, replace

from kinora.errors import StaleState
from kinora.model import Sidecar


def sidecar_document(sidecar: Sidecar) -> str:
    return json.dumps(asdict(sidecar), separators=(",", ":"))


def sidecar_of(document: str) -> Sidecar:
    return Sidecar(**json.loads(document))


def next_sidecar(sidecar: Sidecar, stored: Sidecar | None) -> Sidecar:
    """`sidecar` as it is to be stored in the place of `stored`; raises StaleState if it was made from another."""
    if sidecar.revision != (stored.revision if stored else 0):
        raise StaleState(f"sidecar {sidecar.id} has changed")
    return replace(sidecar, revision=sidecar.revision + 1)
