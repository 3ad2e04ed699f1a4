"""The S3 driver: the contract against moto in this process, and what only S3 does."""

from __future__ import annotations

import base64
import hashlib
import io
from urllib.parse import parse_qs, unquote, urlsplit

import boto3
import pytest
from moto import mock_aws

from kinora.errors import AlreadyExists, InvalidKey, NotFound, PreconditionFailed, Unavailable
from kinora.model import Scope
from kinora.scope_settings import ScopeSettings
from kinora.storage.base import ByteRange, PutMode
from kinora.storage.s3 import S3Storage
from tests.contract.s3_endpoint import s3_endpoint
from tests.contract.storage_suite import MEDIA, BrokenStream, StorageSuite, deviates, keys_of

BUCKET = "kinora-test"


def place(bucket=BUCKET, prefix="", **other) -> ScopeSettings:
    blank = {"root": "", "endpoint": "", "region": "", "access_key_id": "", "secret_access_key": "", "path_style": False}
    return ScopeSettings(bucket=bucket, prefix=prefix, **(blank | other))


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
    """One driver for all tests: connecting costs more than most of them."""
    return S3Storage({scope: place(prefix=f"lib/{scope}/") for scope in Scope}, read_ahead=256 * 1024)


@pytest.fixture
def storage(aws, connected):
    yield connected
    for page in aws.get_paginator("list_objects_v2").paginate(Bucket=BUCKET):
        if found := [{"Key": entry["Key"]} for entry in page.get("Contents", ())]:
            aws.delete_objects(Bucket=BUCKET, Delete={"Objects": found})


class TestContract(StorageSuite):
    @deviates("S3 keeps no old bytes of a replaced object", raises=PreconditionFailed)
    def test_a_replaced_object_is_read_on(self, storage):
        super().test_a_replaced_object_is_read_on(storage)

    @pytest.fixture
    def frugal_storage(self, tmp_path):
        with s3_endpoint(tmp_path) as endpoint:
            where = place(endpoint=endpoint.address, path_style=True, access_key_id="a", secret_access_key="b")
            yield S3Storage({MEDIA: where}, read_ahead=1024 * 1024)


def test_nothing_is_left_of_a_failed_upload(aws, storage):
    with pytest.raises(ConnectionResetError):
        storage.put(MEDIA, "k", BrokenStream(30_000_000))
    with pytest.raises(AlreadyExists):
        storage.put(MEDIA, "k", b"x")
        storage.put(MEDIA, "k", io.BytesIO(bytes(9_000_000)), PutMode.CREATE)
    assert "Uploads" not in aws.list_multipart_uploads(Bucket=BUCKET)


def test_large_objects_are_put_in_parts_and_have_no_checksum_of_their_content(aws, storage):
    body = bytes(range(256)) * 80_000
    digest = hashlib.sha256(body).hexdigest()
    storage.put(MEDIA, "large.mp4", io.BytesIO(body), PutMode.CREATE, sha256=digest)
    assert storage.head(MEDIA, "large.mp4").etag.endswith("-3")
    assert storage.head(MEDIA, "large.mp4").sha256 is None
    assert storage.open(MEDIA, "large.mp4", ByteRange(None, 9_000_000)).read() == body[-9_000_000:]
    found = aws.head_object(Bucket=BUCKET, Key="lib/media/large.mp4")
    assert found["ContentType"] == "video/mp4"


def test_a_checksum_of_parts_is_no_checksum_of_the_content(aws, storage):
    upload = aws.create_multipart_upload(Bucket=BUCKET, Key="lib/media/k", ChecksumAlgorithm="SHA256")["UploadId"]
    at = {"Bucket": BUCKET, "Key": "lib/media/k", "UploadId": upload}
    part = aws.upload_part(**at, PartNumber=1, Body=b"x", ChecksumAlgorithm="SHA256")
    parts = [{"PartNumber": 1, "ETag": part["ETag"], "ChecksumSHA256": part["ChecksumSHA256"]}]
    aws.complete_multipart_upload(**at, MultipartUpload={"Parts": parts})
    assert storage.head(MEDIA, "k").sha256 is None


def test_a_checksum_that_an_uploader_declared_is_known(aws, storage):
    digest = hashlib.sha256(b"x").digest()
    aws.put_object(
        Bucket=BUCKET,
        Key="lib/media/k",
        Body=b"x",
        ChecksumAlgorithm="SHA256",
        ChecksumSHA256=base64.b64encode(digest).decode(),
    )
    assert storage.head(MEDIA, "k").sha256 == digest.hex()


def test_versions_are_reported_where_the_bucket_has_them(aws, storage):
    assert storage.put(MEDIA, "k", b"x").version is None
    assert storage.head(MEDIA, "k").version is None
    aws.create_bucket(Bucket="kinora-versions")
    aws.put_bucket_versioning(Bucket="kinora-versions", VersioningConfiguration={"Status": "Enabled"})
    versioned = S3Storage({MEDIA: place("kinora-versions")}, read_ahead=1024)
    stored = versioned.put(MEDIA, "k", b"y")
    assert stored.version
    assert stored.version == versioned.head(MEDIA, "k").version


def test_an_object_removed_under_a_reader(storage):
    storage.put(MEDIA, "k", bytes(3_000_000))
    with pytest.raises(NotFound), storage.open(MEDIA, "k") as reader:
        assert reader.read(1) == b"\0"
        storage.delete(MEDIA, "k")
        reader.read()


def test_objects_that_no_key_can_name_are_left_out_of_lists_but_deleted_with_their_prefix(aws, storage):
    for key in ("lib/media/v/", "lib/media/v/a", "lib/media/v//b"):
        aws.put_object(Bucket=BUCKET, Key=key, Body=b"")
    assert keys_of(storage) == ["v/a"]
    storage.delete_prefix(MEDIA, "v/")
    assert aws.list_objects_v2(Bucket=BUCKET)["KeyCount"] == 0


def test_a_missing_bucket_is_not_an_empty_one(aws):
    storage = S3Storage({MEDIA: place("kinora-none"), Scope.BLOCKS: place("")}, read_ahead=1024)
    verbs = [
        lambda: storage.head(MEDIA, "k"),
        lambda: storage.open(MEDIA, "k"),
        lambda: storage.put(MEDIA, "k", b"x"),
        lambda: storage.put(MEDIA, "k", bytes(9_000_000)),
        lambda: storage.delete(MEDIA, "k"),
        lambda: storage.delete_prefix(MEDIA, "k"),
        lambda: list(storage.list(MEDIA)),
        lambda: storage.head(Scope.BLOCKS, "k"),
        storage.check,
    ]
    for verb in verbs:
        with pytest.raises(Unavailable):
            verb()


def test_a_store_that_does_not_answer_is_unavailable():
    where = place(endpoint="http://127.0.0.1:9", path_style=True, access_key_id="a", secret_access_key="b")
    with pytest.raises(Unavailable):
        S3Storage({MEDIA: where}, read_ahead=1024).check()


def test_the_prefix_counts_for_the_length_of_a_key(aws):
    storage = S3Storage({MEDIA: place(prefix="p/" * 10)}, read_ahead=1024)
    key = "/".join(["k" * 200] * 5)
    assert len(key) == 1004
    storage.put(MEDIA, key, b"x")
    with pytest.raises(InvalidKey):
        storage.put(MEDIA, key + "k", b"x")


@pytest.mark.parametrize("key", ["a b+c%é日本..mp4", "plain.mp4"])
def test_presigned_urls_name_the_regions_host_and_the_key(aws, key):
    storage = S3Storage({MEDIA: place(prefix="p/", region="eu-central-1")}, read_ahead=1024)
    for url in (storage.presign_get(MEDIA, key, expires=60), storage.presign_put(MEDIA, key, expires=60)):
        parts = urlsplit(url)
        assert (parts.scheme, parts.hostname) == ("https", f"{BUCKET}.s3.eu-central-1.amazonaws.com")
        assert unquote(parts.path) == f"/p/{key}"
        query = parse_qs(parts.query)
        assert query["X-Amz-Algorithm"] == ["AWS4-HMAC-SHA256"]
        assert query["X-Amz-Expires"] == ["60"]
        assert query["X-Amz-SignedHeaders"] == ["host"]
        assert not [name for name in query if "checksum" in name]
    assert parse_qs(urlsplit(storage.presign_get(MEDIA, key, expires=60)).query)["response-content-type"] == ["video/mp4"]
    named = storage.presign_get(MEDIA, key, expires=60, media_type="image/png", disposition='attachment; filename="a b.png"')
    query = parse_qs(urlsplit(named).query)
    assert query["response-content-type"] == ["image/png"]
    assert query["response-content-disposition"] == ['attachment; filename="a b.png"']
    assert "X-Amz-Expires=604800" in storage.presign_get(MEDIA, key, expires=10**9)
    with pytest.raises(InvalidKey):
        storage.presign_get(MEDIA, "../x", expires=60)
    with pytest.raises(InvalidKey):
        storage.presign_put(MEDIA, "../x", expires=60)


def test_an_uploader_asks_for_encryption_by_metadata(aws):
    storage = S3Storage({MEDIA: place(region="eu-central-1")}, read_ahead=1024)
    url = storage.presign_put(MEDIA, "a.mp4", expires=60, encrypt=True)
    assert parse_qs(urlsplit(url).query)["X-Amz-SignedHeaders"] == ["host;x-amz-meta-kinora-encrypt"]
    asked = {"a.mp4": "true", "b.mp4": "TRUE ", "c.mp4": "false", "d.mp4": "1"}
    for key, text in asked.items():
        aws.put_object(Bucket=BUCKET, Key=key, Body=b"x", Metadata={"kinora-encrypt": text})
    assert [storage.head(MEDIA, key).encrypt for key in asked] == [True, True, False, False]
    assert not storage.put(MEDIA, "e.mp4", b"x").encrypt


def test_each_scope_talks_to_its_own_store(aws):
    own = place(
        endpoint="https://minio.example:9000", path_style=True, access_key_id="AKOWN", secret_access_key="s", region="r1"
    )
    storage = S3Storage({MEDIA: place(), Scope.SOURCE: own}, read_ahead=1024)
    url = storage.presign_get(Scope.SOURCE, "k", expires=60)
    assert url.startswith(f"https://minio.example:9000/{BUCKET}/k?")
    assert "AKOWN%2F" in url
    assert "%2Fr1%2Fs3%2F" in url
    assert "AKOWN" not in storage.presign_get(MEDIA, "k", expires=60)
