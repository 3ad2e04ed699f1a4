"""Asking functions on AWS: what its answers mean, and how many may ask at once. Lambda is a small server here."""

from __future__ import annotations

import http.server
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from kinora.errors import CorruptMedia, KinoraError, NotFound, OriginalGone, Pending, Unavailable
from kinora.invoking.base import answer_failed, answer_made, is_made, picture_request, segment_request
from kinora.invoking.lambda_maker import LambdaMaker
from kinora.metadata.sqlite import SqliteMetadata


class Lambda(http.server.ThreadingHTTPServer):
    """Answers every invocation with `status`, `headers` and `body`; holds it back while `gate` is closed."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.status = 200
        self.headers: dict[str, str] = {}
        self.body: object = answer_made(True)
        self.asked: list[tuple[str, object]] = []
        self.gate = threading.Event()
        self.gate.set()


class _Handler(http.server.BaseHTTPRequestHandler):
    server: Lambda

    def do_POST(self) -> None:
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.server.asked.append((self.path, asked))
        self.server.gate.wait(10)
        body = json.dumps(self.server.body).encode()
        self.send_response(self.server.status)
        for name, value in self.server.headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Nothing."""


@pytest.fixture
def server(monkeypatch) -> Iterator[Lambda]:
    with Lambda() as made:
        thread = threading.Thread(target=made.serve_forever, args=(0.02,))
        thread.start()
        for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
            monkeypatch.setenv(name, "testing")
        monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-central-1")
        monkeypatch.setenv("AWS_ENDPOINT_URL_LAMBDA", f"http://127.0.0.1:{made.server_address[1]}")
        yield made
        made.shutdown()
        thread.join()


@contextmanager
def making(folder: Path, limit: int = 3, seconds: float = 5.0) -> Iterator[LambdaMaker]:
    metadata = SqliteMetadata(folder / "kinora.db")
    made = LambdaMaker({"segment": "video", "picture": "image"}, metadata.leases, limit, lambda: 1000.0, seconds=seconds)
    try:
        yield made
    finally:
        made.close()
        metadata.close()


def test_the_function_is_asked_for_one_segment(tmp_path, server):
    with making(tmp_path) as maker:
        assert maker.make(segment_request("ab" * 32, "video/r240_h264", 7)) is True
        server.body = answer_made(False)
        assert maker.make(segment_request("ab" * 32, "audio/und_aac_2ch", None)) is False
    path, asked = server.asked[0]
    assert path.endswith("/functions/video/invocations")
    assert asked == {"task": "segment", "hash": "ab" * 32, "track": "video/r240_h264", "n": 7}
    assert server.asked[1][1]["n"] is None


def test_each_request_goes_to_the_function_it_is_for(tmp_path, server):
    with making(tmp_path) as maker:
        assert maker.make(picture_request("ab" * 32, {"format": "webp"}, is_video=False)) is True
        with pytest.raises(Unavailable):
            maker.make(picture_request("ab" * 32, {"format": "webp"}, is_video=True))
    ((path, asked),) = server.asked
    assert path.endswith("/functions/image/invocations")
    assert asked == {"task": "picture", "hash": "ab" * 32, "options": {"format": "webp"}}


@pytest.mark.parametrize(
    ("status", "headers", "body", "kind", "code"),
    [
        (200, {}, answer_failed(OriginalGone()), NotFound, "original-gone"),
        (200, {}, answer_failed(CorruptMedia()), CorruptMedia, "corrupt-media"),
        (200, {}, answer_failed(KinoraError()), Unavailable, "internal"),
        (200, {"X-Amz-Function-Error": "Unhandled"}, {"errorType": "Sandbox.Timedout"}, Unavailable, "unavailable"),
        (429, {"X-Amzn-ErrorType": "TooManyRequestsException"}, {"message": "Rate exceeded"}, Pending, "pending"),
        (403, {"X-Amzn-ErrorType": "AccessDeniedException"}, {"message": "no"}, Unavailable, "unavailable"),
        (200, {}, ["what?"], Unavailable, "unavailable"),
    ],
)
def test_what_the_answer_means(tmp_path, server, status, headers, body, kind, code):
    server.status, server.headers, server.body = status, headers, body
    with making(tmp_path) as maker, pytest.raises(kind) as caught:
        maker.make(segment_request("ab" * 32, "video/r240_h264", 0))
    assert caught.value.code == code
    assert len(server.asked) == 1, "an invocation is never repeated"


def test_a_function_that_takes_long_is_left_to_it(tmp_path, server):
    server.gate.clear()
    with making(tmp_path, seconds=0.3) as maker, pytest.raises(Pending):
        maker.make(segment_request("ab" * 32, "video/r240_h264", 0))
    server.gate.set()


def test_nobody_listening_is_unavailable(tmp_path, server, monkeypatch):
    monkeypatch.setenv("AWS_ENDPOINT_URL_LAMBDA", "http://127.0.0.1:9")
    with making(tmp_path) as maker, pytest.raises(Unavailable):
        maker.make(segment_request("ab" * 32, "video/r240_h264", 0))


def test_no_more_than_the_limit_ask_at_once(tmp_path, server):
    server.gate.clear()
    with making(tmp_path, limit=2) as maker:
        askers = [
            threading.Thread(target=maker.make, args=(segment_request("ab" * 32, "video/r240_h264", n),)) for n in range(2)
        ]
        for asker in askers:
            asker.start()
        while len(server.asked) < 2:
            threading.Event().wait(0.01)
        with pytest.raises(Pending):
            maker.make(segment_request("ab" * 32, "video/r240_h264", 2))
        server.gate.set()
        for asker in askers:
            asker.join()
        assert maker.make(segment_request("ab" * 32, "video/r240_h264", 2))
    assert len(server.asked) == 3


@pytest.mark.parametrize("answer", [None, {}, {"made": 1}, {"batchItemFailures": []}, "made"])
def test_an_answer_in_no_known_form_is_no_success(answer):
    with pytest.raises(Unavailable):
        is_made(answer)
