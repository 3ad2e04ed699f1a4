"""Files that are being written, in a working folder inside each root, until they are published whole under their key.

A writer holds a lock on its file, so that what a killed writer left behind can be told from what another process is
writing at this moment. Used by the filesystem driver only; raises OSError.
"""

from __future__ import annotations

import errno
import fcntl
import os
import stat
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from kinora.errors import AlreadyExists, InvalidKey
from kinora.object_keys import RESERVED_FOLDER
from kinora.storage.base import PutMode
from kinora.storage.folders import open_folder

_STAGING = (RESERVED_FOLDER, "tmp")
_CHUNK_BYTES = 1024 * 1024


class Draft:
    """One locked file in the staging folder."""

    def __init__(self, folder: int, name: str, descriptor: int) -> None:
        self._folder = folder
        self._name = name
        self._descriptor = descriptor

    def write(self, content: bytes) -> None:
        view = memoryview(content)
        while view:
            view = view[os.write(self._descriptor, view) :]

    def append(self, descriptor: int, size: int) -> None:
        """Write the first `size` bytes of an open file, without copying them where the file system can share them."""
        done = 0
        with suppress(OSError, AttributeError):  # not between these two files, or not on this system: by hand then
            while done < size and (count := os.copy_file_range(descriptor, self._descriptor, size - done, done)):
                done += count
        while done < size:
            chunk = os.pread(descriptor, min(size - done, _CHUNK_BYTES), done)
            if not chunk:
                raise OSError(errno.EIO, "a part is shorter than it was")
            self.write(chunk)
            done += len(chunk)

    def seal(self) -> os.stat_result:
        """Make the content durable and give it a time stamp of its own, finer than the file system's clock."""
        now = time.time_ns()
        os.utime(self._descriptor, ns=(now, now))
        os.fsync(self._descriptor)
        return os.fstat(self._descriptor)

    def publish(self, folder: int, name: str, mode: PutMode) -> None:
        """Let the sealed file appear as `name` in `folder`, atomically and durably.

        Raises AlreadyExists (mode CREATE), InvalidKey if a folder with content has that name, FileNotFoundError if
        `folder` was removed meanwhile.
        """
        try:
            if mode is PutMode.CREATE:
                os.link(self._name, name, src_dir_fd=self._folder, dst_dir_fd=folder, follow_symlinks=False)
            else:
                os.replace(self._name, name, src_dir_fd=self._folder, dst_dir_fd=folder)
        except (FileExistsError, IsADirectoryError) as error:
            self._make_way(folder, name, error)
            self.publish(folder, name, mode)
        os.fsync(folder)

    def _make_way(self, folder: int, name: str, error: OSError) -> None:
        found = os.stat(name, dir_fd=folder, follow_symlinks=False)
        if stat.S_ISREG(found.st_mode):
            raise AlreadyExists(f"{name!r} exists") from error
        try:
            os.rmdir(name, dir_fd=folder)  # an empty folder is left over from a killed delete and is in nobody's way
        except OSError as blocked:
            if blocked.errno == errno.ENOENT:
                raise
            raise InvalidKey(f"{name!r} cannot be stored: a folder or link of that name exists") from error


@contextmanager
def draft(root: Path) -> Iterator[Draft]:
    """A new empty draft, gone afterwards unless it was published."""
    with open_folder(root, _STAGING, create=True) as folder:
        name, descriptor = _create_locked(folder)
        try:
            yield Draft(folder, name, descriptor)
        finally:
            with suppress(FileNotFoundError):
                os.unlink(name, dir_fd=folder)
            os.close(descriptor)


def _create_locked(folder: int) -> tuple[str, int]:
    while True:
        name = uuid.uuid4().hex
        descriptor = os.open(name, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o666, dir_fd=folder)
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        if os.fstat(descriptor).st_nlink:
            return name, descriptor
        os.close(descriptor)  # a cleaner came between creating and locking: begin again


def remove_abandoned(root: Path) -> None:
    """Delete the drafts of writers that live no more. Safe while other processes write."""
    with suppress(FileNotFoundError, NotADirectoryError), open_folder(root, _STAGING) as folder, os.scandir(folder) as found:
        for entry in list(found):
            with suppress(OSError):
                _remove_unlocked(folder, entry.name)


def _remove_unlocked(folder: int, name: str) -> None:
    descriptor = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=folder)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        os.unlink(name, dir_fd=folder)
    finally:
        os.close(descriptor)
