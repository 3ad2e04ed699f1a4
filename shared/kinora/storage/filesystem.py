"""The storage driver for one machine: each scope is a folder, each object a file of the same name (docs/drivers.md).

Built by bootstrap in local mode; several processes may work on the same roots at once. It never follows a symbolic link
below a root and never shows a file before it is whole.
"""

from __future__ import annotations

import itertools
import os
import stat
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import BinaryIO

from kinora.errors import AlreadyExists, InvalidKey, InvalidSetting, NotFound, PreconditionFailed
from kinora.model import Scope
from kinora.object_keys import check_key, check_prefix
from kinora.storage.base import ByteRange, ObjectInfo, PutMode, Reader
from kinora.storage.disk import describe, etag_of, publish, translated
from kinora.storage.filesystem_multipart import FilesystemMultipart
from kinora.storage.folders import open_folder, remove_empty
from kinora.storage.incoming import Incoming
from kinora.storage.listing import list_files
from kinora.storage.reader import BUFFER_BYTES, RandomAccess
from kinora.storage.staging import draft, remove_abandoned

_CHUNK_BYTES = 1024 * 1024


class FilesystemStorage:
    """Implements `storage.base.Storage` on folders; missing ones are made, leftovers of killed writers are removed."""

    def __init__(self, roots: Mapping[Scope, Path]) -> None:
        for root in roots.values():
            with translated(str(root)):
                root.mkdir(parents=True, exist_ok=True)
        self._roots = {scope: root.resolve() for scope, root in roots.items()}
        for one, other in itertools.permutations(self._roots.values(), 2):
            if one.is_relative_to(other):
                raise InvalidSetting(f"storage root {one} lies inside {other}; each scope needs a folder of its own")
        for root in self._roots.values():
            with translated(str(root)):
                remove_abandoned(root)

    @property
    def multipart(self) -> FilesystemMultipart:
        """Uploads in parts into the same roots."""
        return FilesystemMultipart(self._roots)

    def head(self, scope: Scope, key: str) -> ObjectInfo:
        *folders, name = check_key(key).split("/")
        with translated(key), open_folder(self._roots[scope], folders) as folder:
            return describe(key, os.stat(name, dir_fd=folder, follow_symlinks=False))

    def open(self, scope: Scope, key: str, byte_range: ByteRange | None = None, *, etag: str | None = None) -> Reader:
        *folders, name = check_key(key).split("/")
        flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
        with translated(key), open_folder(self._roots[scope], folders) as folder:
            descriptor = os.open(name, flags, dir_fd=folder)
        try:
            info = describe(key, os.fstat(descriptor))
            _expect(etag, info)
            start, stop = byte_range.resolve(info.size) if byte_range else (0, info.size)
            return Reader(_FileSlice(descriptor, info, start, stop), info, BUFFER_BYTES)
        except BaseException:
            os.close(descriptor)
            raise

    def put(
        self, scope: Scope, key: str, data: bytes | BinaryIO, mode: PutMode = PutMode.OVERWRITE, *, sha256: str | None = None
    ) -> ObjectInfo:
        check_key(key)
        incoming = Incoming(data, sha256)
        if mode is PutMode.CREATE and self._has(scope, key):
            raise AlreadyExists(f"{key!r} exists")
        with ExitStack() as stack:
            # Only the disk's errors are translated: those of the caller's own stream pass through as they are.
            with translated(key):
                file = stack.enter_context(draft(self._roots[scope]))
            while chunk := incoming.take(_CHUNK_BYTES):
                with translated(key):
                    file.write(chunk)
            incoming.verify()
            with translated(key):
                status = file.seal()
                publish(self._roots[scope], key, file, mode)
        return describe(key, status, sha256)

    def list(self, scope: Scope, prefix: str = "", *, after: str = "") -> Iterator[ObjectInfo]:
        check_prefix(prefix)
        check_prefix(after)
        return self._listed(scope, prefix, after)

    def delete(self, scope: Scope, key: str) -> None:
        *folders, name = check_key(key).split("/")
        self._remove(scope, folders, [name])

    def delete_prefix(self, scope: Scope, prefix: str) -> int:
        if not check_prefix(prefix):
            raise InvalidKey("an empty prefix would delete a whole scope")
        removed = 0
        for folder, infos in itertools.groupby(self._listed(scope, prefix, ""), key=lambda info: info.key.split("/")[:-1]):
            removed += self._remove(scope, folder, [info.key.rsplit("/", 1)[-1] for info in infos])
        return removed

    def check(self, scope: Scope | None = None) -> None:
        for root in self._roots.values() if scope is None else (self._roots[scope],):
            with open_folder(root, ()):
                pass

    def _has(self, scope: Scope, key: str) -> bool:
        with suppress(NotFound):
            return bool(self.head(scope, key))
        return False

    def _listed(self, scope: Scope, prefix: str, after: str) -> Iterator[ObjectInfo]:
        with translated(prefix):
            for key, status in list_files(self._roots[scope], prefix, after):
                yield describe(key, status)

    def _remove(self, scope: Scope, folders: Sequence[str], names: Sequence[str]) -> int:
        removed = 0
        with translated("/".join(folders)), suppress(FileNotFoundError, NotADirectoryError):
            with open_folder(self._roots[scope], folders) as folder:
                for name in names:
                    removed += _unlink(name, folder)
                os.fsync(folder)
            remove_empty(self._roots[scope], folders)
        return removed


class _FileSlice(RandomAccess):
    """Bytes `start` to `stop` of an open file. Being open pins it; being changed in place, by hand, breaks it."""

    def __init__(self, descriptor: int, info: ObjectInfo, start: int, stop: int) -> None:
        super().__init__(stop - start)
        self._descriptor = descriptor
        self._info = info
        self._start = start

    def close(self) -> None:
        if not self.closed:
            os.close(self._descriptor)
        super().close()

    def _fill(self, view: memoryview, position: int) -> int:
        with translated(self._info.key):
            count = os.preadv(self._descriptor, [view], self._start + position)
            if etag_of(os.fstat(self._descriptor)) != self._info.etag:
                raise PreconditionFailed(f"{self._info.key!r} was changed while it was read")
        return count


def _expect(etag: str | None, info: ObjectInfo) -> None:
    if etag is not None and etag != info.etag:
        raise PreconditionFailed(f"{info.key!r} is {info.etag}, not {etag}")


def _unlink(name: str, folder: int) -> bool:
    """Whether a file of that name was removed; folders and links are no objects and stay."""
    try:
        if not stat.S_ISREG(os.stat(name, dir_fd=folder, follow_symlinks=False).st_mode):
            return False
        os.unlink(name, dir_fd=folder)
    except FileNotFoundError:
        return False
    return True
