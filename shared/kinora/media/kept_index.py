"""Gives an original that has no index the one that was kept in its plan. Called where originals are opened.

The demuxer sees the file with another beginning, in which the index lies; the original is not altered. Which containers can be
given one is the table below: others are searched by time, or have an index of their own.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterable, Sequence
from typing import BinaryIO, cast

from kinora.media import kept_index_flv, kept_index_matroska
from kinora.media.new_beginning import NewBeginning, Place

# By demuxer; a writer that cannot make sense of the file returns None.
_WRITERS: dict[str, Callable[[BinaryIO, Sequence[Place]], NewBeginning | None]] = {
    "flv": kept_index_flv.write,
    "matroska": kept_index_matroska.write,
}


def places_to_keep(demuxer: str, found: Sequence[Place], entries: Iterable[int]) -> tuple[Place, ...]:
    """Of all places that were `found` in a scan, in ascending order, those at or before the `entries` of a plan."""
    if demuxer not in _WRITERS or len(found) < 2:
        return ()
    return tuple(sorted({found[max(bisect_right(found, entry, key=_time) - 1, 0)] for entry in entries}))


def with_kept_index(file: BinaryIO, demuxer: str, places: Sequence[Place]) -> BinaryIO:
    """The file with an index of `places`, or as it is."""
    write = _WRITERS.get(demuxer)
    beginning = write(file, places) if write and places else None
    return cast("BinaryIO", _Renewed(file, beginning)) if beginning else file


def _time(place: Place) -> int:
    return place[0]


class _Renewed:
    """A readable, seekable file that begins otherwise."""

    def __init__(self, file: BinaryIO, beginning: NewBeginning) -> None:
        self._file = file
        self._head, self._shift = beginning.data, len(beginning.data) - beginning.replaces
        self._position = 0

    def read(self, size: int) -> bytes:
        if self._position < len(self._head):
            data = self._head[self._position : self._position + size]
        else:
            self._file.seek(self._position - self._shift)
            data = self._file.read(size)
        self._position += len(data)
        return data

    def seek(self, offset: int, whence: int = 0) -> int:
        if whence == 2:
            offset += self._file.seek(0, 2) + self._shift
        elif whence == 1:
            offset += self._position
        self._position = offset
        return offset

    def tell(self) -> int:
        return self._position
