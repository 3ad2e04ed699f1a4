"""Uploads in parts to S3 and S3-compatible stores, and presigned addresses by which clients send parts themselves.

Made by the S3 driver, whose connections it uses. The store keeps the parts and joins them; its lifecycle rule forgets them.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, BinaryIO

from botocore.exceptions import ClientError

from kinora.errors import AlreadyExists, NotFound
from kinora.model import Scope
from kinora.object_keys import check_key, media_type_of
from kinora.storage.base import ObjectInfo, PutMode
from kinora.storage.incoming import Incoming
from kinora.storage.multipart import Part, PendingUpload, check_number, chosen_parts
from kinora.storage.s3_clients import status_of, translated

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

ENCRYPT_METADATA = "kinora-encrypt"
_LONGEST_PRESIGN = 604800  # seconds; SigV4 allows no more
_PART_CHUNK_BYTES = 64 * 1024 * 1024

Locate = Callable[[Scope, str], "tuple[S3Client, dict[str, Any]]"]
Place = Callable[[Scope], "tuple[S3Client, str, str]"]


class S3Multipart:
    """Implements `storage.multipart.MultipartUploads` and `PartPresigner`."""

    def __init__(self, locate: Locate, place: Place) -> None:
        self._locate = locate
        self._place = place

    def create(self, scope: Scope, key: str, *, checksums: bool = False, encrypt: bool = False) -> str:
        client, target = self._locate(scope, key)
        more: Any = {"ChecksumAlgorithm": "SHA256"} if checksums else {}
        more |= {"Metadata": {ENCRYPT_METADATA: "true"}} if encrypt else {}
        with translated(f"begin an upload to {scope}:{key}"):
            answer = client.create_multipart_upload(**target, ContentType=media_type_of(key), **more)
        return answer["UploadId"]

    def put_part(
        self, scope: Scope, key: str, upload: str, number: int, data: bytes | BinaryIO, *, sha256: str | None = None
    ) -> Part:
        client, target = self._locate(scope, key)
        incoming = Incoming(data, sha256)
        content = b"".join(iter(lambda: incoming.take(_PART_CHUNK_BYTES), b""))
        incoming.verify()  # stores that check nothing are not to keep a wrong one
        checksum: Any = {"ChecksumAlgorithm": "SHA256", "ChecksumSHA256": _encoded(sha256)} if sha256 else {}
        with translated(f"part {number} of {scope}:{key}"):
            answer = client.upload_part(**target, UploadId=upload, PartNumber=check_number(number), Body=content, **checksum)
        return Part(number, answer["ETag"].strip('"'), len(content), sha256)

    def parts(self, scope: Scope, key: str, upload: str) -> Sequence[Part]:
        client, target = self._locate(scope, key)
        try:
            with translated(f"list the parts of {scope}:{key}"):
                pages: Any = list(client.get_paginator("list_parts").paginate(**target, UploadId=upload))
        except NotFound as error:
            raise NotFound(str(error), public_message="There is no such upload (any more).") from error
        return [
            Part(one["PartNumber"], one["ETag"].strip('"'), one["Size"], _decoded(one.get("ChecksumSHA256")))
            for page in pages
            for one in page.get("Parts", ())
        ]

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
        try:
            chosen = chosen_parts(parts, self.parts(scope, key, upload), max_bytes=max_bytes)
            self._complete(scope, key, upload, chosen, mode)
        except NotFound:
            # Somebody else has completed it, or an answer was lost: then the object is there and made of these parts.
            if (found := self._head(scope, key)) and found.etag == _joined_etag(parts):
                return found
            raise
        found = self._head(scope, key)
        return found or ObjectInfo(key, sum(part.size for part in chosen), _joined_etag(parts), 0.0, media_type_of(key))

    def abort(self, scope: Scope, key: str, upload: str) -> None:
        client, target = self._locate(scope, key)
        try:
            with translated(f"abort an upload to {scope}:{key}"):
                client.abort_multipart_upload(**target, UploadId=upload)
        except NotFound:
            return

    def pending(self, scope: Scope) -> Iterator[PendingUpload]:
        client, bucket, base = self._place(scope)
        with translated(f"list uploads to {scope}"):
            pages: Any = list(client.get_paginator("list_multipart_uploads").paginate(Bucket=bucket, Prefix=base))
        for page in pages:
            for one in page.get("Uploads", ()):
                yield PendingUpload(one["Key"].removeprefix(base), one["UploadId"], one["Initiated"].timestamp())

    def presign_part(
        self, scope: Scope, key: str, upload: str, number: int, *, expires: int, sha256: str | None = None
    ) -> tuple[str, dict[str, str]]:
        client, target = self._locate(scope, key)
        params = {**target, "UploadId": upload, "PartNumber": check_number(number)}
        headers = {}
        if sha256:
            params["ChecksumSHA256"] = _encoded(sha256)
            headers["x-amz-checksum-sha256"] = _encoded(sha256)
        with translated(f"presign {scope}:{key}"):
            url = client.generate_presigned_url("upload_part", Params=params, ExpiresIn=min(expires, _LONGEST_PRESIGN))
        return url, headers

    def presign_form(self, scope: Scope, key: str, *, expires: int, max_bytes: int) -> tuple[str, dict[str, str]]:
        client, target = self._locate(scope, key)
        media_type = {"Content-Type": media_type_of(key)}
        with translated(f"presign {scope}:{key}"):
            form = client.generate_presigned_post(
                **target,
                Fields=dict(media_type),
                Conditions=[media_type, ["content-length-range", 0, max_bytes]],
                ExpiresIn=min(expires, _LONGEST_PRESIGN),
            )
        return form["url"], form["fields"]

    def _complete(self, scope: Scope, key: str, upload: str, parts: Sequence[Part], mode: PutMode) -> None:
        client, target = self._locate(scope, key)
        condition: Any = {"IfNoneMatch": "*"} if mode is PutMode.CREATE else {}
        listed: Any = [
            {"PartNumber": part.number, "ETag": part.etag} | ({"ChecksumSHA256": _encoded(part.sha256)} if part.sha256 else {})
            for part in parts
        ]
        with translated(f"complete {scope}:{key}"):
            try:
                client.complete_multipart_upload(**target, UploadId=upload, MultipartUpload={"Parts": listed}, **condition)
            except ClientError as error:
                if mode is PutMode.CREATE and status_of(error) == 412:
                    raise AlreadyExists(f"{key!r} exists") from error
                raise

    def _head(self, scope: Scope, key: str) -> ObjectInfo | None:
        client, target = self._locate(scope, check_key(key))
        try:
            with translated(f"head {scope}:{key}"):
                answer = client.head_object(**target)
        except NotFound:
            return None
        etag = answer["ETag"].strip('"')
        return ObjectInfo(key, answer["ContentLength"], etag, answer["LastModified"].timestamp(), media_type_of(key))


def _encoded(sha256: str) -> str:
    return base64.b64encode(bytes.fromhex(sha256)).decode()


def _decoded(checksum: str | None) -> str | None:
    return base64.b64decode(checksum).hex() if checksum else None


def _joined_etag(parts: Sequence[tuple[int, str]]) -> str:
    """The ETag that S3 gives to what was made of these parts: the MD5 of their MD5s, and how many they are."""
    try:
        digests = b"".join(bytes.fromhex(etag.strip('"')) for _, etag in parts)
    except ValueError:
        return ""
    return f"{hashlib.md5(digests, usedforsecurity=False).hexdigest()}-{len(parts)}"
