"""How callers present what they have."""

from __future__ import annotations

PROVEN = "kinora.proven"  # where a request keeps the playback token that was found good: rate limits count by it


def bearer(authorization: str | None) -> str | None:
    """The credential of an `Authorization: Bearer` header (RFC 6750 §2.1)."""
    scheme, _, credential = (authorization or "").partition(" ")
    return credential.strip() if scheme.lower() == "bearer" and credential.strip() else None
