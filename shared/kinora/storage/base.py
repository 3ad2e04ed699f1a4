"""The storage protocol: bytes under `(scope, key)`. Every driver is a room with the same furniture (DESIGN §3).

Callers see only Kinora's errors. tests/contract/storage_suite.py states the behaviour; docs/drivers.md says how to add a driver.
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import BinaryIO, Protocol

from kinora.errors import KinoraError, RangeNotSatisfiable
from kinora.model import Scope


class PutMode(StrEnum):
    """`CREATE` has exactly one winner, every other caller gets AlreadyExists; `OVERWRITE` replaces atomically."""

    CREATE = "create"
    OVERWRITE = "overwrite"


@dataclass(frozen=True, slots=True)
class ByteRange:
    """A range in the sense of RFC 9110 §14.1.1: `first` to `last` inclusive; `last` None is open; `first` None means
    the last `last` bytes (suffix)."""

    first: int | None
    last: int | None

    def resolve(self, size: int) -> tuple[int, int]:
        """The half-open `(start, stop)` within an object of `size` bytes; raises RangeNotSatisfiable."""
        if self.first is None:
            length = min(self.last or 0, size)
            if length <= 0:
                raise RangeNotSatisfiable(size)
            return size - length, size
        stop = size if self.last is None else min(self.last + 1, size)
        if self.first >= size or self.first >= stop:
            raise RangeNotSatisfiable(size)
        return self.first, stop


@dataclass(frozen=True, slots=True)
class ObjectInfo:
    """What is known about a stored object. `etag` is strong and unquoted; `sha256` (hex) is set only where the backend
    has verified it over the whole object; `version` only in versioned buckets; `encrypt` where an uploader has asked for it
    (S3: `x-amz-meta-kinora-encrypt: true`)."""

    key: str
    size: int
    etag: str
    modified_at: float
    media_type: str
    sha256: str | None = None
    version: str | None = None
    encrypt: bool = False


class Reader(io.BufferedReader):
    """A seekable binary file object that fetches only what is read and releases everything on close (also by `with`).

    Drivers hand in a raw file of their own. For a range, position 0 is the range's first byte and the end is the
    range's end; `info` describes the whole object. Libraries take a read that raises for the end of the file, libvips even
    without a word: leaving `with` therefore raises the error of a read, whatever became of it in between.
    """

    def __init__(self, raw: io.RawIOBase, info: ObjectInfo, buffer_size: int = io.DEFAULT_BUFFER_SIZE) -> None:
        super().__init__(raw, buffer_size)
        self.info = info

    @property
    def failure(self) -> KinoraError | None:
        """The error of the first read that failed; no later read succeeds."""
        failure: KinoraError | None = getattr(self.raw, "failure", None)
        return failure

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        self.close()
        if self.failure and self.failure is not error and (error is None or isinstance(error, Exception)):
            raise self.failure


class Storage(Protocol):
    """Verbs common to all drivers. Keys are checked by `object_keys.check_key` first, in every driver (InvalidKey)."""

    def head(self, scope: Scope, key: str) -> ObjectInfo:
        """Describe an object; raises NotFound."""

    def open(self, scope: Scope, key: str, byte_range: ByteRange | None = None, *, etag: str | None = None) -> Reader:
        """Open an object for reading, pinned to one state of it.

        Raises NotFound; RangeNotSatisfiable; PreconditionFailed if `etag` is given and does not hold, and from any
        later read when the object was replaced after it was opened and the driver cannot go on with the old bytes.
        """

    def put(
        self, scope: Scope, key: str, data: bytes | BinaryIO, mode: PutMode = PutMode.OVERWRITE, *, sha256: str | None = None
    ) -> ObjectInfo:
        """Store `data` atomically and in constant memory: readers see the old object or the whole new one.

        Raises AlreadyExists (mode CREATE), ChecksumMismatch if `sha256` (hex) is given and differs, NoSpace. After an
        error nothing has changed. The media type is `object_keys.media_type_of(key)`.
        """

    def list(self, scope: Scope, prefix: str = "", *, after: str = "") -> Iterator[ObjectInfo]:
        """All objects whose key starts with `prefix`, in the order of their keys' UTF-8 bytes, those up to and
        including `after` left out. Lazy: pages are fetched as they are consumed."""

    def delete(self, scope: Scope, key: str) -> None:
        """Delete an object; deleting what is not there is no error."""

    def delete_prefix(self, scope: Scope, prefix: str) -> int:
        """Delete every object whose key starts with `prefix` (not empty) and return how many there were."""

    def check(self, scope: Scope | None = None) -> None:
        """Raise Unavailable unless the scope, or every one, can be reached; one that has no place is passed over."""


class Presigner(Protocol):
    """Optional ability: URLs by which a client talks to the backend itself, so that bytes do not travel through the API."""

    def presign_get(
        self, scope: Scope, key: str, *, expires: int, media_type: str | None = None, disposition: str | None = None
    ) -> str:
        """A URL that serves the object (GET with ranges; SigV4 binds the method, so no HEAD) for `expires` seconds, with these
        values of Content-Type (default: `object_keys.media_type_of(key)`) and Content-Disposition (RFC 6266)."""

    def presign_put(self, scope: Scope, key: str, *, expires: int, sha256: str | None = None, encrypt: bool = False) -> str:
        """A URL to which one PUT may be made within `expires` seconds; with `sha256` (hex) of these bytes alone, declared in
        the header `x-amz-checksum-sha256`; with `encrypt` of what shall be encrypted, with the header
        `x-amz-meta-kinora-encrypt: true`."""
