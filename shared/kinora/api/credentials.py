"""How callers present what they have, and how it is kept out of logs."""

from __future__ import annotations

import re

PROVEN = "kinora.proven"  # where a request keeps the playback token that was found good: rate limits count by it

_SIGNATURE = re.compile(r"[A-Za-z0-9_-]{1,32}\.[0-9]{1,15}\.[A-Za-z0-9_-]{43}(?:\.[A-Za-z0-9_-]+)?")
_IN_QUERY = re.compile(r"\b(token|session|key)=[^&#\s]*")


def bearer(authorization: str | None) -> str | None:
    """The credential of an `Authorization: Bearer` header (RFC 6750 §2.1)."""
    scheme, _, credential = (authorization or "").partition(" ")
    return credential.strip() if scheme.lower() == "bearer" and credential.strip() else None


def without_credentials(address: str) -> str:
    """A path or address as it may stand in a log: without signatures, tokens and sessions, which open something while they last."""
    return _IN_QUERY.sub(r"\1=…", _SIGNATURE.sub("…", address))
