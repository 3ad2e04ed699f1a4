"""The protocol of uploads in parts, which a client can pause, resume and repeat, and the rules that S3 has for them.

An optional ability of storage beside `base.Storage`; tests/contract/multipart_suite.py states the behaviour.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import BinaryIO, Protocol

from kinora.errors import InvalidInput, LimitExceeded
from kinora.model import Scope
from kinora.storage.base import ObjectInfo, PutMode

MIN_PART_BYTES = 5 * 1024 * 1024  # all but the last part (Amazon S3 User Guide: multipart upload limits)
MAX_PARTS = 10_000


@dataclass(frozen=True, slots=True)
class Part:
    """A stored part. `etag` is unquoted; `sha256` (hex) is set if one was declared, and then verified."""

    number: int
    etag: str
    size: int
    sha256: str | None = None


@dataclass(frozen=True, slots=True)
class PendingUpload:
    """An upload that is neither complete nor aborted. `created_at` in seconds since the Unix epoch."""

    key: str
    id: str
    created_at: float


class MultipartUploads(Protocol):
    """Nothing of an upload is an object before `complete`, and then all of it at once."""

    def create(self, scope: Scope, key: str, *, checksums: bool = False, encrypt: bool = False) -> str:
        """Begin an upload to `key` and return its id. With `checksums` every part declares its SHA-256; `encrypt` is noted with
        the object where objects have metadata, as by `base.Presigner.presign_put`."""

    def put_part(
        self, scope: Scope, key: str, upload: str, number: int, data: bytes | BinaryIO, *, sha256: str | None = None
    ) -> Part:
        """Store part `number` (1 to MAX_PARTS) atomically; one sent again replaces the one before.

        Raises NotFound for an upload that is not there (any more), ChecksumMismatch, NoSpace; then nothing has changed.
        """

    def parts(self, scope: Scope, key: str, upload: str) -> Sequence[Part]:
        """The stored parts by number. Raises NotFound."""

    def complete(
        self,
        scope: Scope,
        key: str,
        upload: str,
        parts: Sequence[tuple[int, str]],
        mode: PutMode = PutMode.OVERWRITE,
        *,
        max_bytes: int,
    ) -> ObjectInfo:
        """Let the object appear, made of these parts (number and ETag, in ascending order) and no others.

        Once it has succeeded, the same call gives the same answer and does nothing. Raises NotFound, InvalidInput for parts
        that are not there or too small, LimitExceeded, AlreadyExists (mode CREATE); after an error the upload still stands.
        """

    def abort(self, scope: Scope, key: str, upload: str) -> None:
        """Forget an upload and its parts; what is complete stays, and what is not there is no error."""

    def pending(self, scope: Scope) -> Iterator[PendingUpload]:
        """All uploads under way, in no order."""


class PartPresigner(Protocol):
    """Optional ability beside `base.Presigner`: clients send parts and forms to the backend itself."""

    def presign_part(
        self, scope: Scope, key: str, upload: str, number: int, *, expires: int, sha256: str | None = None
    ) -> tuple[str, dict[str, str]]:
        """A URL for the PUT of one part, and the headers that belong to it."""

    def presign_form(self, scope: Scope, key: str, *, expires: int, max_bytes: int) -> tuple[str, dict[str, str]]:
        """An address for the POST of a form (`multipart/form-data`) with these fields and, last, the field `file`."""


def check_number(number: int) -> int:
    """Return a part's number unchanged; raises InvalidInput."""
    if not 1 <= number <= MAX_PARTS:
        raise InvalidInput(public_message=f"Parts are numbered 1 to {MAX_PARTS}.", code="invalid-part")
    return number


def chosen_parts(wanted: Sequence[tuple[int, str]], stored: Iterable[Part], *, max_bytes: int) -> list[Part]:
    """The stored parts that a complete asks for. Raises InvalidInput, as S3 does, and LimitExceeded."""
    numbers = [number for number, _ in wanted]
    if not numbers or numbers != sorted(set(numbers)):
        raise InvalidInput(public_message="Parts are listed once each, by ascending number.", code="invalid-part-order")
    by_name = {(part.number, part.etag): part for part in stored}
    try:
        parts = [by_name[number, etag.strip('"')] for number, etag in wanted]
    except KeyError as error:
        number = error.args[0][0]
        raise InvalidInput(public_message=f"Part {number} is not stored with this ETag.", code="invalid-part") from error
    small = next((part.number for part in parts[:-1] if part.size < MIN_PART_BYTES), None)
    if small is not None:
        raise InvalidInput(
            public_message=f"Part {small} has fewer than {MIN_PART_BYTES} bytes and is not the last.", code="part-too-small"
        )
    size = sum(part.size for part in parts)
    if size > max_bytes:
        raise LimitExceeded(public_message=f"The upload has {size} bytes; {max_bytes} are allowed.")
    return parts
