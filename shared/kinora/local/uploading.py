"""Copies a file into the source scope under a name that is free, and never over anything else. Used by `put` and `up`."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO, BinaryIO, cast

from kinora.errors import AlreadyExists, InvalidInput, KinoraError, NotFound
from kinora.model import Scope
from kinora.object_keys import check_key
from kinora.services import Services
from kinora.storage.base import PutMode
from kinora.upload_names import is_unfinished

_CHUNK_BYTES = 1024 * 1024

Progress = Callable[[int], None]


@dataclass(frozen=True, slots=True)
class Upload:
    """A file that lies in the source scope as `key` now; `reused` if the same bytes lay there before."""

    path: Path
    key: str
    hash: str
    reused: bool


def upload(services: Services, path: Path, progress: Progress) -> Upload:
    """Copy `path` below the upload prefix. A name that is taken by the same bytes is used as it is, one taken by others
    gets a number: `cat.jpg`, `cat-2.jpg` … `progress` hears of each piece's bytes. Raises KinoraError."""
    for key in _names(services.settings.upload_prefix, path.name):
        with _opened(path) as file:
            reader = _HashingReader(file, progress)
            try:
                services.storage.put(Scope.SOURCE, key, cast(BinaryIO, reader), PutMode.CREATE)
                return Upload(path, key, reader.hexdigest(), reused=False)
            except AlreadyExists:
                pass
        content_hash = _hash_of(_opened(path), progress)
        try:
            if content_hash == _hash_of(services.storage.open(Scope.SOURCE, key), lambda _: None):
                return Upload(path, key, content_hash, reused=True)
        except NotFound:
            continue
    raise AlreadyExists(f"no free name for {path.name}")


def announce_again(services: Services, done: Upload) -> None:
    """Replace a reused object by the same bytes, so that it is noticed like a new one. Raises KinoraError."""
    with _opened(done.path) as file:
        services.storage.put(Scope.SOURCE, done.key, file, PutMode.OVERWRITE, sha256=done.hash)


def _names(prefix: str, name: str) -> Iterator[str]:
    """Names the watcher does not take for hidden or unfinished files."""
    visible = name.lstrip(".") or "upload"
    if is_unfinished(visible):
        visible += ".upload"
    pure = PurePosixPath(visible)
    yield check_key(prefix + visible)
    for number in range(2, 10_000):
        yield check_key(f"{prefix}{pure.stem}-{number}{pure.suffix}")


def _opened(path: Path) -> BinaryIO:
    try:
        return path.open("rb")
    except FileNotFoundError:
        raise NotFound(public_message=f"There is no file {path}.") from None
    except OSError as error:
        raise InvalidInput(public_message=f"{path} cannot be read: {error.strerror}.") from error


def _hash_of(file: IO[bytes], progress: Progress) -> str:
    with file:
        reader = _HashingReader(file, progress)
        while reader.read(_CHUNK_BYTES):
            pass
    return reader.hexdigest()


class _HashingReader:
    """A readable that hashes what passes through it."""

    def __init__(self, file: IO[bytes], progress: Progress) -> None:
        self._file = file
        self._progress = progress
        self._hash = hashlib.sha256()

    def read(self, size: int = -1) -> bytes:
        try:
            piece = self._file.read(size)
        except OSError as error:
            raise InvalidInput(public_message=f"The file cannot be read: {error.strerror}.") from error
        self._hash.update(piece)
        self._progress(len(piece))
        return piece

    def hexdigest(self) -> str:
        return self._hash.hexdigest()


def failure_message(error: KinoraError) -> dict[str, str]:
    """The error as commands print it."""
    return {"code": error.code, "message": error.public_message}
