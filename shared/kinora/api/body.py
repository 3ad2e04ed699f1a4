"""A request's body as a file object for a storage driver: read in a worker thread while the event loop receives it, so that
memory stays constant and a slow disk slows the sender."""

from __future__ import annotations

import io
from collections.abc import AsyncIterator

from anyio import from_thread
from starlette.requests import ClientDisconnect

from kinora.errors import InvalidInput, LimitExceeded


class BodyReader(io.RawIOBase):
    """Reads at most `limit` bytes, then raises LimitExceeded; a sender that breaks off raises InvalidInput. Either way the
    driver gives up and nothing is stored."""

    def __init__(self, chunks: AsyncIterator[bytes], limit: int) -> None:
        self._chunks = chunks
        self._limit = limit
        self._taken = 0
        self._rest = memoryview(b"")

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]  # any writable buffer is a memoryview's equal
        if not self._rest:
            self._rest = memoryview(self._next_chunk())
        count = min(len(buffer), len(self._rest))
        buffer[:count] = self._rest[:count]
        self._rest = self._rest[count:]
        return count

    def _next_chunk(self) -> bytes:
        """The next chunk with something in it; empty at the end."""
        try:
            chunk = b""
            while not chunk:
                chunk = from_thread.run(self._advance)
        except _EndOfBodyError:
            return b""
        except ClientDisconnect as error:
            raise InvalidInput(public_message="The upload broke off.") from error
        self._taken += len(chunk)
        if self._taken > self._limit:
            raise LimitExceeded(public_message=f"The upload is larger than {self._limit} bytes.")
        return chunk

    async def _advance(self) -> bytes:
        try:
            return await anext(self._chunks)
        except StopAsyncIteration:
            raise _EndOfBodyError from None


class _EndOfBodyError(Exception):
    """StopAsyncIteration may not cross a coroutine's border."""
