"""Uploads in parts on a disk: parts lie in the working folder of a root until they are joined into one file (docs/uploads.md).

A lock on an upload's own file orders everybody who changes it. What a joined file will be known by is noted before it appears,
so that whoever was killed in between is neither repeated nor forgotten.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import re
import shutil
import time
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any, BinaryIO

from kinora.errors import AlreadyExists, InvalidInput, NotFound
from kinora.model import Scope
from kinora.object_keys import RESERVED_FOLDER, check_key, media_type_of
from kinora.storage.base import ObjectInfo, PutMode
from kinora.storage.disk import describe, publish, translated
from kinora.storage.folders import open_folder
from kinora.storage.incoming import Incoming
from kinora.storage.multipart import Part, PendingUpload, check_number, chosen_parts
from kinora.storage.staging import Draft, draft

_CHUNK_BYTES = 1024 * 1024
_KEEP_SECONDS = 7 * 86_400.0  # notes of completed uploads
_UPLOADS = f"{RESERVED_FOLDER}/uploads"
_JOINED = f"{RESERVED_FOLDER}/joined"
_ABOUT, _JOINING, _DONE = "upload.json", "joining.json", "done.json"
_ID = re.compile(r"[0-9a-f]{32}")
_PART = re.compile(r"(\d{5})\.([0-9a-f]{32})\.([0-9a-f]{64}|-)")


class FilesystemMultipart:
    """Implements `storage.multipart.MultipartUploads` on the roots of the filesystem driver."""

    def __init__(self, roots: Mapping[Scope, Path]) -> None:
        self._roots = roots

    def create(self, scope: Scope, key: str, *, checksums: bool = False, encrypt: bool = False) -> str:
        del encrypt  # files have no metadata: whoever takes the upload in marks the key
        check_key(key)
        upload = uuid.uuid4().hex
        with translated(key):
            self._tidy(scope)
            self._note(scope, upload, _ABOUT, {"key": key, "checksums": checksums, "created_at": time.time()})
        return upload

    def put_part(
        self, scope: Scope, key: str, upload: str, number: int, data: bytes | BinaryIO, *, sha256: str | None = None
    ) -> Part:
        check_number(number)
        if self._about(scope, key, upload)["checksums"] and sha256 is None:
            raise InvalidInput(public_message="Each part of this upload declares its SHA-256.", code="checksum-missing")
        incoming = Incoming(data, sha256)
        digest = hashlib.md5(usedforsecurity=False)  # what the ETag of a part is in S3
        with ExitStack() as stack:
            # As in a put of the driver: errors of the caller's own stream pass through as they are.
            with translated(key):
                file = stack.enter_context(draft(self._roots[scope]))
            while chunk := incoming.take(_CHUNK_BYTES):
                digest.update(chunk)
                with translated(key):
                    file.write(chunk)
            incoming.verify()
            part = Part(number, digest.hexdigest(), incoming.size, sha256)
            with translated(key):
                file.seal()
                self._keep(scope, upload, part, file)
        return part

    def parts(self, scope: Scope, key: str, upload: str) -> Sequence[Part]:
        self._about(scope, key, upload)
        with translated(key), self._locked(scope, upload) as folder:
            if self._read(scope, upload, _DONE):
                raise NotFound(f"upload {upload} is complete")
            return _stored(folder)

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
        self._about(scope, key, upload)
        wanted = [[number, etag.strip('"')] for number, etag in parts]
        with translated(key), self._locked(scope, upload) as folder:
            if done := self._completed(scope, key, upload):
                if done["parts"] != wanted:
                    raise NotFound(f"upload {upload} is complete with other parts")
                return ObjectInfo(key, done["size"], done["etag"], done["modified_at"], media_type_of(key))
            chosen = chosen_parts(parts, _stored(folder), max_bytes=max_bytes)
            if mode is PutMode.CREATE and self._head(scope, key):
                raise AlreadyExists(f"{key!r} exists")
            info = self._join(scope, key, upload, folder, chosen, mode)
            self._finish(folder)
        return info

    def abort(self, scope: Scope, key: str, upload: str) -> None:
        with suppress(NotFound), translated(key):
            self._about(scope, key, upload)
            with self._locked(scope, upload):
                if not self._completed(scope, key, upload):
                    shutil.rmtree(self._roots[scope] / _UPLOADS / upload)

    def pending(self, scope: Scope) -> Iterator[PendingUpload]:
        for upload in self._names_below(scope, _UPLOADS):
            about = self._read(scope, upload, _ABOUT)
            if about and not self._read(scope, upload, _DONE):
                yield PendingUpload(about["key"], upload, about["created_at"])

    def was_joined(self, scope: Scope, etag: str) -> bool:
        """Whether the object with this ETag was made of parts; known for some days."""
        with suppress(FileNotFoundError, NotADirectoryError), open_folder(self._roots[scope], _JOINED.split("/")) as folder:
            return bool(os.stat(etag, dir_fd=folder, follow_symlinks=False))
        return False

    def _keep(self, scope: Scope, upload: str, part: Part, file: Draft) -> None:
        """Publish a part and forget what had its number before."""
        with self._locked(scope, upload) as folder:
            if self._read(scope, upload, _DONE):
                raise NotFound(f"upload {upload} is complete")
            file.publish(folder, _name_of(part), PutMode.OVERWRITE)
            for other in _names(folder):
                if other.startswith(f"{part.number:05d}.") and other != _name_of(part):
                    os.unlink(other, dir_fd=folder)

    def _join(self, scope: Scope, key: str, upload: str, folder: int, parts: Sequence[Part], mode: PutMode) -> ObjectInfo:
        with draft(self._roots[scope]) as file:
            for part in parts:
                descriptor = os.open(_name_of(part), os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=folder)
                try:
                    file.append(descriptor, part.size)
                finally:
                    os.close(descriptor)
            info = describe(key, file.seal())
            listed = [[part.number, part.etag] for part in parts]
            noted = {"parts": listed, "etag": info.etag, "size": info.size, "modified_at": info.modified_at}
            self._note(scope, upload, _JOINING, noted)
            with open_folder(self._roots[scope], _JOINED.split("/"), create=True) as joined:
                os.close(os.open(info.etag, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o666, dir_fd=joined))
            publish(self._roots[scope], key, file, mode)
        return info

    def _completed(self, scope: Scope, key: str, upload: str) -> dict[str, Any] | None:
        """What is noted of an upload that is complete. One whose object appeared but whose writer was killed is, too."""
        if done := self._read(scope, upload, _DONE):
            return done
        joining = self._read(scope, upload, _JOINING)
        found = self._head(scope, key) if joining else None
        if joining is None or found is None or found.etag != joining["etag"]:
            return None
        with open_folder(self._roots[scope], [*_UPLOADS.split("/"), upload]) as folder:
            self._finish(folder)
        return joining

    def _finish(self, folder: int) -> None:
        os.rename(_JOINING, _DONE, src_dir_fd=folder, dst_dir_fd=folder)
        os.fsync(folder)
        for name in _names(folder):
            if _PART.fullmatch(name):
                os.unlink(name, dir_fd=folder)

    def _head(self, scope: Scope, key: str) -> ObjectInfo | None:
        *folders, name = key.split("/")
        with suppress(FileNotFoundError, NotADirectoryError, NotFound), open_folder(self._roots[scope], folders) as folder:
            return describe(key, os.stat(name, dir_fd=folder, follow_symlinks=False))
        return None

    def _about(self, scope: Scope, key: str, upload: str) -> dict[str, Any]:
        about = self._read(scope, upload, _ABOUT) if _ID.fullmatch(upload) else None
        if about is None or about["key"] != key:
            raise NotFound(f"no upload {upload!r} to {key!r}", public_message="There is no such upload (any more).")
        return about

    @contextmanager
    def _locked(self, scope: Scope, upload: str) -> Iterator[int]:
        """The descriptor of the upload's folder, while nobody else changes it. Raises FileNotFoundError."""
        with open_folder(self._roots[scope], [*_UPLOADS.split("/"), upload]) as folder:
            descriptor = os.open(_ABOUT, os.O_RDONLY | os.O_CLOEXEC, dir_fd=folder)
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX)
                if os.fstat(descriptor).st_nlink == 0:
                    raise NotFound(f"upload {upload} was aborted")
                yield folder
            finally:
                os.close(descriptor)

    def _note(self, scope: Scope, upload: str, name: str, content: Mapping[str, Any]) -> None:
        with draft(self._roots[scope]) as file:
            file.write(json.dumps(content).encode())
            file.seal()
            with open_folder(self._roots[scope], [*_UPLOADS.split("/"), upload], create=name == _ABOUT) as folder:
                file.publish(folder, name, PutMode.OVERWRITE)

    def _read(self, scope: Scope, upload: str, name: str) -> dict[str, Any] | None:
        try:
            content: dict[str, Any] = json.loads((self._roots[scope] / _UPLOADS / upload / name).read_bytes())
        except (FileNotFoundError, NotADirectoryError):
            return None
        return content

    def _names_below(self, scope: Scope, path: str) -> list[str]:
        with suppress(FileNotFoundError, NotADirectoryError), open_folder(self._roots[scope], path.split("/")) as folder:
            return _names(folder)
        return []

    def _tidy(self, scope: Scope) -> None:
        """Forget what is no use to anybody: old notes of completed uploads, and uploads whose creator was killed."""
        before = time.time() - _KEEP_SECONDS
        for path, is_useless in ((_UPLOADS, self._is_left_over), (_JOINED, lambda _scope, _name: True)):
            for name in self._names_below(scope, path):
                place = self._roots[scope] / path / name
                with suppress(OSError):
                    if place.stat().st_mtime < before and is_useless(scope, name):
                        shutil.rmtree(place) if place.is_dir() else place.unlink()

    def _is_left_over(self, scope: Scope, upload: str) -> bool:
        return not self._read(scope, upload, _ABOUT) or bool(self._read(scope, upload, _DONE))


def _names(folder: int) -> list[str]:
    with os.scandir(folder) as found:
        return sorted(entry.name for entry in found)


def _stored(folder: int) -> list[Part]:
    """The newest of each number: a writer that was killed may have left the one before it."""
    newest: dict[int, tuple[int, Part]] = {}
    for name in _names(folder):
        if match := _PART.fullmatch(name):
            status = os.stat(name, dir_fd=folder, follow_symlinks=False)
            part = Part(int(match[1]), match[2], status.st_size, None if match[3] == "-" else match[3])
            newest[part.number] = max(newest.get(part.number, (0, part)), (status.st_mtime_ns, part), key=lambda one: one[0])
    return [part for _, (_, part) in sorted(newest.items())]


def _name_of(part: Part) -> str:
    return f"{part.number:05d}.{part.etag}.{part.sha256 or '-'}"
