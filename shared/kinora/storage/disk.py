"""What the rooms of the filesystem driver share: a file described as an object, a draft published under its key, and the
disk's errors in Kinora's terms."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from kinora.errors import Forbidden, InvalidKey, KinoraError, NoSpace, NotFound, Unavailable
from kinora.object_keys import media_type_of
from kinora.storage.base import ObjectInfo, PutMode
from kinora.storage.folders import open_folder
from kinora.storage.staging import Draft

_PUBLISH_ATTEMPTS = 100

_MEANINGS: dict[int, type[KinoraError]] = {
    errno.ENOENT: NotFound,
    errno.ENOTDIR: NotFound,
    errno.ELOOP: NotFound,
    errno.ENOSPC: NoSpace,
    errno.EDQUOT: NoSpace,
    errno.EFBIG: NoSpace,
    errno.EACCES: Forbidden,
    errno.EPERM: Forbidden,
    errno.EROFS: Forbidden,
    errno.ENAMETOOLONG: InvalidKey,
}


@contextmanager
def translated(what: str) -> Iterator[None]:
    """Raise the disk's errors as Kinora's; `what` is for the log."""
    try:
        yield
    except OSError as error:
        raise _MEANINGS.get(error.errno or 0, Unavailable)(f"{what!r}: {error}") from error


def etag_of(status: os.stat_result) -> str:
    return f"{status.st_mtime_ns:x}-{status.st_size:x}-{status.st_ino:x}"


def describe(key: str, status: os.stat_result, sha256: str | None = None) -> ObjectInfo:
    """Raises NotFound for what is not a regular file."""
    if not stat.S_ISREG(status.st_mode):
        raise NotFound(f"{key!r} is not a file")
    return ObjectInfo(key, status.st_size, etag_of(status), status.st_mtime, media_type_of(key), sha256)


def publish(root: Path, key: str, file: Draft, mode: PutMode) -> None:
    """Let a sealed draft appear as `key`, atomically. Raises AlreadyExists (mode CREATE), InvalidKey, Unavailable, OSError."""
    *folders, name = key.split("/")
    for _ in range(_PUBLISH_ATTEMPTS):
        # A delete beside us may remove the folder as empty between opening and publishing: make it again.
        with suppress(FileNotFoundError):
            return _publish_into(root, folders, name, file, mode)
    raise Unavailable(f"the folder of {key!r} is removed again and again")


def _publish_into(root: Path, folders: Sequence[str], name: str, file: Draft, mode: PutMode) -> None:
    try:
        with open_folder(root, folders, create=True) as folder:
            file.publish(folder, name, mode)
    except (NotADirectoryError, FileExistsError) as error:
        raise InvalidKey(f"{'/'.join(folders)!r} cannot be a folder: a part of it is an object or a link") from error
