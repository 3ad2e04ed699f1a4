"""The HTTP face over the AWS drivers (moto, in process): bytes never pass through the API."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import replace
from urllib.parse import parse_qs, urlsplit

import boto3
import pytest
from fastapi.testclient import TestClient
from moto import mock_aws

from kinora.api.access import Access
from kinora.api.app import create_app
from kinora.bootstrap import build
from kinora.metadata.dynamodb_tables import TABLES
from kinora.model import Blob, Kind, MediaAccess, Original, Scope
from kinora.object_keys import video_key
from kinora.playback_tokens import Limits
from kinora.settings import Settings

HASH = "ab" * 32
ENVIRON = {
    "KINORA_DRIVER": "aws",
    "KINORA_SOURCE_BUCKET": "kinora-source",
    "KINORA_MEDIA_BUCKET": "kinora-media",
    "KINORA_S3_REGION": "us-east-1",
    "KINORA_CATALOG_TABLE": "catalog",
    "KINORA_JOBS_TABLE": "jobs",
    "KINORA_KEYS_TABLE": "keys",
    "KINORA_API_KEY_SECRET": "api-key",
    "KINORA_SIGNING_KEYS_SECRET": "signing-keys",
}
KEY = {"X-Api-Key": "kin_test"}


@pytest.fixture
def client(monkeypatch) -> Iterator[TestClient]:
    for name, value in {"AWS_ACCESS_KEY_ID": "x", "AWS_SECRET_ACCESS_KEY": "x", "AWS_DEFAULT_REGION": "us-east-1"}.items():
        monkeypatch.setenv(name, value)
    with mock_aws():
        s3 = boto3.client("s3")
        for bucket in ("kinora-source", "kinora-media"):
            s3.create_bucket(Bucket=bucket)
        dynamodb = boto3.client("dynamodb")
        for name, table in TABLES.items():
            wanted = ("KeySchema", "AttributeDefinitions", "GlobalSecondaryIndexes")
            definition = {part: table[part] for part in wanted if table.get(part)}
            dynamodb.create_table(TableName=name, BillingMode="PAY_PER_REQUEST", **definition)
        secrets = boto3.client("secretsmanager")
        secrets.create_secret(Name="api-key", SecretString="kin_test")
        secrets.create_secret(Name="signing-keys", SecretString="A" * 64)
        now = [float(int(time.time()))]
        services = replace(build(Settings.from_env(ENVIRON)), clock=lambda: now[0])
        services.storage.put(Scope.MEDIA, video_key(HASH, "master.m3u8"), b"#EXTM3U\n")
        services.storage.put(Scope.MEDIA, video_key(HASH, "video/r240_h264/seg_0.m4s"), b"segment")
        with TestClient(create_app(services), follow_redirects=False, client=("203.0.113.7", 1)) as client:
            client.services, client.now = services, now
            yield client


def test_playlists_come_from_the_api_and_segments_from_s3(client):
    assert client.get(f"/stream/{HASH}/master.m3u8").content == b"#EXTM3U\n"
    answer = client.get(f"/stream/{HASH}/video/r240_h264/seg_0.m4s", headers={"Range": "bytes=0-1"})
    target = urlsplit(answer.headers["location"])
    assert (answer.status_code, answer.content) == (302, b"")
    assert target.hostname.startswith("kinora-media.")
    assert target.path.endswith("/video/r240_h264/seg_0.m4s")
    assert int(parse_qs(target.query)["X-Amz-Expires"][0]) <= 3600
    head = client.head(f"/stream/{HASH}/video/r240_h264/seg_0.m4s")
    assert (head.status_code, head.headers["content-length"]) == (200, "7")


def test_a_storyboard_is_never_redirected_because_it_names_its_sheets_relatively(client):
    key = video_key(HASH, "storyboard/storyboard.vtt")
    boto3.client("s3").put_object(Bucket="kinora-media", Key=key, Body=b"WEBVTT\n")
    assert client.get(f"/stream/{HASH}/storyboard/storyboard.vtt").content == b"WEBVTT\n"


def test_uploads_are_sent_on_to_s3(client):
    target = client.post("/api/uploads", json={"key": "a b+é.mov"}, headers=KEY).json()
    assert urlsplit(target["url"]).path == "/uploads/a%20b%2B%C3%A9.mov"
    assert (target["method"], target["needs_api_key"]) == ("PUT", False)
    answer = client.put("/api/uploads/cat.jpg", headers=KEY)
    assert (answer.status_code, urlsplit(answer.headers["location"]).hostname.split(".")[0]) == (307, "kinora-source")


def test_readiness_asks_the_real_dependencies(client):
    assert client.get("/readyz").json()["driver"] == "aws"
    boto3.client("s3").delete_object(Bucket="kinora-media", Key=video_key(HASH, "master.m3u8"))
    boto3.client("s3").delete_object(Bucket="kinora-media", Key=video_key(HASH, "video/r240_h264/seg_0.m4s"))
    boto3.client("s3").delete_bucket(Bucket="kinora-media")
    answer = TestClient(create_app(build(Settings.from_env(ENVIRON)))).get("/readyz")
    assert (answer.status_code, answer.json()["code"]) == (503, "not-ready")
    assert [one["name"] for one in answer.json()["checks"] if not one["ok"]] == ["storage-media"]
    assert "kinora-media" not in answer.text


def test_lists_are_empty_at_first(client):
    assert client.get("/api/media", headers=KEY).json() == {"media": [], "cursor": None}
    assert client.get("/api/jobs", headers=KEY).json() == {"jobs": [], "cursor": None}


def test_parts_and_forms_go_to_s3_itself(client):
    api = "/api/uploads/s3"
    started = client.post(f"{api}/multipart", json={"filename": "film.mov", "checksums": True}, headers=KEY).json()
    key, upload = started["key"], started["uploadId"]
    digest = "ab" * 32
    target = client.get(f"{api}/multipart/{upload}/2", params={"key": key, "sha256": digest}, headers=KEY).json()
    query = parse_qs(urlsplit(target["url"]).query)
    assert urlsplit(target["url"]).hostname.startswith("kinora-source.")
    assert (query["partNumber"], query["uploadId"]) == (["2"], [upload])
    assert list(target["headers"]) == ["x-amz-checksum-sha256"]
    boto3.client("s3").upload_part(Bucket="kinora-source", Key=key, UploadId=upload, PartNumber=2, Body=b"x")
    parts = client.get(f"{api}/multipart/{upload}", params={"key": key}, headers=KEY).json()
    done = client.post(f"{api}/multipart/{upload}/complete", params={"key": key}, json={"parts": parts}, headers=KEY)
    assert (done.json()["key"], done.json()["size"]) == (key, 1)
    form = client.get(f"{api}/params", params={"filename": "cat.jpg"}, headers=KEY).json()
    assert form["fields"]["key"].startswith("uploads/cat-")
    assert {"policy", "x-amz-signature"} <= set(form["fields"])
    assert client.post("/upload/x/form/uploads/cat.jpg", files={"file": b"x"}).status_code == 404


def test_a_declared_checksum_is_bound_to_the_address(client):
    digest = "ab" * 32
    target = client.post("/api/uploads", json={"key": "a.mov", "sha256": digest}, headers=KEY).json()
    assert parse_qs(urlsplit(target["url"]).query)["X-Amz-SignedHeaders"] == ["host;x-amz-checksum-sha256"]
    assert set(target["headers"]) == {"If-None-Match", "x-amz-checksum-sha256"}
    declared = KEY | {"x-amz-checksum-sha256": target["headers"]["x-amz-checksum-sha256"]}
    answer = client.put("/api/uploads/a.mov", headers=declared)
    assert "x-amz-checksum-sha256" in answer.headers["location"]


def test_redirects_to_private_media_end_with_their_token_and_soon(client):
    key = {"X-Api-Key": "kin_test"}
    services, now = client.services, client.now
    services.catalog.attach(
        Original("uploads/a.mov", HASH, 1, "e", "0A", changed_at=1.0), Blob(HASH, 1, "video/mp4", Kind.VIDEO, 1.0)
    )
    services.storage.put(Scope.MEDIA, video_key(HASH, "proxy/r240_h264.mp4"), b"proxy")
    assert client.put(f"/api/media/{HASH}/access", json={"access": "token"}, headers=key).json()["access"] == "token"
    segment, film = f"/stream/{HASH}/video/r240_h264/seg_0.m4s", f"/stream/{HASH}/proxy/r240_h264.mp4"
    assert client.get(segment).status_code == 404

    def lasting(address: str, token: str) -> int:
        answer = client.get(f"{address}?token={token}")
        assert (answer.status_code, answer.headers["cache-control"]) == (302, "no-store")
        assert answer.headers["vary"] == "Authorization, Cookie"
        assert token not in answer.headers["location"]
        return int(parse_qs(urlsplit(answer.headers["location"]).query)["X-Amz-Expires"][0])

    def token(**wanted) -> str:
        answer = client.post(f"/api/media/{HASH}/tokens", json=wanted, headers=key)
        return answer.json()["token"]

    short, long, bound = token(seconds=100), token(seconds=7200), token(seconds=7200, network="203.0.113.0/24")
    assert [lasting(segment, one) for one in (short, long, bound)] == [100, 300, 300]
    assert [lasting(film, one) for one in (short, long, bound)] == [100, 3600, 300]
    now[0] += 99.5
    assert lasting(segment, short) == 1
    signature = Access(services).sign("thumb", "images/ab/x.webp")
    services.storage.put(Scope.MEDIA, "images/ab/x.webp", b"thumb")
    now[0] += 3590
    location = client.get(f"/thumb/{signature}/images/ab/x.webp").headers["location"]
    assert int(parse_qs(urlsplit(location).query)["X-Amz-Expires"][0]) <= 10


def test_one_session_gets_a_token_on_dynamodb_too(client):
    services = client.services
    services.storage.put(Scope.MEDIA, video_key(HASH, "cover.jpg"), b"cover")
    services.catalog.attach(
        Original("uploads/a.mov", HASH, 1, "e", "0A", changed_at=1.0), Blob(HASH, 1, "video/mp4", Kind.VIDEO, 1.0)
    )
    services.catalog.set_access(HASH, MediaAccess.TOKEN)
    token = Access(services).playback_token(HASH, limits=Limits(session="once"))
    address = f"/stream/{HASH}/cover.jpg?token={token}&session="
    others = TestClient(create_app(services), follow_redirects=False, client=("203.0.113.7", 1))
    assert client.get(address + "0123456789abcdef").status_code == 302
    assert others.get(address + "another-session-").status_code == 403
    assert others.get(address + "0123456789abcdef").status_code == 302
