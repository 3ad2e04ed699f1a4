"""Uploads in parts and forms over HTTP, as a client of Kinora's own server uses them: locally, with real files."""

from __future__ import annotations

import base64
import hashlib
from urllib.parse import unquote

import pytest

from kinora.model import Scope
from kinora.pipeline.encryption_requests import asks_for_encryption
from kinora.storage.multipart import MIN_PART_BYTES
from tests.unit.api.test_api import code_of, kinora

FIRST = bytes(range(256)) * (MIN_PART_BYTES // 256)
LAST = "the end é".encode()
API = "/api/uploads/s3"


class Uploader:
    """A client that knows one endpoint, as Uppy does."""

    def __init__(self, client, endpoint=API, headers=None):
        self.client = client
        self.endpoint = endpoint
        self.headers = client.key if headers is None else headers

    def ask(self, method, path, key=None, **options):
        query = {"key": key} if key else {}
        params = query | options.pop("params", {})
        return self.client.request(method, f"{self.endpoint}{path}", headers=self.headers, params=params, **options)

    def create(self, **wanted):
        answer = self.ask("POST", "/multipart", json=wanted)
        assert answer.status_code == 200, answer.text
        return answer.json()["key"], answer.json()["uploadId"]

    def send(self, key, upload, number, content, sha256=None, **headers):
        """The answer to a part, sent without any other credential to the address that was signed for it."""
        target = self.ask("GET", f"/multipart/{upload}/{number}", key, params={"sha256": sha256} if sha256 else {}).json()
        return self.client.put(target["url"], content=content, headers=target["headers"] | headers)

    def complete(self, key, upload, parts, **more):
        listed = [{"PartNumber": number, "ETag": etag} for number, etag in parts]
        return self.ask("POST", f"/multipart/{upload}/complete", key, json={"parts": listed, **more})


@pytest.fixture
def client(tmp_path):
    with kinora(tmp_path) as running:
        yield running


def stored(client, key):
    with client.home.services.storage.open(Scope.SOURCE, key) as reader:
        return reader.read()


def originals(client):
    return [info.key for info in client.home.services.storage.list(Scope.SOURCE)]


def test_a_file_in_parts_becomes_an_original(client):
    uploader = Uploader(client)
    key, upload = uploader.create(key="holiday/film é.mov", size=len(FIRST) + len(LAST))
    assert key == "uploads/holiday/film é.mov"
    sent = [uploader.send(key, upload, number, content) for number, content in ((2, LAST), (1, FIRST))]
    assert [answer.status_code for answer in sent] == [200, 200]
    listed = uploader.ask("GET", f"/multipart/{upload}", key).json()
    assert [(part["PartNumber"], part["Size"]) for part in listed] == [(1, len(FIRST)), (2, len(LAST))]
    assert [part["ETag"] for part in listed] == [sent[1].headers["etag"], sent[0].headers["etag"]]
    parts = [(part["PartNumber"], part["ETag"]) for part in listed]
    done = uploader.complete(key, upload, parts)
    assert (done.json()["key"], done.json()["size"]) == (key, len(FIRST) + len(LAST))
    assert unquote(done.json()["location"]).endswith(f"/{key}")
    assert stored(client, key) == FIRST + LAST
    assert uploader.complete(key, upload, parts).json()["etag"] == done.json()["etag"]
    assert code_of(uploader.ask("GET", f"/multipart/{upload}", key)) == "not-found"
    assert code_of(uploader.ask("POST", "/multipart", json={"key": key})) == "already-exists"


def test_names_of_files_become_keys_of_their_own(client):
    uploader = Uploader(client)
    keys = [uploader.create(filename=name)[0] for name in ("IMG 1.JPG", "IMG 1.JPG", "C:\\x\\IMG 1.JPG", "é" * 300 + ".mov")]
    assert len(set(keys)) == 4
    assert all(key.startswith("uploads/IMG 1-") and key.endswith(".JPG") for key in keys[:3])
    for wanted in ({"filename": "a.mov.part"}, {"filename": ".hidden"}, {"key": "x/.git/config"}, {"key": "../../x"}):
        assert code_of(uploader.ask("POST", "/multipart", json=wanted)) == "invalid-key"
    for wanted in ({}, {"key": "a", "filename": "b"}, {"key": "a", "size": -1}):
        assert uploader.ask("POST", "/multipart", json=wanted).status_code == 422


def test_declared_checksums_are_verified_and_cannot_be_left_out(client):
    uploader = Uploader(client)
    key, upload = uploader.create(key="a.mov", checksums=True)
    digest = hashlib.sha256(LAST).hexdigest()
    assert code_of(uploader.send(key, upload, 1, b"something else", digest)) == "checksum-mismatch"
    target = uploader.ask("GET", f"/multipart/{upload}/1", key, params={"sha256": digest}).json()
    other = base64.b64encode(bytes(32)).decode()
    for headers in ({}, {"x-amz-checksum-sha256": other}):
        assert code_of(client.put(target["url"], content=LAST, headers=headers)) == "signature-invalid"
    assert code_of(uploader.send(key, upload, 1, LAST)) == "checksum-missing"
    assert uploader.ask("GET", f"/multipart/{upload}", key).json() == []
    assert uploader.send(key, upload, 1, LAST, digest).status_code == 200
    assert [part["ChecksumSHA256"] for part in uploader.ask("GET", f"/multipart/{upload}", key).json()] == [digest]


def test_an_address_is_for_one_part_of_one_upload(client):
    uploader = Uploader(client)
    key, upload = uploader.create(key="a.mov")
    _, other = uploader.create(key="b.mov")
    url = uploader.ask("GET", f"/multipart/{upload}/1", key).json()["url"]
    for wrong in (url.replace("/part/1/", "/part/2/"), url.replace(upload, other), url.replace("a.mov", "b.mov"), url + "x"):
        assert code_of(client.put(wrong, content=b"x")) == "signature-invalid"
    batch = uploader.ask("GET", f"/multipart/{upload}/batch", key, params={"partNumbers": "1,2"}).json()["presignedUrls"]
    assert [client.put(batch[number], content=b"x").status_code for number in ("1", "2")] == [200, 200]
    for numbers in ("", "1,", "0", "10001", "1;2", ",".join(["1"] * 101), "9" * 400):
        answer = uploader.ask("GET", f"/multipart/{upload}/batch", key, params={"partNumbers": numbers})
        assert answer.status_code == 400
    assert uploader.ask("DELETE", f"/multipart/{upload}", key).json() == {}
    assert code_of(client.put(url, content=b"x")) == "not-found"


def test_what_is_too_large_is_said_at_the_beginning_and_at_the_end(tmp_path):
    with kinora(tmp_path, max_bytes="20", max_upload_bytes="15") as client:
        uploader = Uploader(client)
        assert code_of(uploader.ask("POST", "/multipart", json={"key": "a.mov", "size": 21})) == "limit-exceeded"
        key, upload = uploader.create(key="a.mov")
        assert code_of(uploader.send(key, upload, 1, bytes(16))) == "limit-exceeded"
        parts = [(1, uploader.send(key, upload, 1, b"1234567890").headers["etag"])]
        assert uploader.complete(key, upload, parts).status_code == 200
        target = uploader.ask("GET", "/params", params={"filename": "x.jpg"}).json()
        assert code_of(client.post(target["url"], files={"file": bytes(16)})) == "limit-exceeded"
        assert originals(client) == [key]


def test_what_came_meanwhile_is_replaced_only_on_request(client):
    uploader = Uploader(client)
    key, upload = uploader.create(key="a.jpg")
    parts = [(1, uploader.send(key, upload, 1, LAST).headers["etag"])]
    client.put("/api/uploads/a.jpg", content=b"faster", headers=client.key)
    assert code_of(uploader.complete(key, upload, parts)) == "already-exists"
    assert stored(client, key) == b"faster"
    assert uploader.complete(key, upload, parts, replace=True).status_code == 200
    assert stored(client, key) == LAST


def test_a_grant_opens_one_folder_without_the_api_key(client):
    grant = client.post("/api/uploads/grants", json={"folder": "users/42"}, headers=client.key).json()
    assert grant["folder"] == "uploads/users/42/"
    guest = Uploader(client, f"{grant['endpoint']}/s3", {})
    key, upload = guest.create(filename="me.jpg")
    assert key.startswith("uploads/users/42/me-")
    parts = [(1, guest.send(key, upload, 1, LAST).headers["etag"])]
    assert guest.complete(key, upload, parts).status_code == 200
    assert stored(client, key) == LAST
    inside, _ = guest.create(key="uploads/users/43/me.jpg")  # a name like any other, below the folder
    assert inside == "uploads/users/42/uploads/users/43/me.jpg"
    assert code_of(guest.ask("POST", "/multipart", json={"key": "me.jpg", "replace": True})) == "forbidden"
    assert code_of(guest.complete(key, upload, parts, replace=True)) == "forbidden"
    key, upload = Uploader(client).create(key="users/43/me.jpg")
    for answer in (
        guest.ask("GET", f"/multipart/{upload}", key),
        guest.ask("GET", f"/multipart/{upload}/1", key),
        guest.complete(key, upload, parts),
        guest.ask("DELETE", f"/multipart/{upload}", key),
    ):
        assert code_of(answer) == "forbidden"
    forged = guest.endpoint.replace("users/42", "users/43")
    assert code_of(client.post(f"{forged}/multipart", json={"filename": "x"})) == "signature-invalid"
    for folder in ("..", "a/../b", "/", ".x"):
        assert client.post("/api/uploads/grants", json={"folder": folder}, headers=client.key).status_code == 400


def test_an_upload_in_parts_may_ask_for_encryption(client):
    uploader = Uploader(client)
    for name, encrypt in (("clear.mov", False), ("secret.mov", True)):
        key, upload = uploader.create(key=name, encrypt=encrypt)
        uploader.complete(key, upload, [(1, uploader.send(key, upload, 1, LAST).headers["etag"])])
        services = client.home.services
        assert asks_for_encryption(services, services.storage.head(Scope.SOURCE, key)) is encrypt


def test_a_grant_expires(tmp_path):
    now = [1_700_000_000.0]
    with kinora(tmp_path, clock=lambda: now[0]) as client:
        grant = client.post("/api/uploads/grants", json={"folder": "users/42"}, headers=client.key).json()
        now[0] += grant["expires"]
        guest = Uploader(client, f"{grant['endpoint']}/s3", {})
        assert code_of(guest.ask("POST", "/multipart", json={"filename": "x"})) == "signature-expired"


def test_a_form_carries_a_small_file(client):
    uploader = Uploader(client)
    target = uploader.ask("GET", "/params", params={"filename": "cat é.jpg", "type": "image/jpeg"}).json()
    assert target["method"] == "POST"
    content = b"\r\n--almost a boundary\r\n" * 50_000
    answer = client.post(target["url"], data=target["fields"], files={"file": ("cat.jpg", content, "image/jpeg")})
    assert answer.status_code == 201
    assert stored(client, target["fields"]["key"]) == content
    assert client.post(target["url"], data=target["fields"], files={"file": b""}).status_code == 201
    assert stored(client, target["fields"]["key"]) == b""
    refused = [
        client.post(target["url"], content=b"x", headers={"Content-Type": "text/plain"}),
        client.post(target["url"], content=b"x", headers={"Content-Type": "multipart/form-data; boundary=b"}),
        client.post(target["url"], files={"other": b"x"}),
        client.post(target["url"], files={"other": bytes(100_000), "file": b"x"}),
        client.post(
            target["url"],
            content=b'--b\r\nContent-Disposition: form-data; name="file"\r\n\r\nhalf',
            headers={"Content-Type": "multipart/form-data; boundary=b"},
        ),
    ]
    assert {code_of(answer) for answer in refused} == {"invalid-input"}
    assert code_of(client.post(target["url"].replace("cat", "dog"), files={"file": b"x"})) == "signature-invalid"
    assert stored(client, target["fields"]["key"]) == b""


def test_the_size_of_the_chunks_changes_nothing(client):
    target = Uploader(client).ask("GET", "/params", params={"filename": "x.bin"}).json()
    content = bytes(range(256)) + b"\r\n--b\r--b--\r\n-\r\n--"
    form = b'--b\r\nContent-Disposition: form-data; name="key"\r\n\r\nk\r\n--b\r\nContent-Disposition: form-data; '
    form += b'name="file"; filename="x"\r\nContent-Type: a/b\r\n\r\n' + content.replace(b"--b", b"--c") + b"\r\n--b--\r\n"
    for size in (1, 2, 3, 7, 64, 1000):
        pieces = (form[at : at + size] for at in range(0, len(form), size))
        answer = client.post(target["url"], content=pieces, headers={"Content-Type": 'multipart/form-data; boundary="b"'})
        assert answer.status_code == 201
        assert stored(client, target["fields"]["key"]) == content.replace(b"--b", b"--c")


def test_a_whole_upload_declares_its_checksum_too(client):
    digest = hashlib.sha256(LAST).hexdigest()
    target = client.post("/api/uploads", json={"key": "a.txt", "sha256": digest}, headers=client.key).json()
    headers = target["headers"] | client.key
    assert code_of(client.put(target["url"], content=b"other", headers=headers)) == "checksum-mismatch"
    assert originals(client) == []
    assert client.put(target["url"], content=LAST, headers=headers).status_code == 201
