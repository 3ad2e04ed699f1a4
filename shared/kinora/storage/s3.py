"""The storage driver for S3 and S3-compatible stores: each scope is a bucket and a prefix in it (docs/drivers.md).

Built by bootstrap on AWS. Reads in blocks, writes in constant memory, and leaves atomicity and conditions to the store.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from typing import TYPE_CHECKING, Any, BinaryIO

from botocore.exceptions import BotoCoreError

from kinora.errors import Forbidden, InvalidKey, KinoraError, NotFound, PreconditionFailed, Unavailable
from kinora.model import Scope
from kinora.object_keys import MAX_KEY_BYTES, check_key, check_prefix, media_type_of
from kinora.scope_settings import ScopeSettings
from kinora.storage.base import ByteRange, ObjectInfo, PutMode, Reader
from kinora.storage.incoming import Incoming
from kinora.storage.reader import BUFFER_BYTES, BlockReader
from kinora.storage.s3_clients import S3Clients, translated
from kinora.storage.s3_multipart import ENCRYPT_METADATA, S3Multipart
from kinora.storage.s3_upload import S3Upload

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

_BODY_ATTEMPTS = 3
_DELETE_BATCH = 1000  # the most that one DeleteObjects takes
_LONGEST_PRESIGN = 604800  # seconds; SigV4 allows no more


class S3Storage:
    """Implements `storage.base.Storage` and `storage.base.Presigner`; `read_ahead` is the block size of reads in bytes."""

    def __init__(self, scopes: Mapping[Scope, ScopeSettings], *, read_ahead: int) -> None:
        self._scopes = scopes
        self._read_ahead = read_ahead
        self._clients = S3Clients()
        self._confirmed: set[Scope] = set()

    @property
    def multipart(self) -> S3Multipart:
        """Uploads in parts into the same buckets."""
        return S3Multipart(self._locate, self._place)

    def head(self, scope: Scope, key: str) -> ObjectInfo:
        client, target = self._locate(scope, key)
        try:
            with translated(f"head {scope}:{key}"):
                answer: Any = client.head_object(**target, ChecksumMode="ENABLED")
        except NotFound:
            self._confirm(scope)
            raise
        return ObjectInfo(
            key=key,
            size=answer["ContentLength"],
            etag=answer["ETag"].strip('"'),
            modified_at=answer["LastModified"].timestamp(),
            media_type=media_type_of(key),
            sha256=_whole_sha256(answer),
            version=_version(answer.get("VersionId")),
            encrypt=answer.get("Metadata", {}).get(ENCRYPT_METADATA, "").strip().lower() == "true",
        )

    def open(self, scope: Scope, key: str, byte_range: ByteRange | None = None, *, etag: str | None = None) -> Reader:
        info = self.head(scope, key)
        if etag is not None and etag != info.etag:
            raise PreconditionFailed(f"{key!r} is {info.etag}, not {etag}")
        start, stop = byte_range.resolve(info.size) if byte_range else (0, info.size)

        def fetch(first: int, end: int) -> bytes:
            return self._get(scope, info, start + first, start + end)

        return Reader(BlockReader(stop - start, self._read_ahead, fetch), info, BUFFER_BYTES)

    def put(
        self, scope: Scope, key: str, data: bytes | BinaryIO, mode: PutMode = PutMode.OVERWRITE, *, sha256: str | None = None
    ) -> ObjectInfo:
        client, target = self._locate(scope, key)
        incoming = Incoming(data, sha256)
        media_type = media_type_of(key)
        with translated(f"put {scope}:{key}"):
            stored = S3Upload(client, target["Bucket"], target["Key"], mode, media_type).run(incoming)
        return ObjectInfo(key, incoming.size, stored.etag, stored.at, media_type, sha256, _version(stored.version))

    def list(self, scope: Scope, prefix: str = "", *, after: str = "") -> Iterator[ObjectInfo]:
        check_prefix(prefix)
        check_prefix(after)
        return self._listed(scope, prefix, after)

    def delete(self, scope: Scope, key: str) -> None:
        client, target = self._locate(scope, key)
        with translated(f"delete {scope}:{key}"):
            client.delete_object(**target)

    def delete_prefix(self, scope: Scope, prefix: str) -> int:
        if not check_prefix(prefix):
            raise InvalidKey("an empty prefix would delete a whole scope")
        client, bucket, base = self._place(scope)
        removed, batch = 0, []
        for entry in _entries(client, bucket, base + prefix, ""):
            batch.append(entry["Key"])
            if len(batch) == _DELETE_BATCH:
                removed += _delete_all(client, bucket, batch)
                batch = []
        return removed + _delete_all(client, bucket, batch)

    def check(self, scope: Scope | None = None) -> None:
        for one in self._scopes if scope is None else (scope,):
            if self._scopes[one].bucket:
                self._check_scope(one)

    def presign_get(
        self, scope: Scope, key: str, *, expires: int, media_type: str | None = None, disposition: str | None = None
    ) -> str:
        client, target = self._locate(scope, key)
        with translated(f"presign {scope}:{key}"):
            # The type is ours and not the uploader's, so that an uploaded page never runs as one.
            params = {**target, "ResponseContentType": media_type or media_type_of(key)}
            if disposition is not None:
                params["ResponseContentDisposition"] = disposition
            return client.generate_presigned_url("get_object", Params=params, ExpiresIn=min(expires, _LONGEST_PRESIGN))

    def presign_put(self, scope: Scope, key: str, *, expires: int, sha256: str | None = None, encrypt: bool = False) -> str:
        client, target = self._locate(scope, key)
        if encrypt:
            target["Metadata"] = {ENCRYPT_METADATA: "true"}
        if sha256:
            target["ChecksumSHA256"] = base64.b64encode(bytes.fromhex(sha256)).decode()
        with translated(f"presign {scope}:{key}"):
            return client.generate_presigned_url("put_object", Params=target, ExpiresIn=min(expires, _LONGEST_PRESIGN))

    def _place(self, scope: Scope) -> tuple[S3Client, str, str]:
        where = self._scopes[scope]
        if not where.bucket:
            raise Unavailable(f"scope {scope} has no bucket")
        with translated(f"connect {scope}"):
            return self._clients.of(where), where.bucket, where.prefix

    def _locate(self, scope: Scope, key: str) -> tuple[S3Client, dict[str, Any]]:
        check_key(key)
        client, bucket, base = self._place(scope)
        if len((base + key).encode()) > MAX_KEY_BYTES:
            raise InvalidKey(f"key with its prefix {base!r} is longer than {MAX_KEY_BYTES} bytes: {key!r}")
        return client, {"Bucket": bucket, "Key": base + key}

    def _get(self, scope: Scope, info: ObjectInfo, start: int, stop: int) -> bytes:
        client, target = self._locate(scope, info.key)
        what = f"get {scope}:{info.key} {start}-{stop}"
        for _ in range(_BODY_ATTEMPTS):
            with translated(what):
                answer = client.get_object(**target, Range=f"bytes={start}-{stop - 1}", IfMatch=f'"{info.etag}"')
            # botocore repeats requests that get no answer, but not answers that break off.
            with closing(answer["Body"]) as body:
                try:
                    content = body.read()
                except BotoCoreError:
                    continue
            if len(content) == stop - start:
                return content
        raise Unavailable(f"{what}: the answer broke off {_BODY_ATTEMPTS} times")

    def _listed(self, scope: Scope, prefix: str, after: str) -> Iterator[ObjectInfo]:
        client, bucket, base = self._place(scope)
        for entry in _entries(client, bucket, base + prefix, base + after if after else ""):
            key = entry["Key"].removeprefix(base)
            if _is_key(key):
                etag = entry["ETag"].strip('"')
                yield ObjectInfo(key, entry["Size"], etag, entry["LastModified"].timestamp(), media_type_of(key))

    def _confirm(self, scope: Scope) -> None:
        """Once per scope: Unavailable if it is the bucket that is missing, which the answer to a HEAD does not tell."""
        if scope not in self._confirmed:
            self._check_scope(scope)
            self._confirmed.add(scope)

    def _check_scope(self, scope: Scope) -> None:
        client, bucket, base = self._place(scope)
        try:
            with translated(f"check {scope}"):
                client.list_objects_v2(Bucket=bucket, Prefix=base, MaxKeys=1)
        except KinoraError as error:
            raise Unavailable(f"scope {scope} cannot be reached: {error}") from error


def _entries(client: S3Client, bucket: str, prefix: str, after: str) -> Iterator[Any]:
    start: Any = {"StartAfter": after} if after else {}
    pages = iter(client.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix, **start))
    while True:
        with translated(f"list {bucket}:{prefix}"):
            page = next(pages, None)
        if page is None:
            return
        yield from page.get("Contents", ())


def _delete_all(client: S3Client, bucket: str, keys: Sequence[str]) -> int:
    if not keys:
        return 0
    with translated(f"delete {len(keys)} objects from {bucket}"):
        answer = client.delete_objects(Bucket=bucket, Delete={"Objects": [{"Key": key} for key in keys], "Quiet": True})
    if errors := answer.get("Errors"):
        refused = Forbidden if errors[0].get("Code") == "AccessDenied" else Unavailable
        raise refused(f"{len(errors)} of {len(keys)} objects were not deleted, first {errors[0]}")
    return len(keys)


def _is_key(key: str) -> bool:
    """Whether Kinora can name it; other tools leave folder markers (`a/`) that it cannot."""
    try:
        return bool(check_key(key))
    except InvalidKey:
        return False


def _whole_sha256(answer: Any) -> str | None:
    """The hex SHA-256 if the store has verified it over the whole object. What a multipart upload has (its ETag ends with
    the number of parts) is a checksum of checksums."""
    if "-" in answer["ETag"] or answer.get("ChecksumType") == "COMPOSITE":
        return None
    try:
        digest = base64.b64decode(answer.get("ChecksumSHA256", ""), validate=True)
    except binascii.Error:
        return None
    return digest.hex() if len(digest) == 32 else None


def _version(version: str | None) -> str | None:
    """None in buckets without versions, where S3 says nothing or `null`."""
    return None if version == "null" else version
