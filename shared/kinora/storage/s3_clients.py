"""Connections to S3 and S3-compatible stores, and what their errors mean in Kinora's terms. Used by the S3 driver only."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Literal

import boto3.session
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from kinora.errors import (
    ChecksumMismatch,
    Forbidden,
    InvalidInput,
    InvalidKey,
    KinoraError,
    LimitExceeded,
    NoSpace,
    NotFound,
    PreconditionFailed,
    Unavailable,
)
from kinora.scope_settings import ScopeSettings

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

_BY_CODE: dict[str, type[KinoraError]] = {
    "NoSuchBucket": Unavailable,  # a missing bucket must never look like a bucket without objects
    "NoSuchKey": NotFound,
    "KeyTooLongError": InvalidKey,
    "BadDigest": ChecksumMismatch,
    "XAmzContentChecksumMismatch": ChecksumMismatch,
    "XAmzContentSHA256Mismatch": ChecksumMismatch,
    "EntityTooLarge": LimitExceeded,
    "EntityTooSmall": InvalidInput,
    "InvalidPart": InvalidInput,
    "InvalidPartOrder": InvalidInput,
    "NoSuchUpload": NotFound,
    "QuotaExceeded": NoSpace,
    "XMinioStorageFull": NoSpace,
    "ExpiredToken": Unavailable,
    "RequestTimeout": Unavailable,
    "RequestTimeTooSkewed": Unavailable,
    "SlowDown": Unavailable,
    "ConditionalRequestConflict": Unavailable,
}
_BY_STATUS: dict[int, type[KinoraError]] = {
    403: Forbidden,
    404: NotFound,
    412: PreconditionFailed,
    429: Unavailable,
    507: NoSpace,
}


class S3Clients:
    """One client per distinct endpoint, region, credentials and addressing; made when first needed, shared by threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._clients: dict[tuple[str, str, str, str, bool], S3Client] = {}

    def of(self, where: ScopeSettings) -> S3Client:
        identity = (where.endpoint, where.region, where.access_key_id, where.secret_access_key, where.path_style)
        with self._lock:
            if identity not in self._clients:
                self._clients[identity] = _connect(where)
            return self._clients[identity]


def _connect(where: ScopeSettings) -> S3Client:
    # Stores other than AWS's own often refuse the checksums that botocore adds of its own accord.
    checksums: Literal["when_required", "when_supported"] = "when_required" if where.endpoint else "when_supported"
    config = Config(
        signature_version="s3v4",
        # "virtual" and not "auto": presigned URLs then name the region's own host, which never answers with a redirect.
        s3={"addressing_style": "path" if where.path_style else "virtual"},
        retries={"mode": "standard", "total_max_attempts": 3},
        connect_timeout=5,
        read_timeout=30,
        max_pool_connections=50,
        request_checksum_calculation=checksums,
        response_checksum_validation=checksums,
    )
    session = boto3.session.Session(
        aws_access_key_id=where.access_key_id or None,
        aws_secret_access_key=where.secret_access_key or None,
        region_name=where.region or None,
    )
    return session.client("s3", endpoint_url=where.endpoint or None, config=config)


def code_of(error: ClientError) -> str:
    return str(error.response.get("Error", {}).get("Code", ""))


def status_of(error: ClientError) -> int:
    return int(error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))


def was_retried(error: ClientError) -> bool:
    """Whether an earlier attempt of the same call may have reached the store although no answer came back."""
    return int(error.response.get("ResponseMetadata", {}).get("RetryAttempts", 0)) > 0


def meaning_of(error: ClientError) -> type[KinoraError]:
    fallback = Unavailable if status_of(error) >= 500 else KinoraError
    return _BY_CODE.get(code_of(error)) or _BY_STATUS.get(status_of(error), fallback)


@contextmanager
def translated(what: str) -> Iterator[None]:
    """Raise botocore's errors as Kinora's; `what` is for the log."""
    try:
        yield
    except ClientError as error:
        raise meaning_of(error)(f"{what}: {error}") from error
    except BotoCoreError as error:
        raise Unavailable(f"{what}: {error}") from error
