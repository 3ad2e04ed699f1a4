"""The checksum that a client declares of what it sends: as S3 has it, or as RFC 9530 does."""

from __future__ import annotations

import base64
import binascii
import re

from kinora.errors import InvalidInput

_CONTENT_DIGEST = re.compile(r"(?:^|,)\s*sha-256=:([A-Za-z0-9+/=]+):")


def declared_sha256(content_digest: str | None, checksum: str | None) -> str | None:
    """The hex SHA-256 that the headers Content-Digest and x-amz-checksum-sha256 declare, if one does. Raises InvalidInput."""
    match = _CONTENT_DIGEST.search(content_digest) if content_digest else None
    encoded = match[1] if match else checksum
    if encoded is None:
        return None
    try:
        raw = base64.b64decode(encoded, validate=True)
    except (binascii.Error, ValueError) as error:
        raise InvalidInput(public_message="The declared checksum is not base64.") from error
    if len(raw) != 32:
        raise InvalidInput(public_message="The declared checksum is not a SHA-256.")
    return raw.hex()


def checksum_header(sha256: str) -> dict[str, str]:
    """The header that declares a hex SHA-256 to S3."""
    return {"x-amz-checksum-sha256": base64.b64encode(bytes.fromhex(sha256)).decode()}
