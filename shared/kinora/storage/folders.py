"""Folders below a root on a disk, reached one component at a time and never through a symbolic link.

Used by the filesystem driver and its staging room. Everything works on folder descriptors, so that nothing that happens
to the path meanwhile can lead outside the root. Raises OSError, except Unavailable for a root that is not there.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from kinora.errors import Unavailable

_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC


@contextmanager
def open_folder(root: Path, parts: Sequence[str], *, create: bool = False) -> Iterator[int]:
    """The descriptor of the folder `parts` below `root`; with `create`, missing folders are made durably."""
    try:
        folder = os.open(root, _FOLDER)
    except OSError as error:
        raise Unavailable(f"storage root {root} cannot be opened: {error}") from error
    try:
        for part in parts:
            child = _step_down(folder, part, create=create)
            os.close(folder)
            folder = child
        yield folder
    finally:
        os.close(folder)


def _step_down(folder: int, name: str, *, create: bool) -> int:
    try:
        return os.open(name, _FOLDER | os.O_NOFOLLOW, dir_fd=folder)
    except FileNotFoundError:
        if not create:
            raise
    with suppress(FileExistsError):
        os.mkdir(name, dir_fd=folder)
        os.fsync(folder)
    return os.open(name, _FOLDER | os.O_NOFOLLOW, dir_fd=folder)


def remove_empty(root: Path, parts: Sequence[str]) -> None:
    """Remove the folder `parts` below `root` and its parents as far as they are empty. A folder that somebody fills at
    the same moment stays, because removing is atomic; who had opened it before has to open it again."""
    with suppress(OSError):
        for depth in range(len(parts), 0, -1):
            with open_folder(root, parts[: depth - 1]) as parent:
                os.rmdir(parts[depth - 1], dir_fd=parent)
