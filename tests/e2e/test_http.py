"""HTTP as it really goes over the wire: connections that live on, clients that go away, bodies larger than they may be kept."""

from __future__ import annotations

import json
import socket
import time
from pathlib import Path

import pytest

from tests.e2e.instance import kinora_up
from tests.pictures import picture

pytestmark = pytest.mark.xdist_group("e2e")

MEGABYTE = 1 << 20
BIG = 64 * MEGABYTE
SPARE_MEGABYTES = 24  # what a server may grow by while 64 MB pass through it


@pytest.fixture(scope="module")
def kinora(tmp_path_factory):
    with kinora_up(tmp_path_factory.mktemp("kinora")) as running:
        yield running


@pytest.fixture(scope="module")
def original(kinora):
    """The path of a signed address of a big original: a photo with zeros behind it."""
    key = kinora.upload("big.jpg", picture() + bytes(BIG - len(picture())))
    medium = kinora.client.get(f"/api/media/{kinora.wait_for(key, 'ready')['hash']}").json()
    return medium["originals"][0]["url"]


class Wire:
    """One connection, on which requests are sent byte by byte and answers are read as RFC 9112 frames them."""

    def __init__(self, port: int) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port), timeout=20)
        self._file = self._socket.makefile("rb")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._file.close()
        self._socket.close()

    def ask(self, method: str, path: str, *headers: str) -> tuple[int, dict[str, str], bytes]:
        self.send(method, path, *headers)
        status, fields = self.head()
        has_body = method != "HEAD" and status != 304
        return status, fields, self._file.read(int(fields["content-length"])) if has_body else b""

    def send(self, method: str, path: str, *headers: str, body: bytes = b"") -> None:
        lines = [f"{method} {path} HTTP/1.1", "Host: localhost", *headers, "", ""]
        self._socket.sendall("\r\n".join(lines).encode() + body)

    def head(self) -> tuple[int, dict[str, str]]:
        status = int(self._file.readline().split()[1])
        lines = iter(lambda: self._file.readline().strip().decode(), "")
        return status, {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}

    def read(self, count: int) -> bytes:
        return self._file.read(count)


def open_files(pid: int, name: str) -> int:
    """How many descriptors of the process lead to a file of that name."""
    found = 0
    for descriptor in Path(f"/proc/{pid}/fd").iterdir():
        try:
            found += str(descriptor.readlink()).endswith(name)
        except FileNotFoundError:
            continue
    return found


def wait_until(claim) -> None:
    deadline = time.monotonic() + 10
    while not claim():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def megabytes_at_most(pid: int) -> int:
    """The largest resident memory that the process ever had."""
    status = Path(f"/proc/{pid}/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0]) // 1024


def test_one_connection_outlives_every_kind_of_answer(kinora, original):
    with Wire(kinora.port) as wire:
        status, head, _ = wire.ask("HEAD", original)
        assert (status, head["content-length"]) == (200, str(BIG))
        status, fields, body = wire.ask("GET", original, f"Range: bytes={BIG}-")
        assert (status, fields["content-range"], json.loads(body)["code"]) == (416, f"bytes */{BIG}", "range-not-satisfiable")
        status, fields, _ = wire.ask("GET", original, f"If-None-Match: {head['etag']}")
        assert (status, fields["etag"]) == (304, head["etag"])
        status, fields, body = wire.ask("GET", original, "Range: bytes=0-9")
        assert (status, fields["content-range"], body) == (206, f"bytes 0-9/{BIG}", picture()[:10])
        status, fields, body = wire.ask("GET", original, "Range: bytes=-7")
        assert (status, fields["content-range"], body) == (206, f"bytes {BIG - 7}-{BIG - 1}/{BIG}", bytes(7))
        assert wire.ask("GET", original, 'If-Match: "other"')[0] == 412
        assert wire.ask("GET", "/stream/nothing/master.m3u8")[0] == 404
        assert wire.ask("GET", "/healthz")[0] == 200


def test_a_client_that_goes_away_leaves_no_open_file(kinora, original):
    with Wire(kinora.port) as wire:
        wire.send("GET", original)
        assert wire.head()[0] == 200
        wire.read(1000)
        wait_until(lambda: open_files(kinora.pid, "/big.jpg") == 1)
    wait_until(lambda: open_files(kinora.pid, "/big.jpg") == 0)


def test_big_bodies_pass_through_without_being_kept(kinora, original):
    before = megabytes_at_most(kinora.pid)
    with kinora.client.stream("GET", original) as answer:
        assert sum(map(len, answer.iter_raw())) == BIG
    megabyte = bytes(MEGABYTE)
    sent = kinora.client.put("/api/uploads/zeros.bin", content=(megabyte for _ in range(BIG // MEGABYTE)))
    assert (sent.status_code, sent.json()["size"]) == (201, BIG)
    assert megabytes_at_most(kinora.pid) - before < SPARE_MEGABYTES


def test_an_upload_that_breaks_off_leaves_nothing(kinora):
    source = kinora.data / "source"
    files = {path for path in source.rglob("*") if path.is_file()}
    with Wire(kinora.port) as wire:
        key = f"Authorization: Bearer {kinora.api_key}"
        wire.send("PUT", "/api/uploads/half.jpg", key, "Content-Length: 10000000", body=bytes(5_000_000))
        wait_until(lambda: any(path.is_file() and path not in files for path in source.rglob("*")))
    wait_until(lambda: {path for path in source.rglob("*") if path.is_file()} == files)
    assert kinora.client.get("/healthz").status_code == 200


def test_what_workers_did_is_among_the_numbers(kinora, original):
    lines = kinora.client.get("/metrics").text.splitlines()
    assert 'kinora_tasks_total{task="image",outcome="done"} 1' in lines
    assert 'kinora_jobs_total{kind="image",state="ready"} 1' in lines
    assert 'kinora_queue_messages{queue="image",state="visible"} 0' in lines


def test_nobody_is_believed_to_be_a_proxy(kinora):
    with Wire(kinora.port) as wire:
        _, fields, _ = wire.ask("GET", "/healthz", "X-Forwarded-Proto: https", "X-Forwarded-For: 192.0.2.1")
    assert "strict-transport-security" not in fields


def test_an_avatar_is_made_by_a_worker_for_whoever_sends_it(kinora):
    for user in ("a%2Fb", "%252e%252e"):
        made = kinora.client.put(f"/api/avatars/{user}", content=picture(900, 600))
        assert made.status_code == 200, made.text
        shown = kinora.client.get(made.json()["url"], headers={"Authorization": ""})
        assert (shown.status_code, shown.headers["content-type"], shown.content[8:12]) == (200, "image/webp", b"WEBP")
        assert kinora.client.get(f"/api/avatars/{user}").content == shown.content
    stored = [path for path in (kinora.data / "avatars").rglob("*") if path.is_file()]
    assert {path.suffix for path in stored} == {".webp"}
    assert len(stored) == 2
