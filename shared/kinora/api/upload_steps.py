"""The steps of an upload in parts, inside one folder: what the routes of `upload_parts` do. The bytes go elsewhere: to addresses
that are signed for one part each, S3's own on AWS, `/upload/…` locally.
"""

from __future__ import annotations

from fastapi import Request

from kinora.api.declared import checksum_header
from kinora.api.links import Links
from kinora.api.upload_keys import distinct_key, key_below, key_within
from kinora.api.upload_schemas import CompletedUpload, FormTarget, NewUpload, PartTarget, StartedUpload, UploadedParts
from kinora.errors import AlreadyExists, Forbidden, LimitExceeded, NotFound
from kinora.model import Scope
from kinora.pipeline.encryption_requests import mark_for_encryption
from kinora.services import Services
from kinora.storage.base import PutMode
from kinora.storage.multipart import Part, check_number

TAKEN = "There is an original with this key already."
_SOURCE = Scope.SOURCE


class UploadSteps:
    """`folder` ends with `/`; keys are allowed below it only. Every step raises InvalidKey and Forbidden for others, and, unless
    `may_replace`, Forbidden for who wants to replace an original."""

    def __init__(self, services: Services, links: Links, *, may_replace: bool) -> None:
        self._services = services
        self._settings = services.settings
        self._uploads = services.multipart
        self._presigner = services.part_presigner
        self._links = links
        self._may_replace = may_replace

    def form(self, request: Request, folder: str, filename: str) -> FormTarget:
        """Where a small file goes as a whole."""
        key, expires = distinct_key(folder, filename), self._settings.url_seconds
        if self._presigner is None:
            url = self._links.absolute(request, self._links.upload_form(key))
            return FormTarget(url=url, fields={"key": key}, expires=expires)
        limit = self._settings.max_upload_bytes
        url, fields = self._presigner.presign_form(_SOURCE, key, expires=expires, max_bytes=limit)
        return FormTarget(url=url, fields=fields, expires=expires)

    def create(self, folder: str, wanted: NewUpload) -> StartedUpload:
        """Raises LimitExceeded, AlreadyExists."""
        self._check_replacing(wanted.replace)
        limit = self._settings.max_bytes
        if wanted.size is not None and wanted.size > limit:
            raise LimitExceeded(public_message=f"The file has {wanted.size} bytes; {limit} are allowed.")
        key = key_below(folder, wanted.key) if wanted.key else distinct_key(folder, wanted.filename or "")
        if wanted.key and not wanted.replace and exists(self._services, key):  # said before gigabytes are sent for nothing
            raise AlreadyExists(public_message=TAKEN)
        upload = self._uploads.create(_SOURCE, key, checksums=wanted.checksums, encrypt=wanted.encrypt)
        if wanted.encrypt and self._presigner is None:
            mark_for_encryption(self._services, key)
        return StartedUpload(key=key, uploadId=upload)

    def stored(self, folder: str, upload: str, key: str) -> list[Part]:
        """Raises NotFound."""
        return list(self._uploads.parts(_SOURCE, key_within(folder, key), upload))

    def target(self, request: Request, folder: str, upload: str, key: str, number: int, sha256: str | None) -> PartTarget:
        """Where a part goes. `sha256` is hex, or None. Raises InvalidInput for a number that no part has."""
        key, expires = key_within(folder, key), self._settings.url_seconds
        check_number(number)
        if self._presigner is None:
            headers = checksum_header(sha256) if sha256 else {}
            url = self._links.absolute(request, self._links.upload_part(key, upload, number, sha256))
            return PartTarget(url=url, headers=headers, expires=expires)
        url, headers = self._presigner.presign_part(_SOURCE, key, upload, number, expires=expires, sha256=sha256)
        return PartTarget(url=url, headers=headers, expires=expires)

    def complete(self, request: Request, folder: str, upload: str, key: str, done: UploadedParts) -> CompletedUpload:
        """Raises NotFound, InvalidInput, LimitExceeded, AlreadyExists."""
        self._check_replacing(done.replace)
        mode = PutMode.OVERWRITE if done.replace else PutMode.CREATE
        parts = [(part.PartNumber, part.ETag) for part in done.parts]
        inside, limit = key_within(folder, key), self._settings.max_bytes
        try:
            info = self._uploads.complete(_SOURCE, inside, upload, parts, mode, max_bytes=limit)
        except AlreadyExists as error:
            raise AlreadyExists(public_message=TAKEN) from error
        location = self._links.absolute(request, self._links.original(info.key))
        return CompletedUpload(location=location, key=info.key, etag=info.etag, size=info.size)

    def abort(self, folder: str, upload: str, key: str) -> None:
        self._uploads.abort(_SOURCE, key_within(folder, key), upload)

    def _check_replacing(self, wanted: bool) -> None:
        if wanted and not self._may_replace:
            raise Forbidden(public_message="Replacing an original needs the API key.")


def exists(services: Services, key: str) -> bool:
    """Whether there is an original with this key."""
    try:
        return bool(services.storage.head(_SOURCE, key))
    except NotFound:
        return False
