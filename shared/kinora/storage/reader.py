"""Raw files for drivers: a seekable position over bytes that are fetched on demand, and block read-ahead with a small cache.

Drivers wrap them in `storage.base.Reader`; they know nothing of scopes, keys or backends.
"""

from __future__ import annotations

import errno
import io
import os
from abc import abstractmethod
from collections import OrderedDict
from collections.abc import Callable
from typing import Any

from kinora.errors import KinoraError

BUFFER_BYTES = 64 * 1024
CACHED_BLOCKS = 8
LONGEST_RUN = 4  # blocks fetched at once when reading goes straight on


class RandomAccess(io.RawIOBase):
    """A raw binary file of `size` bytes whose content a subclass delivers by position.

    The first read that fails is the last one: `failure` keeps its error, and every later read raises it again, so that
    nobody who missed the error goes on behind the hole.
    """

    def __init__(self, size: int) -> None:
        super().__init__()
        self.failure: KinoraError | None = None
        self._size = size
        self._position = 0

    @abstractmethod
    def _fill(self, view: memoryview, position: int) -> int:
        """Write up to `len(view)` bytes (at least one) from `position` into `view` and return how many."""

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._position

    def seek(self, offset: int, whence: int = os.SEEK_SET, /) -> int:
        base = {os.SEEK_SET: 0, os.SEEK_CUR: self._position, os.SEEK_END: self._size}[whence]
        if base + offset < 0:
            raise OSError(errno.EINVAL, "position before the beginning")
        self._position = base + offset
        return self._position

    def readinto(self, buffer: Any, /) -> int:
        if self.closed:
            raise ValueError("read of closed file")
        view = memoryview(buffer).cast("B")
        wanted = min(len(view), self._size - self._position)
        if wanted <= 0:
            return 0
        if self.failure:
            raise self.failure
        try:
            count = self._fill(view[:wanted], self._position)
        except KinoraError as error:
            self.failure = error
            raise
        self._position += count
        return count

    def readall(self) -> bytes:
        content = bytearray(max(0, self._size - self._position))
        view, filled = memoryview(content), 0
        while filled < len(content):
            filled += self.readinto(view[filled:])
        return bytes(content)


class BlockReader(RandomAccess):
    """Reads through `fetch(start, stop)` in whole blocks and keeps the last few.

    A demuxer that jumps between index and data finds both in the cache; reading straight on fetches up to
    `LONGEST_RUN` blocks at once. Memory stays under `CACHED_BLOCKS + LONGEST_RUN` blocks whatever the size.
    """

    def __init__(self, size: int, block_size: int, fetch: Callable[[int, int], bytes]) -> None:
        super().__init__(size)
        self._block_size = block_size
        self._fetch = fetch
        self._blocks: OrderedDict[int, memoryview] = OrderedDict()
        self._expected = -1
        self._run = 1

    def close(self) -> None:
        self._blocks.clear()
        super().close()

    def _fill(self, view: memoryview, position: int) -> int:
        index, offset = divmod(position, self._block_size)
        piece = self._block(index)[offset : offset + len(view)]
        view[: len(piece)] = piece
        return len(piece)

    def _block(self, index: int) -> memoryview:
        if index not in self._blocks:
            self._load(index)
        self._blocks.move_to_end(index)
        return self._blocks[index]

    def _load(self, index: int) -> None:
        self._run = min(self._run * 2, LONGEST_RUN) if index == self._expected else 1
        self._expected = index + self._run
        start = index * self._block_size
        content = self._fetch(start, min(start + self._run * self._block_size, self._size))
        for offset in reversed(range(0, len(content), self._block_size)):
            # A copy per block, so that one cached block does not keep its whole run in memory.
            block = memoryview(content[offset : offset + self._block_size])
            self._blocks[index + offset // self._block_size] = block
            self._blocks.move_to_end(index + offset // self._block_size)
        while len(self._blocks) > CACHED_BLOCKS:
            self._blocks.popitem(last=False)
