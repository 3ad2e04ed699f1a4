"""The bytes of a put on their way into a driver: taken in pieces, counted, and hashed if a checksum was declared.

Every driver reads `data` through this, so that all of them check alike; it never holds more than one piece.
"""

from __future__ import annotations

import hashlib
import io
from typing import BinaryIO

from kinora.errors import ChecksumMismatch, InvalidInput
from kinora.object_keys import is_hash


class Incoming:
    """`size` counts the bytes taken so far; `sha256` is the declared checksum (hex) or None."""

    def __init__(self, data: bytes | BinaryIO, sha256: str | None) -> None:
        if sha256 is not None and not is_hash(sha256):
            raise InvalidInput(f"not a lower-case hex SHA-256: {sha256!r}")
        self.sha256 = sha256
        self.size = 0
        self._stream = io.BytesIO(data) if isinstance(data, bytes) else data
        self._digest = hashlib.sha256() if sha256 else None

    def take(self, length: int) -> bytes:
        """The next `length` bytes; fewer only at the end, then empty. Streams with short reads are read on."""
        pieces, missing = [], length
        while missing > 0 and (piece := self._stream.read(missing)):
            pieces.append(piece)
            missing -= len(piece)
        content = pieces[0] if len(pieces) == 1 else b"".join(pieces)
        self.size += len(content)
        if self._digest:
            self._digest.update(content)
        return content

    def verify(self) -> None:
        """Raise ChecksumMismatch unless the bytes taken have the declared checksum. Call it when all are taken."""
        if self._digest and self._digest.hexdigest() != self.sha256:
            raise ChecksumMismatch(f"declared {self.sha256}, got {self._digest.hexdigest()}")
