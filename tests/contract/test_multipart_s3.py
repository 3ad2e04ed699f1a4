"""Uploads in parts to S3: the contract against moto in this process, and the addresses that clients use themselves."""

from __future__ import annotations

import base64
from urllib.parse import parse_qs, urlsplit

import boto3
import pytest
from moto import mock_aws

from kinora.errors import InvalidInput
from kinora.model import Scope
from kinora.storage.s3 import S3Storage
from tests.contract.multipart_suite import KEY, LAST, SOURCE, MultipartSuite, sha256
from tests.contract.storage_suite import deviates
from tests.contract.test_storage_s3 import place

BUCKET = "kinora-uploads"


@pytest.fixture(scope="module")
def aws():
    with pytest.MonkeyPatch.context() as environment, mock_aws():
        for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
            environment.setenv(name, "test")
        environment.setenv("AWS_DEFAULT_REGION", "us-east-1")
        client = boto3.session.Session().client("s3")
        client.create_bucket(Bucket=BUCKET)
        yield client


@pytest.fixture(scope="module")
def connected(aws):
    return S3Storage({scope: place(BUCKET, prefix=f"lib/{scope}/") for scope in Scope}, read_ahead=256 * 1024)


@pytest.fixture
def storage(aws, connected):
    yield connected
    for page in aws.get_paginator("list_objects_v2").paginate(Bucket=BUCKET):
        for entry in page.get("Contents", ()):
            aws.delete_object(Bucket=BUCKET, Key=entry["Key"])
    for entry in aws.list_multipart_uploads(Bucket=BUCKET).get("Uploads", ()):
        aws.abort_multipart_upload(Bucket=BUCKET, Key=entry["Key"], UploadId=entry["UploadId"])


@pytest.fixture
def uploads(storage):
    return storage.multipart


class TestContract(MultipartSuite):
    """What deviates here is moto and not S3."""

    @deviates("moto has no answer for a part of an upload that is gone", raises=KeyError)
    def test_nothing_is_sent_to_what_is_complete_or_aborted(self, uploads):
        super().test_nothing_is_sent_to_what_is_complete_or_aborted(uploads)

    @deviates("moto lists parts without their checksums", raises=AssertionError)
    def test_declared_checksums_are_verified(self, storage, uploads):
        super().test_declared_checksums_are_verified(storage, uploads)

    @deviates("moto knows uploads by their id alone", raises=pytest.fail.Exception)
    def test_an_upload_belongs_to_its_key(self, uploads):
        super().test_an_upload_belongs_to_its_key(uploads)

    @deviates("moto's uploads have begun in 2010", raises=AssertionError)
    def test_pending_uploads_tell_since_when(self, uploads):
        super().test_pending_uploads_tell_since_when(uploads)


def test_a_presigned_part_binds_its_number_and_its_checksum(uploads):
    upload = uploads.create(SOURCE, KEY, checksums=True)
    url, headers = uploads.presign_part(SOURCE, KEY, upload, 3, expires=60, sha256=sha256(LAST))
    query = parse_qs(urlsplit(url).query)
    assert (query["partNumber"], query["uploadId"], query["X-Amz-Expires"]) == (["3"], [upload], ["60"])
    assert query["X-Amz-SignedHeaders"] == ["host;x-amz-checksum-sha256"]
    assert headers == {"x-amz-checksum-sha256": base64.b64encode(bytes.fromhex(sha256(LAST))).decode()}
    plain, headers = uploads.presign_part(SOURCE, KEY, upload, 3, expires=60)
    assert (parse_qs(urlsplit(plain).query)["X-Amz-SignedHeaders"], headers) == (["host"], {})
    with pytest.raises(InvalidInput):
        uploads.presign_part(SOURCE, KEY, upload, 0, expires=60)


def test_an_upload_that_asks_for_encryption_says_so_when_it_is_complete(storage, uploads):
    for encrypt in (False, True):
        upload = uploads.create(SOURCE, KEY, encrypt=encrypt)
        part = uploads.put_part(SOURCE, KEY, upload, 1, LAST)
        uploads.complete(SOURCE, KEY, upload, [(1, part.etag)], max_bytes=100)
        assert storage.head(SOURCE, KEY).encrypt is encrypt


def test_a_presigned_form_binds_key_type_and_size(uploads):
    url, fields = uploads.presign_form(SOURCE, KEY, expires=60, max_bytes=1000)
    assert urlsplit(url).hostname == f"{BUCKET}.s3.amazonaws.com"
    assert fields["key"] == f"lib/source/{KEY}"
    policy = base64.b64decode(fields["policy"]).decode()
    assert '["content-length-range", 0, 1000]' in policy
    assert fields["Content-Type"] == "application/octet-stream"
