"""Rotating the keys that wrap content keys: every row is wrapped anew, no segment is touched. Called by `kinora keys`.

Killed anywhere it is simply run again: rows that are wrapped by the current version already are left alone.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace

from kinora.content_keys import KekRing, Wrapped, new_kek, next_version
from kinora.errors import NotFound, StaleState
from kinora.pipeline.segment_keys import identity_of
from kinora.secrets.base import SecretName
from kinora.services import Services


@dataclass(frozen=True, slots=True)
class Rotation:
    """`version` wraps now; `rewrapped` rows were changed, `left` ones belong to it already or were changed by somebody else."""

    version: str
    rewrapped: int
    left: int


def add_version(services: Services) -> str:
    """Put a fresh key in front of the ring, which keeps the others, and return its version."""
    text = services.secrets.change(SecretName.KEY_ENCRYPTION_KEYS, _with_new_version)
    return KekRing.parse(text).current


def rewrap_all(services: Services) -> Rotation:
    """Raises ContentKeyDamaged at a row that does not unwrap, which stays as it is; Unavailable."""
    version = services.key_wrapping.current_version()
    rewrapped = left = 0
    for key in services.content_keys.all():
        if key.kek_version == version:
            left += 1
            continue
        identity = identity_of(key)
        plain = services.key_wrapping.unwrap(Wrapped(key.wrapped, key.nonce, key.kek_version), identity)
        new = services.key_wrapping.wrap(plain, identity)
        changed = replace(key, wrapped=new.wrapped, nonce=new.nonce, kek_version=new.kek_version)
        try:
            services.content_keys.rewrap(changed, key.kek_version)
        except (StaleState, NotFound):  # somebody else rotates too, or the medium was removed
            left += 1
        else:
            rewrapped += 1
    return Rotation(version, rewrapped, left)


def versions_in_use(services: Services) -> dict[str, int]:
    """How many content keys each version wraps."""
    return dict(sorted(Counter(key.kek_version for key in services.content_keys.all()).items()))


def _with_new_version(text: str) -> str:
    return f"{new_kek(next_version(KekRing.parse(text)))},{','.join(text.replace(',', ' ').split())}"
