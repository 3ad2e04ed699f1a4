"""Puts to S3 in constant memory: one request for what fits into one part, else a multipart upload. Used by the S3 driver only.

`create` leans on `If-None-Match: *`. A request whose answer was lost may have stored the object although its repetition is
refused, so each put leaves a mark in the object's metadata by which it knows its own.
"""

from __future__ import annotations

import base64
import random
import time
import uuid
from contextlib import suppress
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any

from botocore.exceptions import BotoCoreError, ClientError

from kinora.errors import AlreadyExists, Unavailable
from kinora.storage.base import PutMode
from kinora.storage.incoming import Incoming
from kinora.storage.s3_clients import code_of, status_of, was_retried

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

PART_BYTES = 8 * 1024 * 1024
_PARTS_PER_STEP = 1000  # parts grow after every 1,000, because an upload may have 10,000 of them
_CONFLICT_ATTEMPTS = 5
_MARK = "kinora-put"


@dataclass(frozen=True, slots=True)
class Uploaded:
    """`at` is the store's time of its answer, in seconds since the Unix epoch."""

    etag: str
    version: str | None
    at: float


class S3Upload:
    """One put of `incoming` to `bucket` and `key`. Raises botocore's errors, and Kinora's where it decides itself."""

    def __init__(self, client: S3Client, bucket: str, key: str, mode: PutMode, media_type: str) -> None:
        self._client = client
        self._target: dict[str, Any] = {"Bucket": bucket, "Key": key}
        self._properties: dict[str, Any] = {"ContentType": media_type, "Metadata": {_MARK: uuid.uuid4().hex}}
        self._condition: dict[str, Any] = {"IfNoneMatch": "*"} if mode is PutMode.CREATE else {}

    def run(self, incoming: Incoming) -> Uploaded:
        first = incoming.take(PART_BYTES)
        if len(first) < PART_BYTES:
            incoming.verify()
            return self._put_whole(first, incoming.sha256)
        return self._put_parts(first, incoming)

    def _put_whole(self, content: bytes, sha256: str | None) -> Uploaded:
        checksum: dict[str, Any] = {}
        if sha256:
            digest = base64.b64encode(bytes.fromhex(sha256)).decode()
            checksum = {"ChecksumAlgorithm": "SHA256", "ChecksumSHA256": digest}
        for attempt in range(_CONFLICT_ATTEMPTS):
            try:
                answer: Any = self._client.put_object(
                    **self._target, Body=content, **self._properties, **checksum, **self._condition
                )
                return _uploaded(answer)
            except ClientError as error:
                if not _is_conflict(error):
                    return self._own_or_raise(error)
            time.sleep(random.uniform(0, 0.05 * 2**attempt))  # noqa: S311 spreads retries, guards nothing
        raise Unavailable(f"create of {self._target['Key']!r} conflicts again and again")

    def _put_parts(self, first: bytes, incoming: Incoming) -> Uploaded:
        upload: Any = self._client.create_multipart_upload(**self._target, **self._properties)
        upload_id = {"UploadId": upload["UploadId"]}
        try:
            parts = self._send_parts(upload_id, first, incoming)
            incoming.verify()
            answer: Any = self._client.complete_multipart_upload(
                **self._target, **upload_id, MultipartUpload={"Parts": parts}, **self._condition
            )
            return _uploaded(answer)
        except BaseException as error:
            with suppress(ClientError, BotoCoreError):
                self._client.abort_multipart_upload(**self._target, **upload_id)
            if isinstance(error, ClientError):
                return self._own_or_raise(error)
            raise

    def _send_parts(self, upload_id: dict[str, Any], first: bytes, incoming: Incoming) -> list[Any]:
        parts: list[Any] = []
        content = first
        while content:
            number = len(parts) + 1
            answer: Any = self._client.upload_part(**self._target, **upload_id, PartNumber=number, Body=content)
            checksums = {
                name: value for name, value in answer.items() if name.startswith("Checksum") and name != "ChecksumType"
            }
            parts.append({"PartNumber": number, "ETag": answer["ETag"], **checksums})
            content = incoming.take(PART_BYTES * (1 + number // _PARTS_PER_STEP))
        return parts

    def _own_or_raise(self, error: ClientError) -> Uploaded:
        """After a refused put: our own object if an unanswered attempt stored it, else the error."""
        if was_retried(error) and (found := self._own()):
            return found
        if self._condition and status_of(error) == 412:
            raise AlreadyExists(f"{self._target['Key']!r} exists") from error
        raise error

    def _own(self) -> Uploaded | None:
        try:
            found: Any = self._client.head_object(**self._target)
        except ClientError:
            return None
        return _uploaded(found) if found.get("Metadata") == self._properties["Metadata"] else None


def _is_conflict(error: ClientError) -> bool:
    return status_of(error) == 409 and code_of(error) in {"ConditionalRequestConflict", "OperationAborted"}


def _uploaded(answer: Any) -> Uploaded:
    date = answer["ResponseMetadata"]["HTTPHeaders"].get("date")
    at = parsedate_to_datetime(date).timestamp() if date else time.time()
    return Uploaded(answer["ETag"].strip('"'), answer.get("VersionId"), at)
