"""Secrets that are kept in the process for a while, whatever they were read from. Used by the drivers on AWS; never logs a value."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field, replace

from kinora.errors import Unavailable
from kinora.secrets.base import SecretName

KEPT_SECONDS = 300
OUTAGE_SECONDS = 3600  # how old a secret may become while its store does not answer
_RETRY_SECONDS = 30


@dataclass(frozen=True, slots=True)
class _Kept:
    text: str = field(repr=False)
    read_at: float
    again_at: float


class KeptSecrets:
    """Reads a secret again after five minutes, so that a rotation takes effect; goes on with what it has for an hour while the
    store is away. `clock` returns seconds and never goes back."""

    def __init__(self, read: Callable[[SecretName], str], clock: Callable[[], float]) -> None:
        self._read = read
        self._clock = clock
        self._lock = threading.Lock()
        self._kept: dict[SecretName, _Kept] = {}

    def forget(self, name: SecretName) -> None:
        """Read it again at the next use."""
        with self._lock:
            self._kept.pop(name, None)

    def get(self, name: SecretName) -> str:
        with self._lock:
            kept, now = self._kept.get(name), self._clock()
            if kept is not None and now < kept.again_at:
                return kept.text
            try:
                text = self._read(name)
            except Unavailable:
                if kept is None or now - kept.read_at >= OUTAGE_SECONDS:
                    raise
                self._kept[name] = replace(kept, again_at=now + _RETRY_SECONDS)
                return kept.text
            self._kept[name] = _Kept(text, now, now + KEPT_SECONDS)
            return text
