"""A small S3 on a real socket that keeps objects as files and misbehaves on request, for what moto cannot show.

It speaks only HEAD, GET with a range, PUT and multipart uploads, and checks conditions; it knows no lists and no signatures.
"""

from __future__ import annotations

import hashlib
import shutil
import threading
import uuid
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, quote, urlsplit

Fault = Callable[["Request"], bool]


@dataclass
class S3Endpoint:
    """`faults` holds one entry per coming request: None to behave, or a function that answers and returns True if it did."""

    folder: Path
    address: str = ""
    requests: list[tuple[str, str, dict[str, str]]] = field(default_factory=list)
    faults: deque[Fault | None] = field(default_factory=deque)
    meta: dict[str, dict[str, str]] = field(default_factory=dict)

    def file(self, key: str) -> Path:
        return self.folder / quote(key, safe="")

    def ranges(self) -> list[str]:
        return [headers["range"] for method, _, headers in self.requests if method == "GET"]


class Request(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    endpoint: S3Endpoint

    def handle_any(self) -> None:
        target = urlsplit(self.path)
        self.key, self.query = target.path, parse_qs(target.query, keep_blank_values=True)
        headers = {name.lower(): value for name, value in self.headers.items()}
        self.endpoint.requests.append((self.command, self.path, headers))
        self.body = self.endpoint.folder / f"body-{uuid.uuid4().hex}"
        self._save_body()
        fault = self.endpoint.faults.popleft() if self.endpoint.faults else None
        if not (fault and fault(self)):
            getattr(self, f"answer_{self.command.lower()}")()

    do_GET = do_HEAD = do_PUT = do_POST = do_DELETE = handle_any  # noqa: N815 - the names that http.server calls

    def _save_body(self) -> None:
        left = int(self.headers.get("Content-Length", 0))
        with self.body.open("wb") as file:
            while left and (chunk := self.rfile.read(min(left, 65536))):
                file.write(chunk)
                left -= len(chunk)

    def answer(self, status: int, body: bytes = b"", **headers: str) -> bool:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        if "Content_Length" not in headers:
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
        return True

    def refuse(self, status: int, code: str) -> bool:
        return self.answer(status, f"<Error><Code>{code}</Code><Message>{code}</Message></Error>".encode())

    def hang_up(self) -> bool:
        self.close_connection = True
        return True

    def store(self, source: Path) -> str | None:
        """The new object's ETag, or None if the condition of the request does not hold."""
        file = self.endpoint.file(self.key)
        if self.headers.get("If-None-Match") == "*" and file.exists():
            return None
        source.rename(file)
        meta = {name: value for name, value in self.headers.items() if name.lower().startswith("x-amz-meta-")}
        self.endpoint.meta.setdefault(self.key, {}).update(meta)
        with file.open("rb") as stored:
            return hashlib.file_digest(stored, "md5").hexdigest()

    def answer_head(self) -> None:
        file = self.endpoint.file(self.key)
        if not file.exists():
            self.answer(404)
            return
        with file.open("rb") as stored:
            etag = hashlib.file_digest(stored, "md5").hexdigest()
        self.answer(
            200,
            ETag=f'"{etag}"',
            Content_Length=str(file.stat().st_size),
            Last_Modified=self.date_time_string(),
            **{name.replace("-", "_"): value for name, value in self.endpoint.meta[self.key].items()},
        )

    def answer_get(self) -> None:
        if "list-type" in self.query:
            self.answer(200, b"<ListBucketResult/>")
            return
        first, last = map(int, self.headers["Range"].removeprefix("bytes=").split("-"))
        with self.endpoint.file(self.key).open("rb") as stored:
            stored.seek(first)
            self.answer(206, stored.read(last - first + 1))

    def answer_put(self) -> None:
        if "partNumber" in self.query:
            self.body.rename(self.endpoint.folder / f"{self.query['uploadId'][0]}-{int(self.query['partNumber'][0]):05}")
            self.answer(200, ETag='"part"')
        elif etag := self.store(self.body):
            self.answer(200, ETag=f'"{etag}"')
        else:
            self.refuse(412, "PreconditionFailed")

    def answer_post(self) -> None:
        if "uploads" in self.query:
            self.answer(200, f"<R><UploadId>{uuid.uuid4().hex}</UploadId></R>".encode())
            return
        whole = self.endpoint.folder / f"whole-{uuid.uuid4().hex}"
        with whole.open("wb") as file:
            for part in sorted(self.endpoint.folder.glob(f"{self.query['uploadId'][0]}-*")):
                with part.open("rb") as content:
                    shutil.copyfileobj(content, file)
        if etag := self.store(whole):
            self.answer(200, f'<R><ETag>"{etag}-2"</ETag></R>'.encode())
        else:
            self.refuse(412, "PreconditionFailed")

    def answer_delete(self) -> None:
        self.answer(204)

    def log_message(self, *_: object) -> None:
        """Be quiet."""


@contextmanager
def s3_endpoint(folder: Path) -> Iterator[S3Endpoint]:
    """A running endpoint on an ephemeral port of 127.0.0.1."""
    endpoint = S3Endpoint(folder)
    handler = type("Handler", (Request,), {"endpoint": endpoint})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        endpoint.address = f"http://127.0.0.1:{server.server_port}"
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield endpoint
        finally:
            server.shutdown()
            thread.join()
